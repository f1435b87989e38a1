"""Injects faults on purpose: the fault table, the injectors, and runs that measure the reactions."""
