"""Compiled reduction of the problem to a small dense one, for the exact solvers.

The base acceleration is eliminated with the floating-base rows (M_bb is always positive definite). The joint
accelerations and wrenches are whitened by their diagonal: z = D^1/2 (x - x0) with x = (vdot_joints,
wrenches). The reduced problem is

    min 1/2 z'Hz + f'z,   H = I + sum w_i a_i a_i'      s.t.  contact motion rows, wrench cones, limits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.controller.problem.tables import MOTION, WRENCH, Contacts, Limits, Rows, Solution
from kilohertz.controller.qp.momentum_map import momentum_column
from kilohertz.controller.qp.residuals import torque_and_residuals
from kilohertz.controller.qp.whole_body_kinematics import dot
from kilohertz.controller.qp.wrench_rows import wrench_row
from kilohertz.robots.compile.kernels import inner_kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import FZ, NV_BASE, Floats, Ints, Kin

N, N_ROWS, N_MOTION, N_CONE, SOFTENED = range(5)
"""Entries of `ExactArrays.size`."""
SOFT_MOTION_WEIGHT = 1e3
"""Weight of each contact motion row when contact motion is softened to a cost."""


class ExactArrays(NamedTuple):
    """The reduced problem. Memory is for all contacts closed; `size` is the part in use."""

    size: Ints
    """(5,) N: number of unknowns n. N_ROWS: constraint rows (motion, cone, torque, inequalities). N_MOTION
    and N_CONE: motion rows and cone rows. SOFTENED: 1 if contact motion is a heavy cost instead of a
    constraint."""
    H: Floats
    """(n * n,) Hessian, row by row with stride N."""
    f: Floats
    """(n,) linear part of the cost."""
    C: Floats
    """(rows * n,) constraint rows, row by row with stride N."""
    lower: Floats
    """(na + rows,) lower bounds on the first na unknowns (acceleration barriers), then on the rows."""
    upper: Floats
    """(na + rows,) upper bounds, in the same order."""
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
    row: Floats
    """(n,) scratch row."""
    work: Floats
    """(6,) scratch."""


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


@inner_kernel
def motion_row(T: Floats, nb: int, na: int, n: int, e: ExactArrays, out: Floats) -> float:
    """Converts row T on vdot to a row on z in out; returns the constant part T vdot(z = 0)."""
    constant = 0.0
    for j in range(na):
        constant += T[nb + j] * e.x0[j]
        out[j] = T[nb + j] * e.sigma[j]
    for j in range(na, n):
        out[j] = 0.0
    for r in range(nb):
        a = T[r]
        if a != 0.0:
            for j in range(n):
                out[j] += a * e.K[r, j]
            constant += a * e.K[r, n]
    return constant


@inner_kernel
def task_row(space: int, T: Floats, contacts: Contacts, e: ExactArrays, n: int, na: int, nb: int) -> float:
    """Converts the row T of a task to a row on z in `e.row`; returns the constant part."""
    if space == MOTION:
        return motion_row(T, nb, na, n, e, e.row)
    for j in range(n):
        e.row[j] = 0.0
    if space == WRENCH:
        return wrench_row(
            T, contacts.offset, contacts.dim, contacts.select, e.x0[na:], e.sigma[na:], e.row[na:]
        )
    constant = 0.0
    for q in range(6):
        a = T[q]
        if a != 0.0:
            for j in range(na, n):
                e.row[j] += a * e.G[q, j]
            constant += a * e.G[q, n]
    return constant


@inner_kernel
def add_cost(e: ExactArrays, n: int, w: float, b: float) -> None:
    """Adds the cost w (row z - b)^2 / 2 to H (lower triangle) and f, with `row` in `e.row`."""
    row = e.row
    for i in range(n):
        a = w * row[i]
        if a != 0.0:
            e.f[i] -= a * b
            for j in range(i + 1):
                e.H[i * n + j] += a * row[j]


@inner_kernel
def contact_rows(k: Kin, contacts: Contacts, e: ExactArrays, n: int, na: int, nb: int) -> int:
    """Writes the motion rows (equalities, or heavy costs if softened), then the cone rows.

    Returns:
        Number of constraint rows written.
    """
    row = 0
    softened = e.size[SOFTENED] == 1
    for c in range(len(contacts.offset)):
        if contacts.offset[c] < 0:
            continue
        f = contacts.frame[c]
        for t in range(contacts.dim[c]):
            if contacts.implied[c, t] == 1:  # the solver accepts no redundant equality
                continue
            s = contacts.select[c, t]
            b = -contacts.damping_per_s[c] * k.vel[f, s] - k.drift[f, s]
            b -= motion_row(k.J[f, s], nb, na, n, e, e.row)
            if softened:
                add_cost(e, n, SOFT_MOTION_WEIGHT, b)
            else:
                for j in range(n):
                    e.C[row * n + j] = e.row[j]
                e.lower[na + row] = e.upper[na + row] = b
                row += 1
    n_motion = row
    for c in range(len(contacts.offset)):
        o = contacts.offset[c]
        if o < 0:
            continue
        for r in range(contacts.n_rows[c]):
            constant = 0.0
            for j in range(n):
                e.C[row * n + j] = 0.0
            for t in range(contacts.dim[c]):
                i = na + o + t
                e.C[row * n + i] = contacts.cone[c, r, t] * e.sigma[i]
                constant += contacts.cone[c, r, t] * e.x0[i]
            e.lower[na + row] = contacts.lower[c, r] - constant
            e.upper[na + row] = contacts.upper[c, r] - constant
            row += 1
    e.size[N_MOTION] = n_motion
    e.size[N_CONE] = row - n_motion
    return row


@inner_kernel
def torque_rows(
    k: Kin, contacts: Contacts, limits: Limits, e: ExactArrays, n: int, na: int, nb: int, row: int
) -> int:
    """Writes the torque rows after the first `row` rows; returns the new number of rows."""
    for j in range(na):
        constant = k.h[nb + j] + motion_row(k.M[nb + j], nb, na, n, e, e.row)
        for c in range(len(contacts.offset)):
            o = contacts.offset[c]
            if o < 0:
                continue
            for t in range(contacts.dim[c]):
                J = k.J[contacts.frame[c], contacts.select[c, t], nb + j]
                i = na + o + t
                e.row[i] -= J * e.sigma[i]
                constant -= J * e.x0[i]
        for i in range(n):
            e.C[row * n + i] = e.row[i]
        e.lower[na + row] = -limits.tau[j] - constant
        e.upper[na + row] = limits.tau[j] - constant
        row += 1
    return row


@inner_kernel
def reduce_problem(k: Kin, rows: Rows, m: int, contacts: Contacts, limits: Limits, e: ExactArrays) -> None:
    """Writes the reduced problem from the first m rows of the tasks, the contacts and the limits."""
    nb = k.size[NV_BASE]
    na = len(k.v) - nb
    n = na
    for c in range(len(contacts.offset)):
        if contacts.offset[c] >= 0:
            n += contacts.dim[c]
    e.size[N] = n
    whiten(k, rows, contacts, e, n)
    for i in range(n):
        e.f[i] = 0.0
        for j in range(n):
            e.H[i * n + j] = 0.0
        e.H[i * n + i] = 1.0
    for r in range(m):
        w = rows.w[r]
        if w == 0.0:
            continue
        b = rows.b[r] - task_row(rows.space[r], rows.T[r], contacts, e, n, na, nb)
        add_cost(e, n, w, b)
    row = contact_rows(k, contacts, e, n, na, nb)
    e.size[N_ROWS] = torque_rows(k, contacts, limits, e, n, na, nb, row)
    for j in range(na):
        e.lower[j] = (limits.vdot_lower[j] - e.x0[j]) / e.sigma[j]
        e.upper[j] = (limits.vdot_upper[j] - e.x0[j]) / e.sigma[j]
    for i in range(n):
        for j in range(i):
            e.H[j * n + i] = e.H[i * n + j]


@inner_kernel
def expand(
    k: Kin, contacts: Contacts, limits: Limits, solution: Solution, e: ExactArrays, z: Floats, y: Floats
) -> None:
    """Writes the solution and its residuals from z and y.

    y are the multipliers of the bounds, then of the rows; those of constraints that were left out are 0.
    """
    nb = k.size[NV_BASE]
    na = len(k.v) - nb
    n = e.size[N]
    for r in range(nb):
        solution.vdot[r] = dot(e.K[r], z, n) + e.K[r, n]
    for j in range(na):
        solution.vdot[nb + j] = e.x0[j] + e.sigma[j] * z[j]
        solution.y_vdot[j] = y[j] / e.sigma[j]
        solution.y_tau[j] = y[na + e.size[N_MOTION] + e.size[N_CONE] + j]
    row = na
    for c in range(len(contacts.offset)):
        o = contacts.offset[c]
        for t in range(6):
            inside = o >= 0 and t < contacts.dim[c]
            solution.wrench[c, t] = e.x0[na + o + t] + e.sigma[na + o + t] * z[na + o + t] if inside else 0.0
            solution.y_motion[c, t] = 0.0
            if inside and e.size[SOFTENED] == 0 and contacts.implied[c, t] == 0:
                solution.y_motion[c, t] = y[row]
                row += 1
    for c in range(len(contacts.offset)):
        if contacts.offset[c] >= 0:
            for r in range(contacts.n_rows[c]):
                solution.y_cone[c, r] = y[row]
                row += 1
    solution.y_inequality[:] = 0.0
    torque_and_residuals(k, contacts, limits, solution)
