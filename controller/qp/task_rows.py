"""Compiled function that writes the rows of all enabled tasks into `Rows`, one task after the other."""

from __future__ import annotations

from collections.abc import Callable

from kilohertz.controller.problem.tables import (
    COST_ROWS,
    DIM,
    ENABLED,
    FIRST_HARD,
    FRAME,
    HARD,
    INEQUALITY_ROWS,
    JOINT_DIAGONAL,
    KIND,
    MOMENTUM,
    MOTION,
    REF,
    SPACE,
    WRENCH,
    WRENCH_DIAGONAL,
    Rows,
    Tasks,
)
from kilohertz.robots.compile.kernels import inner_kernel
from kilohertz.robots.model.kin import N_CONTACTS, NV_BASE, Kin

_LEAST_JOINT, _LEAST_WRENCH = 1e-8, 1e-12
"""Smallest weight of a joint acceleration and of a wrench component, so that no unknown has weight 0."""


@inner_kernel
def clear_diagonals(rows: Rows, na: int) -> None:
    """Sets both diagonals to their values without any task."""
    for j in range(na):
        rows.d[j] = _LEAST_JOINT
        rows.dx[j] = 0.0
    rows.wrench_d[:] = _LEAST_WRENCH
    rows.wrench_dx[:] = 0.0


def task_row_writer(fill: Callable[..., None]) -> Callable[[Kin, Tasks, Rows], int]:
    """Returns the compiled function that writes the rows and diagonals of every enabled task.

    A task on a diagonal writes into the last two rows as scratch; the result is added to the diagonal.

    Args:
        fill: compiled (kind, k, f, ref, gain, T, b), calls the `fill` of this kind.

    Returns:
        Function (kinematics, task table, rows) -> number of cost rows; the inequality rows follow them.
    """

    @inner_kernel
    def write_task_rows(k: Kin, tasks: Tasks, rows: Rows) -> int:
        nv = len(k.v)
        na = nv - k.size[NV_BASE]
        m = costs = 0
        n_wrench = 6 * k.size[N_CONTACTS]
        clear_diagonals(rows, na)
        last = len(rows.b) - 1
        for i in range(len(tasks.table)):
            if tasks.table[i, ENABLED] == 0:
                continue
            f, space, dim = tasks.table[i, FRAME], tasks.table[i, SPACE], tasks.table[i, DIM]
            weight = tasks.weight[i]
            if space == MOTION:
                T, b = rows.T[m : m + dim, :nv], rows.b[m : m + dim]
            elif space in (MOMENTUM, WRENCH):
                T, b = rows.T[m : m + dim, : 6 if space == MOMENTUM else n_wrench], rows.b[m : m + dim]
                T[:] = 0.0
            else:
                T, b = rows.T[last : last + 1, :], rows.T[last - 1, :]
            fill(tasks.table[i, KIND], k, f, tasks.ref[tasks.table[i, REF] :], tasks.gain[i], T, b)
            if space == JOINT_DIAGONAL:
                for j in range(na):
                    rows.d[j] += weight[0] * T[0, j]
                    rows.dx[j] += weight[0] * T[0, j] * b[j]
            elif space == WRENCH_DIAGONAL:
                for r in range(6):
                    rows.wrench_d[f, r] += weight[0] * T[0, r]
                    rows.wrench_dx[f, r] += weight[0] * T[0, r] * b[r]
            else:
                hard = tasks.table[i, HARD] == 1
                for r in range(dim):
                    rows.w[m + r] = weight[r]
                    rows.space[m + r] = space
                    rows.task[m + r] = 6 * (i - rows.size[FIRST_HARD]) + r if hard else i
                m += dim
                if not hard:
                    costs = m
        rows.size[COST_ROWS] = costs
        rows.size[INEQUALITY_ROWS] = m - costs
        return costs

    return write_task_rows
