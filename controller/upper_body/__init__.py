"""Hands and gaze, whatever the legs do."""
