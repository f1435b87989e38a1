"""Hanging from a gantry: the joints hold a posture softly until the soles carry the robot."""
