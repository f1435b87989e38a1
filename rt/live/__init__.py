"""Changes the gains of a running controller: watches a file, checks it and passes its gains to the loop."""
