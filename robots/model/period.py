"""The control period that the loop, the robot side of the link and the simulation use."""

PERIOD_NS = 1_000_000
PERIOD_S = 1e-3
