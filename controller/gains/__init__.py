"""Gains of the controller: schema of gains.yaml, check of its names, and changes while the robot runs."""
