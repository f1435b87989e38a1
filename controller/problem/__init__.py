"""The whole-body problem as data: tables of arrays, frames, contact geometry, declarations."""
