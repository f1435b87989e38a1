"""What the robot does: each behaviour writes references for the tasks."""
