"""Compiled assembly of one OSQP problem, and conversion of OSQP's result to the solution.

    min 1/2 x'Px + g'x   s.t.  l <= A x <= u,   x = (vdot, wrench / force_scale)

Momentum tasks are written as costs on the wrenches, because the momentum rate is the sum of the wrenches and
gravity. This keeps P almost diagonal: 150 entries instead of 640 for a humanoid in double support.
"""

from __future__ import annotations

from typing import NamedTuple

from kilohertz.controller.problem.tables import MOMENTUM, MOTION, Contacts, Limits, Rows, Solution, Tasks
from kilohertz.controller.qp.momentum_map import momentum_column
from kilohertz.controller.qp.residuals import torque_and_residuals
from kilohertz.controller.qp.wrench_rows import scaled_wrench_row
from kilohertz.robots.compile.kernels import inner_kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import FZ, NV_BASE, Floats, Ints, Kin

N, M_ROWS, N_FORCE, WITH_LIMITS, ROW_TAU, ROW_VDOT = range(6)
"""Entries of `OsqpArrays.size`."""

ACTIVE = 1e-9
"""A row is at its bound if the multiplier of the unscaled row is larger than this: on the other rows OSQP
leaves multipliers of 1e-20."""


class OsqpArrays(NamedTuple):
    """Arrays of one problem: a set of closed contacts and enabled tasks, with or without limit rows."""

    size: Ints
    """(6,) N: number of unknowns n. M_ROWS: number of rows m. N_FORCE: number of wrench unknowns.
    WITH_LIMITS: 1 if the problem has limit rows. ROW_TAU and ROW_VDOT: first row of the torque limits and of
    the barriers."""
    force_scale: Floats
    """(1,) newtons (or newton metres) per unit of a wrench unknown."""
    offset: Ints
    """(C,) first wrench column of each contact, counted after vdot; -1 if it is not in this problem."""
    row_motion: Ints
    """(C,) first motion row of each contact."""
    row_cone: Ints
    """(C,) first cone row of each contact."""
    position_P: Ints
    """(n, n) index in px of each upper-triangular entry of P; -1 if P has no such entry."""
    position_A: Ints
    """(m, n) index in ax of each entry of A; -1 if A has no such entry."""
    px: Floats
    """Nonzero entries of the upper triangle of P."""
    ax: Floats
    """Nonzero entries of A."""
    g: Floats
    """(n,) linear part of the cost."""
    l: Floats  # noqa: E741
    """(m,) lower bound of each scaled row."""
    u: Floats
    """(m,) upper bound of each scaled row."""
    row_scale: Floats
    """(m,) scale of each row, larger for active rows."""
    active: Ints
    """(m,) 1 if the row was active in the last solution, else 0."""
    G: Floats
    """(6, n_force) map from the wrenches [N, Nm] to the momentum rate."""
    work: Floats
    """(n,) scratch."""


@inner_kernel
def add_motion_rows(k: Kin, tasks: Tasks, rows: Rows, first: int, count: int, problem: OsqpArrays) -> None:
    """Adds the cost sum w |T vdot - b|^2 / 2 of the rows of one task to P and g."""
    i = rows.task[first]
    columns = tasks.columns[i]
    px, g, position = problem.px, problem.g, problem.position_P
    for a in range(tasks.n_columns[i]):
        j = columns[a]
        total = 0.0
        for r in range(first, first + count):
            total += rows.w[r] * rows.b[r] * rows.T[r, j]
        g[j] -= total
        for b in range(a + 1):
            i2 = columns[b]
            total = 0.0
            for r in range(first, first + count):
                total += rows.w[r] * rows.T[r, i2] * rows.T[r, j]
            px[position[i2, j]] += total


@inner_kernel
def add_force_row(
    w: float, t: Floats, b: float, nv: int, nf: int, px: Floats, g: Floats, position_P: Ints
) -> None:
    """Adds the cost w (t f - b)^2 / 2 to P and g, with f the scaled wrench unknowns."""
    for j in range(nf):
        a = w * t[j]
        if a != 0.0:
            g[nv + j] -= a * b
            for i in range(j + 1):
                px[position_P[nv + i, nv + j]] += a * t[i]


