"""Explains a recorded run: margins of every tick, what went wrong first, and single ticks in detail."""
