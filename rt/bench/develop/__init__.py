"""Measurements for developers of Kilohertz: comparison with TSID, scaling with robot size, tables of figures.

Nothing outside `khz bench` and the `--into` option of `khz faults run` imports this package.
"""
