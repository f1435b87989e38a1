"""Data of the whole-body problem: declarations, arrays, frame errors and contact geometry."""
