"""Against what: the simulated world and the simulated robot."""
