"""Records every tick of a run in a log, reads logs and exports them."""
