"""Shows the results of a run: a summary in the terminal, plots and histograms."""
