"""Faults, provoked on purpose: the table, the injectors, and the runs that measure what comes of them."""
