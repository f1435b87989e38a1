"""Publishes what the loop does to other programs, from a process of its own that reads the loop's ring."""
