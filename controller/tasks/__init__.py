"""The task kinds, one short file for each."""
