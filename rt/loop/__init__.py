"""The control loop: its clock, its ticks, and what is measured of them."""
