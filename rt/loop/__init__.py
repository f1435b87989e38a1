"""The control loop: its clock, its ticks, and the measurement of their timing."""
