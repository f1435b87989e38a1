"""Receives the commands of people and programs, checks them outside the tick, and passes them to the loop."""
