"""Benchmarks: latency of the tick, comparisons with other programs, tables of the documentation."""
