"""Driving a robot by hand, with the keys of a terminal or a gamepad: it moves while something is held."""
