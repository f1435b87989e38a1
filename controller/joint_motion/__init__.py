"""Motions of an arm from joint position to joint position: planned outside the tick, followed inside it."""
