"""Starts of `softening.soften`: the rows in use where the dual solver stopped, or those of the last tick."""

from __future__ import annotations

from kilohertz.controller.problem.ranks import SAFETY
from kilohertz.controller.problem.tables import (
    COST_ROWS,
    Contacts,
    Limits,
    Rows,
    Solution,
    Tasks,
)
from kilohertz.controller.qp.dual_factor import drop_row, factor_row
from kilohertz.controller.qp.dual_rows import (
    COSTS,
    FIXED,
    IN_USE,
    INEQUALITIES,
    SLOT,
    STEPS,
    DualArrays,
    fixed_rows,
    limit_row,
)
from kilohertz.controller.qp.dual_solver import IN_FORCE, last_multiplier
from kilohertz.controller.qp.exact_assembly import ExactArrays
from kilohertz.controller.qp.giving_rows import (
    COUNTED,
    FIRST_MOTION,
    HELD,
    LEVEL,
    GivingArrays,
    hold,
    largest,
    number_motion,
)
from kilohertz.robots.compile.kernels import inner_kernel
from kilohertz.robots.model.kin import Kin

_AT_WEIGHT = 1.0 - 1e-9
"""A row was held in the last tick if its multiplier, relative to its weight, was larger than this."""


@inner_kernel
def start_at_contradiction(contacts: Contacts, d: DualArrays, g: GivingArrays) -> None:
    """Starts with the rows that the dual solver had in use when it met a contradiction."""
    g.size[HELD] = 0
    g.size[LEVEL] = SAFETY
    number_motion(contacts, d, g)


@inner_kernel
def start_anew(contacts: Contacts, d: DualArrays, g: GivingArrays) -> None:
    """Starts with the fixed rows, which the dual solver has written, alone."""
    g.size[HELD] = d.size[STEPS] = 0
    g.size[LEVEL] = SAFETY
    number_motion(contacts, d, g)
    d.size[IN_USE] = d.size[FIXED]
    for i in range(d.size[FIXED]):
        factor_row(d.S, d.F, i)


@inner_kernel
def hold_motion(solution: Solution, d: DualArrays, g: GivingArrays) -> None:
    """Holds the contact motion rows that were held in the last tick."""
    for i in range(d.size[FIXED] - 1, d.size[COSTS] - 1, -1):
        index = abs(d.limit[i]) - 1 - g.size[FIRST_MOTION]
        y = -solution.y_motion[index // 6, index % 6]
        most = largest(d.limit[i], d, g)
        if abs(y) >= most * _AT_WEIGHT and hold(i, most if y > 0.0 else -most, d, g):
            drop_row(d, i, d.size[FIXED])
            d.size[FIXED] -= 1
            d.size[IN_USE] -= 1


@inner_kernel
def recall_row(
    k: Kin,
    contacts: Contacts,
    limits: Limits,
    e: ExactArrays,
    d: DualArrays,
    g: GivingArrays,
    limit: int,
    y: float,
) -> None:
    """Holds a limit that was held in the last tick; adds one that was in use, unless it depends on others."""
    i = d.size[IN_USE]
    if i >= len(d.b) - 1:
        return
    limit_row(k, contacts, limits, e, d, limit, i)
    most = largest(limit, d, g)
    if y >= most * _AT_WEIGHT:
        hold(i, most, d, g)
    elif factor_row(d.S, d.F, i) > 0.0:
        d.size[IN_USE] = i + 1


@inner_kernel
def start_from_last_tick(
    k: Kin,
    tasks: Tasks,
    rows: Rows,
    contacts: Contacts,
    limits: Limits,
    solution: Solution,
    e: ExactArrays,
    d: DualArrays,
    g: GivingArrays,
) -> None:
    """Writes the rows of this tick, and starts with those in use and held in the last one; LEVEL stays."""
    fixed_rows(k, tasks, rows, rows.size[COST_ROWS], contacts, e, d)
    g.size[HELD] = d.size[STEPS] = 0
    number_motion(contacts, d, g)
    hold_motion(solution, d, g)
    for i in range(d.size[FIXED]):
        factor_row(d.S, d.F, i)
    counted = g.size[COUNTED]
    for index in range(counted):
        y = last_multiplier(index, contacts, solution)
        if abs(y) > IN_FORCE:
            limit = index + 1 if y > 0.0 else -(index + 1)
            recall_row(k, contacts, limits, e, d, g, limit, abs(y))
    for i in range(d.size[INEQUALITIES]):
        slot = d.given_span[i, SLOT]
        y = solution.y_inequality[slot // 6, slot % 6]
        if y > IN_FORCE:
            recall_row(k, contacts, limits, e, d, g, -(1 + counted + i), y)
