"""Gravity: one number for the model, the estimator, the controller and the simulation."""

GRAVITY_M_S2 = 9.81
