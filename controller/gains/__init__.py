"""Gains: their schema, their names, and how they change while the robot runs."""
