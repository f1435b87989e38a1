"""Where the robot is: state estimation from its sensors."""
