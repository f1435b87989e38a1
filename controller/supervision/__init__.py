"""The supervisor of a robot: its states, and which behaviour moves it."""
