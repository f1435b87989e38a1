"""Standing with all contacts closed: centre-of-mass control, upright trunk, recovery steps."""
