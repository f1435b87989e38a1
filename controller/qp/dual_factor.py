"""The growing and shrinking Cholesky factor of the dual solver's Gram matrix."""

from __future__ import annotations

import numpy as np

from controller.qp.dual_rows import DualArrays
from controller.qp.tables import Floats
from robots.compiled import inner_kernel

DEPENDENT = 1e-11
"""A row depends on those before it where its part outside their span (squared, relative) is smaller."""


@inner_kernel
def factor_row(S: Floats, F: Floats, i: int) -> float:
    """Adds row i of S to the factor of the rows before it.

    Returns:
        The squared length of the row outside their span; 0 where it depends on them. Such a row then takes
        no part: its inverse pivot is 0, so its multiplier is 0.
    """
    row = F[i]
    for j in range(i):
        other = F[j]
        a = S[i, j]
        for q in range(j):
            a -= row[q] * other[q]
        row[j] = a * other[j]
    pivot = float(S[i, i])
    for q in range(i):
        pivot -= row[q] * row[q]
    if pivot <= DEPENDENT * S[i, i]:
        row[i] = 0.0
        return 0.0
    row[i] = 1.0 / np.sqrt(pivot)
    return pivot


@inner_kernel
def solve_upper(F: Floats, m: int, x: Floats) -> None:
    """Solves F' x = x in place."""
    for i in range(m - 1, -1, -1):
        row = F[i]
        x[i] *= row[i]
        a = x[i]
        for q in range(i):
            x[q] -= row[q] * a


@inner_kernel
def solve_gram(F: Floats, m: int, b: Floats, x: Floats) -> None:
    """Solves F F' x = b; b and x may be the same."""
    for i in range(m):
        row = F[i]
        a = b[i]
        for q in range(i):
            a -= row[q] * x[q]
        x[i] = a * row[i]
    solve_upper(F, m, x)


@inner_kernel
def drop_row(d: DualArrays, i: int, m: int) -> None:
    """Takes row i out of the first m rows and of S; the caller factors rows i to m - 2 anew."""
    for r in range(i, m - 1):
        d.b[r], d.limit[r], d.y[r] = d.b[r + 1], d.limit[r + 1], d.y[r + 1]
        d.span[r, 0], d.span[r, 1] = d.span[r + 1, 0], d.span[r + 1, 1]
        for q in range(d.span[r, 0], d.span[r, 1]):
            d.D[r, q] = d.D[r + 1, q]
        for q in range(6):
            d.C[r, q], d.P[r, q] = d.C[r + 1, q], d.P[r + 1, q]
        for q in range(12):
            d.CQ[q, r] = d.CQ[q, r + 1]
        for q in range(i):
            d.S[r, q] = d.S[r + 1, q]
        for q in range(i, r + 1):
            d.S[r, q] = d.S[r + 1, q + 1]
