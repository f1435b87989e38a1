"""What the robot is and how to talk to it."""
