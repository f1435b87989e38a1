"""The control period: one number for loop, robot side and simulation."""

PERIOD_NS = 1_000_000
PERIOD_S = 1e-3
