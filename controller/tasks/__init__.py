"""Task kinds, one short file each."""
