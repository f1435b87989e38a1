"""The geometry of a robot as capsules, and the distances of its links from each other."""
