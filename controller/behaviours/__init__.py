"""Behaviours that can be requested of a robot, one file each."""
