"""Behaviours: what a robot can be asked to do, one file each."""
