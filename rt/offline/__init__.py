"""Looks into recorded logs without a robot: estimates, watches, noise, and identification of the model."""
