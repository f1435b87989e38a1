"""Standing on closed contacts: centre of mass, upright trunk, recovery steps."""
