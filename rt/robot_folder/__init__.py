"""Writes the folder of a robot from a model file, and examines a robot before it moves."""
