"""Logs: recording every tick, reading logs, exporting them."""
