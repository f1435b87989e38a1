"""Compiled kernels: how they are declared, bound to their arrays, compiled and cached."""
