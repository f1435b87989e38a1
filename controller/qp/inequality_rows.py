"""Compiled inequalities that a user declared: rows of task kinds, bounded on one side.

They are written with the tasks' rows, after those that cost. The dual solver keeps them at hand as a'z >= b,
and takes them in when they are missed, like every other limit.
"""

from __future__ import annotations

from controller.qp.dual_rows import INEQUALITIES, UNKNOWNS, DualArrays, momentum_row, motion_row
from controller.qp.exact_assembly import ExactArrays, task_row
from controller.qp.kinematics import dot
from controller.qp.momentum_map import momentum_column
from controller.qp.tables import (
    COST_ROWS,
    GRAVITY_M_S2,
    INEQUALITY_ROWS,
    MOMENTUM,
    MOTION,
    RES_INEQUALITY,
    Contacts,
    Floats,
    Kin,
    Rows,
    Solution,
    Tasks,
)
from controller.qp.wrench_rows import wrench_row, wrench_row_value
from robots.compiled import inner_kernel

_NO_BOUND = 1e30


@inner_kernel
def write_inequalities(
    k: Kin, tasks: Tasks, rows: Rows, contacts: Contacts, e: ExactArrays, d: DualArrays
) -> None:
    """Writes this tick's inequalities as rows a'z >= b of the dual solver."""
    nb = k.n_base[0]
    na = len(k.v) - nb
    n = d.size[UNKNOWNS]
    i = 0
    for r in range(rows.size[COST_ROWS], rows.size[COST_ROWS] + rows.size[INEQUALITY_ROWS]):
        if rows.w[r] == 0.0:
            continue
        D, span, C = d.given_D[i], d.given_span[i], d.given_C[i]
        task = rows.task[r]
        if rows.space[r] == MOTION:
            constant = motion_row(
                rows.T[r], tasks.columns[task], tasks.n_columns[task], nb, n, e.x0, e.sigma, e.K, D, span, C
            )
        elif rows.space[r] == MOMENTUM:
            constant = momentum_row(rows.T[r], na, n, e.G, D, span, C)
        else:
            span[0], span[1] = na, n
            for q in range(6):
                C[q] = 0.0
            constant = wrench_row(
                rows.T[r], contacts.offset, contacts.dim, contacts.select, e.x0[na:], e.sigma[na:], D[na:]
            )
        side = -1.0 if rows.w[r] > 0.0 else 1.0
        for j in range(span[0], span[1]):
            D[j] *= side
        for q in range(6):
            C[q] *= side
        d.given_b[i] = side * (rows.b[r] - constant)
        d.slot[i] = rows.slot[r]
        i += 1
    d.size[INEQUALITIES] = i


@inner_kernel
def most_missed(
    vdot: Floats, K: Floats, nb: int, first: int, limit: int, worst: float, d: DualArrays
) -> tuple[int, float]:
    """The inequality, counted from `first`, that is missed by more than `worst`, else `limit`; how far."""
    n = d.size[UNKNOWNS]
    for i in range(d.size[INEQUALITIES]):
        missed = d.given_b[i]
        for j in range(d.given_span[i, 0], d.given_span[i, 1]):
            missed -= d.given_D[i, j] * d.z[j]
        for r in range(nb):
            missed -= d.given_C[i, r] * (vdot[r] - K[r, n])
        if missed > worst:
            worst, limit = missed, -(1 + first + i)
    return limit, worst


@inner_kernel
def reduced_inequalities(k: Kin, rows: Rows, contacts: Contacts, e: ExactArrays) -> None:
    """Appends this tick's inequalities to the rows of the reduced problem."""
    nb = k.n_base[0]
    na = len(k.v) - nb
    n, row = e.size[0], e.size[1]
    for r in range(rows.size[COST_ROWS], rows.size[COST_ROWS] + rows.size[INEQUALITY_ROWS]):
        if rows.w[r] == 0.0:
            continue
        bound = rows.b[r] - task_row(rows.space[r], rows.T[r], contacts, e, n, na, nb)
        for j in range(n):
            e.C[row * n + j] = e.row[j]
        at_most = rows.w[r] > 0.0
        e.lower[na + row] = -_NO_BOUND if at_most else bound
        e.upper[na + row] = bound if at_most else _NO_BOUND
        row += 1
    e.size[1] = row


@inner_kernel
def inequality_residual(k: Kin, rows: Rows, contacts: Contacts, solution: Solution, column: Floats) -> None:
    """Writes by how much the solution misses the inequalities, each in its own unit: the most."""
    linear, angular = k.s[0], k.s[1]
    for r in range(3):
        linear[r] = angular[r] = 0.0
    linear[2] = -GRAVITY_M_S2 * k.mass[0]
    for c in range(len(contacts.offset)):
        if contacts.offset[c] >= 0:
            for t in range(contacts.dim[c]):
                momentum_column(k, contacts.frame[c], contacts.select[c, t], column)
                for r in range(3):
                    linear[r] += column[r] * solution.wrench[c, t]
                    angular[r] += column[3 + r] * solution.wrench[c, t]
    worst = 0.0
    for r in range(rows.size[COST_ROWS], rows.size[COST_ROWS] + rows.size[INEQUALITY_ROWS]):
        if rows.w[r] == 0.0:
            continue
        if rows.space[r] == MOTION:
            value = dot(rows.T[r], solution.vdot, len(k.v))
        elif rows.space[r] == MOMENTUM:
            value = dot(rows.T[r], linear, 3) + dot(rows.T[r, 3:6], angular, 3)
        else:
            value = wrench_row_value(rows.T[r], contacts, solution.wrench)
        worst = max(worst, value - rows.b[r] if rows.w[r] > 0.0 else rows.b[r] - value)
    solution.residual[RES_INEQUALITY] = worst
