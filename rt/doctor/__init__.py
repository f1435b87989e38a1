"""Checks whether this host is fit to run a 1 kHz control loop."""
