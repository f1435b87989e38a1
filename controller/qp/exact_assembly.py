"""Compiled reduction of the problem to fewer unknowns, for the exact solver.

The base acceleration is eliminated with the floating-base rows (M_bb is always positive definite). The joint
accelerations and wrenches are whitened by their diagonal: z = D^1/2 (x - x0) with x = (vdot_joints,
wrenches). The cost of the diagonals is then |z|^2 / 2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.controller.problem.tables import Arrays, Contacts, Rows
from kilohertz.controller.qp.momentum_map import momentum_column
from kilohertz.robots.compile.kernels import inner_kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import FZ, NV_BASE, Floats, Kin


class ExactArrays(NamedTuple):
    """The reduced problem. Memory is for all contacts closed; n unknowns are in use."""

    x0: Floats
    """(n,) offset of the whitening: x = x0 + sigma z."""
    sigma: Floats
    """(n,) scale of the whitening: x = x0 + sigma z."""
    K: Floats
    """(6, n + 1) map to the base acceleration, which is K[:, :n] z + K[:, n]."""
    L: Floats
    """(6, 6) Cholesky factor of M_bb; its diagonal is stored inverted."""
    G: Floats
    """(6, n + 1) map to the momentum rate, which is G[:, :n] z + G[:, n]."""
    work: Floats
    """(6,) scratch."""


def exact_arrays(arrays: Arrays) -> ExactArrays:
    """Allocates the memory of the reduced problem, for all contacts closed at once."""
    nv, nb = len(arrays.kin.v), int(arrays.kin.size[NV_BASE])
    n = nv - nb + int(arrays.contacts.dim.sum())
    return ExactArrays(
        x0=np.zeros(n),
        sigma=np.zeros(n),
        K=np.zeros((6, n + 1)),
        L=np.zeros((6, 6)),
        G=np.zeros((6, n + 1)),
        work=np.zeros(6),
    )


@inner_kernel
def factor_base(M: Floats, L: Floats) -> None:
    """Writes the Cholesky factor of the 6 x 6 base block of M into L; its diagonal is stored inverted."""
    for i in range(6):
        for j in range(i + 1):
            a = M[i, j]
            for q in range(j):
                a -= L[i, q] * L[j, q]
            L[i, j] = 1.0 / np.sqrt(a) if i == j else a * L[j, j]


@inner_kernel
def solve_base(L: Floats, K: Floats, n: int) -> None:
    """Replaces the first n columns of K by M_bb^-1 K; L is the factor of M_bb from `factor_base`."""
    for r in range(6):
        for q in range(r):
            for j in range(n):
                K[r, j] -= L[r, q] * K[q, j]
        for j in range(n):
            K[r, j] *= L[r, r]
    for r in range(5, -1, -1):
        for q in range(r + 1, 6):
            for j in range(n):
                K[r, j] -= L[q, r] * K[q, j]
        for j in range(n):
            K[r, j] *= L[r, r]


@inner_kernel
def whiten(k: Kin, rows: Rows, contacts: Contacts, e: ExactArrays, n: int) -> None:
    """Writes x0, sigma, K and G of the reduced problem."""
    nb = k.size[NV_BASE]
    na = len(k.v) - nb
    for j in range(na):
        e.sigma[j] = 1.0 / np.sqrt(rows.d[j])
        e.x0[j] = rows.dx[j] / rows.d[j]
    for c in range(len(contacts.offset)):
        o = contacts.offset[c]
        if o < 0:
            continue
        for t in range(contacts.dim[c]):
            e.sigma[na + o + t] = 1.0 / np.sqrt(rows.wrench_d[c, t])
            e.x0[na + o + t] = rows.wrench_dx[c, t] / rows.wrench_d[c, t]
    if nb == 0:
        return
    for r in range(6):
        a = -k.h[r]
        for j in range(na):
            a -= k.M[r, 6 + j] * e.x0[j]
            e.K[r, j] = -k.M[r, 6 + j] * e.sigma[j]
            e.G[r, j] = 0.0
        e.K[r, n] = a
        e.G[r, n] = 0.0
    e.G[FZ, n] = -GRAVITY_M_S2 * k.mass[0]
    for c in range(len(contacts.offset)):
        o = contacts.offset[c]
        if o < 0:
            continue
        for t in range(contacts.dim[c]):
            s = contacts.select[c, t]
            i = na + o + t
            momentum_column(k, contacts.frame[c], s, e.work)
            for r in range(6):
                J = k.J[contacts.frame[c], s, r]
                e.K[r, i] = J * e.sigma[i]
                e.K[r, n] += J * e.x0[i]
                e.G[r, i] = e.work[r] * e.sigma[i]
                e.G[r, n] += e.work[r] * e.x0[i]
    factor_base(k.M, e.L)
    solve_base(e.L, e.K, n + 1)
