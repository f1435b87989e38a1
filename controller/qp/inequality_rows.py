"""Compiled residual of the declared inequalities: rows of task kinds that are bounded on one side.

The inequality rows are written together with the rows of the tasks, after the cost rows. This module computes
their residual for the solution of any solver. The rows for the dual solver are in
`kilohertz.controller.qp.dual_rows`.
"""

from __future__ import annotations

from kilohertz.controller.problem.tables import (
    COST_ROWS,
    INEQUALITY_ROWS,
    MOMENTUM,
    MOTION,
    RES_INEQUALITY,
    Contacts,
    Rows,
    Solution,
)
from kilohertz.controller.qp.momentum_map import momentum_column
from kilohertz.controller.qp.whole_body_kinematics import dot
from kilohertz.controller.qp.wrench_rows import wrench_row_value
from kilohertz.robots.compile.kernels import inner_kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import FZ, MOMENT, Floats, Kin


@inner_kernel
def inequality_residual(k: Kin, rows: Rows, contacts: Contacts, solution: Solution, column: Floats) -> None:
    """Writes the largest violation of the inequalities by the solution, each in its own unit.

    `column` is scratch (6,).
    """
    linear, angular = k.s[0], k.s[1]
    for r in range(3):
        linear[r] = angular[r] = 0.0
    linear[FZ] = -GRAVITY_M_S2 * k.mass[0]
    for c in range(len(contacts.offset)):
        if contacts.offset[c] >= 0:
            for t in range(contacts.dim[c]):
                momentum_column(k, contacts.frame[c], contacts.select[c, t], column)
                for r in range(3):
                    linear[r] += column[r] * solution.wrench[c, t]
                    angular[r] += column[MOMENT + r] * solution.wrench[c, t]
    worst = 0.0
    for r in range(rows.size[COST_ROWS], rows.size[COST_ROWS] + rows.size[INEQUALITY_ROWS]):
        if rows.w[r] == 0.0:
            continue
        if rows.space[r] == MOTION:
            value = dot(rows.T[r], solution.vdot, len(k.v))
        elif rows.space[r] == MOMENTUM:
            value = dot(rows.T[r], linear, 3) + dot(rows.T[r, MOMENT:6], angular, 3)
        else:
            value = wrench_row_value(rows.T[r], contacts, solution.wrench)
        worst = max(worst, value - rows.b[r] if rows.w[r] > 0.0 else rows.b[r] - value)
    solution.residual[RES_INEQUALITY] = worst
