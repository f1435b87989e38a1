"""Finds rows that contradict each other, by rank, without regard to the tasks, compiled.

The point nearest to z = 0 that satisfies the rows is looked for with the steps of `softening`, first for the
rows of rank SAFETY, then for all rows. A row that cannot be satisfied together with the rows in use is a
combination of them, which names the contradiction. The costs of the tasks are left out because they make the
factor up to 1e5 times worse conditioned, and the combination as much less accurate.
"""

from __future__ import annotations

from kilohertz.controller.problem.ranks import COMFORT
from kilohertz.controller.problem.tables import Contacts, Limits, Solution
from kilohertz.controller.qp.dual_factor import factor_row, solve_gram
from kilohertz.controller.qp.dual_rows import (
    COSTS,
    FIXED,
    IN_USE,
    INEQUALITIES,
    SLOT,
    STEPS,
    DualArrays,
    contact_motion_rows,
)
from kilohertz.controller.qp.dual_solver import NO_SOLUTION, SOLVED
from kilohertz.controller.qp.exact_assembly import ExactArrays
from kilohertz.controller.qp.giving_rows import (
    COUNTED,
    FOUGHT,
    HELD,
    LEVEL,
    GivingArrays,
    number_motion,
    record_contradiction,
    shift_right_sides,
)
from kilohertz.controller.qp.softening import add_row, enter, most_violated_free, write_solution
from kilohertz.robots.compile.kernels import inner_kernel
from kilohertz.robots.model.kin import NV_BASE, Kin

_VIOLATION = 1e-6
"""A row that is violated by less counts as satisfied [unit of the row]."""


@inner_kernel
def leave_out_comfort(d: DualArrays, g: GivingArrays, value: int) -> None:
    """Marks all limits of rank COMFORT as taken (1), so that they are not looked at, or as free (0)."""
    counted = g.size[COUNTED]
    for index in range(counted):
        if g.rank[index] == COMFORT:
            g.taken[2 * index] = g.taken[2 * index + 1] = value
    for i in range(d.size[INEQUALITIES]):
        if g.rank[counted + d.given_span[i, SLOT]] == COMFORT:
            g.taken[2 * (counted + i)] = value


@inner_kernel
def satisfy(
    k: Kin,
    contacts: Contacts,
    limits: Limits,
    solution: Solution,
    e: ExactArrays,
    d: DualArrays,
    g: GivingArrays,
) -> int:
    """Adds violated limits until none is left or one contradicts the rows in use; that one is recorded.

    Returns:
        SOLVED if no limit is violated; NO_SOLUTION after a contradiction; GAVE_UP after too many steps.
    """
    status = SOLVED
    while status == SOLVED:
        shift_right_sides(e.K, k.size[NV_BASE], d.size[IN_USE], d, g)
        solve_gram(d.F, d.size[IN_USE], g.rhs, d.y)
        write_solution(k, contacts, limits, solution, e, d, g)
        missed, limit = most_violated_free(k, contacts, limits, solution, e.K, _VIOLATION, d, g)
        if limit == 0 or d.size[IN_USE] >= len(d.b) - 1:
            return SOLVED
        add_row(k, contacts, limits, e, d, g, limit, -1)
        status = enter(missed, d, g)
        if status == NO_SOLUTION:
            record_contradiction(d.size[IN_USE], d, g)
    return status


@inner_kernel
def find_contradiction(
    k: Kin,
    contacts: Contacts,
    limits: Limits,
    solution: Solution,
    e: ExactArrays,
    d: DualArrays,
    g: GivingArrays,
) -> None:
    """Writes an irreducible set of rows that contradict each other, if there is any; uses up `solution`."""
    g.size[HELD] = g.size[FOUGHT] = g.size[LEVEL] = 0
    d.size[COSTS] = d.size[STEPS] = 0
    contact_motion_rows(k, contacts, e, d)
    number_motion(contacts, d, g)
    for i in range(d.size[FIXED]):
        factor_row(d.S, d.F, i)
    leave_out_comfort(d, g, 1)
    status = satisfy(k, contacts, limits, solution, e, d, g)
    leave_out_comfort(d, g, 0)
    if status == SOLVED:
        satisfy(k, contacts, limits, solution, e, d, g)
