"""State estimation of the robot from its sensors: base, joints and contacts."""