@inner_kernel
def add_momentum_row(
    k: Kin, rows: Rows, r: int, nv: int, nf: int, force_scale: float, problem: OsqpArrays
) -> None:
    """Adds the cost w (T (G wrench + m g) - b)^2 / 2 of row r to P and g."""
    w, T, G, px, g, t = rows.w[r], rows.T[r], problem.G, problem.px, problem.g, problem.work
    b = rows.b[r] + T[FZ] * GRAVITY_M_S2 * k.mass[0]
    for j in range(nf):
        total = 0.0
        for q in range(6):
            total += T[q] * G[q, j]
        t[j] = total * force_scale
    add_force_row(w, t, b, nv, nf, px, g, problem.position_P)


@inner_kernel
def scatter_contacts(k: Kin, rows: Rows, contacts: Contacts, problem: OsqpArrays) -> None:
    """Writes the parts of the contacts: wrench columns, motion rows and cone rows."""
    nv, nb = len(k.v), k.size[NV_BASE]
    px, ax, g, lower, upper = problem.px, problem.ax, problem.g, problem.l, problem.u
    pos_P, pos_A, scale = problem.position_P, problem.position_A, problem.row_scale
    fs = problem.force_scale[0]
    for c in range(len(contacts.offset)):
        o = problem.offset[c]
        if o < 0:
            continue
        f = contacts.frame[c]
        row = problem.row_motion[c]
        for t in range(contacts.dim[c]):
            s = contacts.select[c, t]
            column = nv + o + t
            px[pos_P[column, column]] = rows.wrench_d[c, t] * fs * fs
            g[column] = -rows.wrench_dx[c, t] * fs
            for r in range(nb):
                ax[pos_A[r, column]] = -k.J[f, s, r] * fs * scale[r]
            if nb == 6:
                momentum_column(k, f, s, problem.work)
                for r in range(6):
                    problem.G[r, o + t] = problem.work[r]
            for n in range(k.n_columns[f]):
                j = k.columns[f, n]
                ax[pos_A[row + t, j]] = k.J[f, s, j] * scale[row + t]
            a = -contacts.damping_per_s[c] * k.vel[f, s] - k.drift[f, s]
            lower[row + t] = upper[row + t] = a * scale[row + t]
            if contacts.implied[c, t] == 1:
                lower[row + t], upper[row + t] = -1e10, 1e10
        row = problem.row_cone[c]
        for r in range(contacts.n_rows[c]):
            sc = scale[row + r]
            for t in range(contacts.dim[c]):
                p = pos_A[row + r, nv + o + t]
                if p >= 0:
                    ax[p] = contacts.cone[c, r, t] * fs * sc
            lower[row + r] = contacts.lower[c, r] * sc
            upper[row + r] = contacts.upper[c, r] * sc


@inner_kernel
def scatter_costs(k: Kin, tasks: Tasks, rows: Rows, m: int, contacts: Contacts, problem: OsqpArrays) -> None:
    """Adds the costs of the first m task rows to P and g."""
    nv, nf, fs = len(k.v), problem.size[N_FORCE], problem.force_scale[0]
    r = 0
    while r < m:
        if rows.space[r] == MOTION:
            count = 1
            while r + count < m and rows.task[r + count] == rows.task[r]:
                count += 1
            add_motion_rows(k, tasks, rows, r, count, problem)
            r += count
        elif rows.space[r] == MOMENTUM:
            add_momentum_row(k, rows, r, nv, nf, fs, problem)
            r += 1
        else:
            scaled_wrench_row(rows.T[r], contacts, problem.offset, fs, problem.work)
            add_force_row(
                rows.w[r], problem.work, rows.b[r], nv, nf, problem.px, problem.g, problem.position_P
            )
            r += 1


@inner_kernel
def scatter_limits(k: Kin, contacts: Contacts, limits: Limits, problem: OsqpArrays) -> None:
    """Writes the rows of the torque limits and of the acceleration barriers."""
    nv, nb = len(k.v), k.size[NV_BASE]
    na = nv - nb
    ax, lower, upper = problem.ax, problem.l, problem.u
    pos_A, scale, fs = problem.position_A, problem.row_scale, problem.force_scale[0]
    row = problem.size[ROW_TAU]
    for j in range(na):
        sc = scale[row + j]
        for i in range(nv):
            ax[pos_A[row + j, i]] = k.M[nb + j, i] * sc
        for c in range(len(contacts.offset)):
            o = problem.offset[c]
            if o < 0:
                continue
            for t in range(contacts.dim[c]):
                ax[pos_A[row + j, nv + o + t]] = (
                    -k.J[contacts.frame[c], contacts.select[c, t], nb + j] * fs * sc
                )
        lower[row + j] = (-limits.tau[j] - k.h[nb + j]) * sc
        upper[row + j] = (limits.tau[j] - k.h[nb + j]) * sc
    row = problem.size[ROW_VDOT]
    for j in range(na):
        sc = scale[row + j]
        ax[pos_A[row + j, nb + j]] = sc
        lower[row + j] = limits.vdot_lower[j] * sc
        upper[row + j] = limits.vdot_upper[j] * sc


