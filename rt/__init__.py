"""When, and everything around a run: the loop, its host, logs, benchmarks and the command line."""
