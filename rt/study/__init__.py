"""Studies: many simulated runs of one scenario in which parameters vary, and what follows from them."""
