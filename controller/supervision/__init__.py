"""Supervision of a robot: the states of its controller, its requests and the active behaviour."""
