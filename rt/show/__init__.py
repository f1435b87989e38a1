"""What people look at: the screen after a run, plots, histograms."""
