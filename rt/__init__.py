"""When: the loop, the host, histograms and the command line."""
