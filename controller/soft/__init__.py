"""Soft behaviour of arms: springs at the hand, guidance by hand, contact forces and collisions."""