@inner_kernel
def scatter(
    k: Kin, tasks: Tasks, rows: Rows, m: int, contacts: Contacts, limits: Limits, problem: OsqpArrays
) -> None:
    """Writes this tick's P, g, A, l, u from the rows of the tasks, the contacts and the limits."""
    nv = len(k.v)
    nb = k.size[NV_BASE]
    na = nv - nb
    px, ax, g, lower, upper = problem.px, problem.ax, problem.g, problem.l, problem.u
    pos_P, pos_A, scale = problem.position_P, problem.position_A, problem.row_scale
    for i in range(len(px)):
        px[i] = 0.0
    for r in range(nb):
        px[pos_P[r, r]] = 1e-8
        g[r] = 0.0
        for j in range(nv):
            ax[pos_A[r, j]] = k.M[r, j] * scale[r]
        lower[r] = upper[r] = -k.h[r] * scale[r]
    for j in range(na):
        px[pos_P[nb + j, nb + j]] = rows.d[j]
        g[nb + j] = -rows.dx[j]
    scatter_contacts(k, rows, contacts, problem)
    scatter_costs(k, tasks, rows, m, contacts, problem)
    if problem.size[WITH_LIMITS] == 1:
        scatter_limits(k, contacts, limits, problem)


@inner_kernel
def read_multiplier(problem: OsqpArrays, row: int, y: Floats) -> float:
    """Returns the multiplier of a row in the units of the unscaled row."""
    return float(y[row] * problem.row_scale[row])


@inner_kernel
def finish(
    k: Kin, contacts: Contacts, limits: Limits, solution: Solution, problem: OsqpArrays, x: Floats, y: Floats
) -> int:
    """Writes OSQP's unscaled result into the solution, and its residuals.

    Returns:
        1 if the set of active rows has changed, so that the rows need a new scaling, else 0.
    """
    nv = len(k.v)
    nb = k.size[NV_BASE]
    na = nv - nb
    fs = problem.force_scale[0]
    for i in range(nv):
        solution.vdot[i] = x[i]
    for r in range(nb):
        solution.y_base[r] = read_multiplier(problem, r, y)
    for c in range(len(contacts.offset)):
        o = problem.offset[c]
        for t in range(6):
            solution.wrench[c, t] = x[nv + o + t] * fs if o >= 0 and t < contacts.dim[c] else 0.0
        if o < 0:
            continue
        for t in range(contacts.dim[c]):
            solution.y_motion[c, t] = read_multiplier(problem, problem.row_motion[c] + t, y)
        for r in range(contacts.n_rows[c]):
            solution.y_cone[c, r] = read_multiplier(problem, problem.row_cone[c] + r, y)
    for j in range(na):
        if problem.size[WITH_LIMITS] == 1:
            solution.y_tau[j] = read_multiplier(problem, problem.size[ROW_TAU] + j, y)
            solution.y_vdot[j] = read_multiplier(problem, problem.size[ROW_VDOT] + j, y)
        else:
            solution.y_tau[j] = 0.0
            solution.y_vdot[j] = 0.0
    solution.y_inequality[:] = 0.0
    torque_and_residuals(k, contacts, limits, solution)
    changed = 0
    first = problem.size[M_ROWS]
    for c in range(len(contacts.offset)):
        if problem.offset[c] >= 0:
            first = min(first, problem.row_cone[c])
    if problem.size[WITH_LIMITS] == 1:
        first = min(first, problem.size[ROW_TAU])
    for r in range(first, problem.size[M_ROWS]):
        a = 1 if abs(read_multiplier(problem, r, y)) > ACTIVE else 0
        if a != problem.active[r]:
            problem.active[r] = a
            changed = 1
    return changed
