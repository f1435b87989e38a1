"""The khz command."""
