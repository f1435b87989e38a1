"""The acceleration of gravity that model, estimator, controller and simulation use."""

GRAVITY_M_S2 = 9.81
