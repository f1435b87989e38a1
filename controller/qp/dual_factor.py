"""Cholesky factor of the dual solver's Gram matrix, updated when rows are added or removed."""

from __future__ import annotations

import numpy as np

from kilohertz.controller.qp.dual_rows import START, STOP, DualArrays
from kilohertz.robots.compile.kernels import inner_kernel
from kilohertz.robots.model.kin import Floats

DEPENDENT = 1e-11
"""A row counts as dependent on the rows before it if the squared length of its part outside their span,
relative to its own squared length, is at most this."""


@inner_kernel
def factor_row(S: Floats, F: Floats, i: int) -> float:
    """Adds row i of S to the Cholesky factor F of the rows before it.

    Returns:
        Squared length of the row's part outside the span of the rows before it; 0 if it depends on them. A
        dependent row has no effect: its inverse pivot is 0, so its multiplier is 0.
    """
    row = F[i]
    j = 0
    while (
        j + 3 < i
    ):  # four columns at a time: in 280 short loops, one per column, loop overhead costs as much as the work
        r0, r1, r2, r3 = F[j], F[j + 1], F[j + 2], F[j + 3]
        a0, a1, a2, a3 = S[i, j], S[i, j + 1], S[i, j + 2], S[i, j + 3]
        for q in range(j):
            a = row[q]
            a0 -= a * r0[q]
            a1 -= a * r1[q]
            a2 -= a * r2[q]
            a3 -= a * r3[q]
        a0 *= r0[j]
        a1 = (a1 - a0 * r1[j]) * r1[j + 1]
        a2 = (a2 - a0 * r2[j] - a1 * r2[j + 1]) * r2[j + 2]
        a3 = (a3 - a0 * r3[j] - a1 * r3[j + 1] - a2 * r3[j + 2]) * r3[j + 3]
        row[j], row[j + 1], row[j + 2], row[j + 3] = a0, a1, a2, a3
        j += 4
    while j < i:
        other = F[j]
        a = S[i, j]
        for q in range(j):
            a -= row[q] * other[q]
        row[j] = a * other[j]
        j += 1
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
    """Solves F' x = b for the first m rows, in place: x holds b, then the result."""
    for i in range(m - 1, -1, -1):
        row = F[i]
        x[i] *= row[i]
        a = x[i]
        for q in range(i):
            x[q] -= row[q] * a


@inner_kernel
def solve_gram(F: Floats, m: int, b: Floats, x: Floats) -> None:
    """Solves F F' x = b for the first m rows; b and x may be the same array."""
    for i in range(m):
        row = F[i]
        a = b[i]
        for q in range(i):
            a -= row[q] * x[q]
        x[i] = a * row[i]
    solve_upper(F, m, x)


@inner_kernel
def drop_row(d: DualArrays, i: int, m: int) -> None:
    """Removes row i from the first m rows and from S; the caller then factors rows i to m - 2 again."""
    for r in range(i, m - 1):
        d.b[r], d.soft[r], d.limit[r], d.y[r] = d.b[r + 1], d.soft[r + 1], d.limit[r + 1], d.y[r + 1]
        d.span[r, START], d.span[r, STOP] = d.span[r + 1, START], d.span[r + 1, STOP]
        for q in range(d.span[r, START], d.span[r, STOP]):
            d.D[r, q] = d.D[r + 1, q]
        for q in range(6):
            d.C[r, q], d.P[r, q] = d.C[r + 1, q], d.P[r + 1, q]
        for q in range(12):
            d.CQ[q, r] = d.CQ[q, r + 1]
        for q in range(i):
            d.S[r, q] = d.S[r + 1, q]
        for q in range(i, r + 1):
            d.S[r, q] = d.S[r + 1, q + 1]
