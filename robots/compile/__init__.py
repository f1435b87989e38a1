"""Compiled kernels: their declaration, binding to arrays, compilation and cache."""
