"""The host of a real-time process: priorities, cores, memory, threads."""
