"""Prepares the host for a real-time process: priority, core, memory and threads."""
