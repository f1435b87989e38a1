"""Solves a tick whose rows contradict each other: rows that may give do so at an exact l1 penalty, compiled.

    min |z|^2 / 2 + sum w (a'z - b)^2 / 2 + sum w_i max(b_i - a_i'z, 0)    s.t. the rows that never give

In the dual the only change is that the multiplier of a row that may give is at most its weight. The method
of `dual_solver` carries on where it met the contradiction: while a row is added, a row whose multiplier
reaches 0 becomes inactive and one whose multiplier reaches its weight is held there. The objective of the
dual grows with each step, so no set of rows occurs twice, and steps are counted.

Rows give by rank: first only rows of rank COMFORT. If the others contradict each other, rows of rank SAFETY
with a finite weight, too.

Source: Goldfarb and Idnani, see `dual_solver`; for multipliers between bounds: Best, "Quadratic Programming
with Computer Programs", CRC Press 2017, section 9.2.
"""

from __future__ import annotations

import numpy as np

from kilohertz.controller.problem.ranks import SAFETY
from kilohertz.controller.problem.tables import (
    MAX_CONE_ROWS,
    RES_CONE,
    Contacts,
    Limits,
    Solution,
)
from kilohertz.controller.qp.dual_factor import factor_row, solve_gram, solve_upper
from kilohertz.controller.qp.dual_rows import (
    COSTS,
    GIVEN_B,
    GIVEN_D,
    IN_USE,
    INEQUALITIES,
    SLOT,
    START,
    STEPS,
    STOP,
    UNKNOWNS,
    DualArrays,
    gram_row,
    limit_row,
    rows_miss,
)
from kilohertz.controller.qp.dual_solver import FAR, GAVE_UP, NO_SOLUTION, SOLVED, write_primal
from kilohertz.controller.qp.exact_assembly import ExactArrays, solve_base
from kilohertz.controller.qp.giving_rows import (
    COUNTED,
    FIRST_MOTION,
    HELD,
    LEVEL,
    NEVER,
    TAKES_PART,
    GivingArrays,
    combine_all,
    hold,
    largest,
    remove_row,
    row_index,
    shift_right_sides,
    smallest,
    take_back,
)
from kilohertz.controller.qp.whole_body_kinematics import dot
from kilohertz.robots.compile.kernels import inner_kernel
from kilohertz.robots.model.kin import NV_BASE, Floats, Kin

_MAX_STEPS = 500
_VIOLATION = 1e-4
"""A row that is violated by less counts as satisfied [unit of the row]; weights of 1e7 cost some digits."""
_INEXACT = 1e-6
"""If a row in use is violated by more, the solution is refined."""
_REFINEMENTS = 3
_DEPENDENT = 1e-8
"""Without costs, a row depends on the rows in use if its squared length outside their span, relative to its
own, is smaller than this."""
_FLAT = 1e-12
"""A multiplier that changes by less does not block a step."""


@inner_kernel
def settle(K: Floats, nb: int, d: DualArrays, g: GivingArrays) -> int:
    """Removes rows whose multiplier is outside its bounds, one at a time; the rest is a valid start."""
    while True:
        m = d.size[IN_USE]
        shift_right_sides(K, nb, m, d, g)
        solve_gram(d.F, m, g.rhs, d.y)
        worst, at, bound = 0.0, -1, 0.0
        for i in range(d.size[COSTS], m):
            most = largest(d.limit[i], d, g)
            least = smallest(d.limit[i], most, g)
            if d.y[i] - most > worst:
                worst, at, bound = d.y[i] - most, i, most
            if least - d.y[i] > worst:
                worst, at, bound = least - d.y[i], i, least
        if at < 0:
            return SOLVED
        if not hold(at, bound, d, g):
            return GAVE_UP
        remove_row(at, m, d)
        d.size[STEPS] += 1


@inner_kernel
def first_block(sign: float, m: int, d: DualArrays, g: GivingArrays) -> tuple[float, int, float]:
    """Finds the first multiplier that reaches a bound while that of row m changes in the direction `sign`.

    Without costs, row m may be a combination of few of the rows in use. The others do not take part in it:
    what the factor's rounding leaves of their coefficients must not end a step.

    Returns:
        Change of the multiplier of row m, the row that blocks (-1 for none), and its bound.
    """
    most = largest(d.limit[m], d, g)
    length, blocking, bound = NEVER, -1, 0.0
    end = most if sign > 0.0 else smallest(d.limit[m], most, g)
    if abs(end) < NEVER:
        length, blocking, bound = max(sign * (end - d.y[m]), 0.0), m, end
    floor = TAKES_PART * TAKES_PART * d.S[m, m] if d.size[COSTS] == 0 else 0.0
    for i in range(d.size[COSTS], m):
        rate = -sign * d.step[i]
        if abs(rate) < _FLAT or rate * rate * d.S[i, i] < floor:
            continue
        most = largest(d.limit[i], d, g)
        end = most if rate > 0.0 else smallest(d.limit[i], most, g)
        if abs(end) < NEVER:
            room = max((end - d.y[i]) / rate, 0.0)
            if room < length:
                length, blocking, bound = room, i, end
    return length, blocking, bound


@inner_kernel
def enter(missed: float, d: DualArrays, g: GivingArrays) -> int:
    """Adds the row after those in use, until it is satisfied or its multiplier has reached a bound.

    The caller then computes all multipliers again from the rows in use.

    Args:
        missed: b - a'z of the row.
        d: rows of the dual solver; the row has its present multiplier in `d.y`.
        g: held rows.

    Returns:
        SOLVED; NO_SOLUTION if the row contradicts the rows in use and none of them may give; GAVE_UP after
        too many steps.
    """
    sign = 1.0 if missed > 0.0 else -1.0
    while d.size[STEPS] < _MAX_STEPS:
        d.size[STEPS] += 1
        m = d.size[IN_USE]
        outside = factor_row(d.S, d.F, m)
        if d.size[COSTS] == 0 and (m >= d.size[UNKNOWNS] or outside < _DEPENDENT * d.S[m, m]):
            outside = 0.0
        for i in range(m):
            d.step[i] = d.F[m, i]
        solve_upper(d.F, m, d.step)
        length, blocking, bound = first_block(sign, m, d, g)
        needed = abs(missed) / outside if outside > 0.0 else NEVER
        farthest = FAR / np.sqrt(d.S[m, m]) if g.size[LEVEL] == SAFETY else 0.1 * NEVER
        if min(length, needed) > farthest:
            return NO_SOLUTION
        if needed <= length:
            d.size[IN_USE] = m + 1
            return SOLVED
        for i in range(m):
            d.y[i] -= sign * length * d.step[i]
        d.y[m] += sign * length
        missed -= sign * length * outside
        if not hold(blocking, bound, d, g):
            return GAVE_UP
        if blocking == m:
            return SOLVED
        remove_row(blocking, m + 1, d)
    return GAVE_UP


@inner_kernel
def mark_taken(d: DualArrays, g: GivingArrays, value: int) -> None:
    """Marks the limits that are in use or held with `value`."""
    for i in range(d.size[COSTS], d.size[IN_USE]):
        index = abs(d.limit[i]) - 1
        if index < g.size[FIRST_MOTION]:
            g.taken[2 * index + (1 if d.limit[i] > 0 else 0)] = value
    for h in range(g.size[HELD]):
        index = abs(g.limit[h]) - 1
        if index < g.size[FIRST_MOTION]:
            g.taken[2 * index + (1 if g.limit[h] > 0 else 0)] = value


@inner_kernel
def worse(
    index: int, value: float, lower: float, upper: float, worst: float, limit: int, g: GivingArrays
) -> tuple[float, int]:
    """Returns the worse of a violation found so far and that of limit `index`, unless the latter is taken.

    While one side of a limit is in use the other cannot be violated, unless the sides contradict each other.
    Where the solution has lost so many digits that it seems to be, the row would pass for a contradiction.
    """
    crossed = upper < lower
    if value - upper > worst and g.taken[2 * index + 1] == 0 and (crossed or g.taken[2 * index] == 0):
        return value - upper, index + 1
    if lower - value > worst and g.taken[2 * index] == 0 and (crossed or g.taken[2 * index + 1] == 0):
        return lower - value, -(index + 1)
    return worst, limit


@inner_kernel
def most_violated_free(
    k: Kin,
    contacts: Contacts,
    limits: Limits,
    solution: Solution,
    K: Floats,
    worst: float,
    d: DualArrays,
    g: GivingArrays,
) -> tuple[float, int]:
    """Returns the largest violation above `worst` of a limit neither in use nor held, and its number or 0."""
    nb = k.size[NV_BASE]
    na, n = len(solution.tau), d.size[UNKNOWNS]
    cones = len(contacts.offset) * MAX_CONE_ROWS
    mark_taken(d, g, 1)
    limit = 0
    for c in range(len(contacts.offset)):
        if contacts.offset[c] < 0:
            continue
        for r in range(contacts.n_rows[c]):
            value = dot(contacts.cone[c, r], solution.wrench[c], contacts.dim[c])
            index = c * MAX_CONE_ROWS + r
            worst, limit = worse(index, value, contacts.lower[c, r], contacts.upper[c, r], worst, limit, g)
    for j in range(na):
        tau, vdot = solution.tau[j], solution.vdot[nb + j]
        worst, limit = worse(cones + j, tau, -limits.tau[j], limits.tau[j], worst, limit, g)
        lower, upper = limits.vdot_lower[j], limits.vdot_upper[j]
        worst, limit = worse(cones + na + j, vdot, lower, upper, worst, limit, g)
    for i in range(d.size[INEQUALITIES]):
        row = d.given[i]
        missed = row[GIVEN_B]
        for q in range(d.given_span[i, START], d.given_span[i, STOP]):
            missed -= row[GIVEN_D + q] * d.z[q]
        for r in range(nb):
            missed -= row[r] * (solution.vdot[r] - K[r, n])
        worst, limit = worse(g.size[COUNTED] + i, -missed, 0.0, NEVER, worst, limit, g)
    mark_taken(d, g, 0)
    return worst, limit


@inner_kernel
def most_overdone_held(
    solution: Solution, K: Floats, nb: int, worst: float, d: DualArrays, g: GivingArrays
) -> tuple[float, int, float]:
    """Finds the held row that is satisfied with the most room: its multiplier must decrease.

    Returns:
        Its room, or `worst` if no row has more; its index, or -1; and its b - a'z.
    """
    n, at, side = d.size[UNKNOWNS], -1, 0.0
    for h in range(g.size[HELD]):
        missed, row, base = g.b[h], g.D[h], g.C[h]
        for q in range(g.span[h, START], g.span[h, STOP]):
            missed -= row[q] * d.z[q]
        for r in range(nb):
            missed -= base[r] * (solution.vdot[r] - K[r, n])
        room = -missed if g.y[h] > 0.0 else missed
        if room > worst:
            worst, at, side = room, h, missed
    return worst, at, side


@inner_kernel
def write_solution(
    k: Kin,
    contacts: Contacts,
    limits: Limits,
    solution: Solution,
    e: ExactArrays,
    d: DualArrays,
    g: GivingArrays,
) -> None:
    """Writes the primal solution that belongs to the multipliers, refined."""
    nb = k.size[NV_BASE]
    combine_all(e.K, nb, d, g)
    write_primal(k, contacts, limits, solution, e, d)
    for _ in range(_REFINEMENTS):
        n, m = d.size[UNKNOWNS], d.size[IN_USE]
        rows_miss(solution.vdot, e.K, nb, n, d)
        off = 0.0
        for i in range(d.size[COSTS], m):
            if d.F[i, i] > 0.0:
                off = max(off, abs(d.step[i]))
        if not off > _INEXACT:
            return
        solve_gram(d.F, m, d.step, d.step)
        for i in range(m):
            d.y[i] += d.step[i]
        combine_all(e.K, nb, d, g)
        write_primal(k, contacts, limits, solution, e, d)


@inner_kernel
def write_multiplier(
    limit: int, y: float, na: int, solution: Solution, d: DualArrays, g: GivingArrays
) -> None:
    """Writes the multiplier of one row into the solution, with the signs of `dual_solver`."""
    index = abs(limit) - 1
    counted, first_motion = g.size[COUNTED], g.size[FIRST_MOTION]
    a = y if limit > 0 else -y
    if index >= first_motion:
        solution.y_motion[(index - first_motion) // 6, (index - first_motion) % 6] = a
    elif index >= counted:
        slot = d.given_span[index - counted, SLOT]
        solution.y_inequality[slot // 6, slot % 6] = y
    elif index >= counted - na:
        solution.y_vdot[index - counted + na] += a
    elif index >= counted - 2 * na:
        solution.y_tau[index - counted + 2 * na] += a
    else:
        solution.y_cone[index // MAX_CONE_ROWS, index % MAX_CONE_ROWS] += a


@inner_kernel
def write_all_multipliers(k: Kin, solution: Solution, e: ExactArrays, d: DualArrays, g: GivingArrays) -> None:
    """Writes the multipliers of the rows in use and of the held rows into the solution."""
    solution.y_motion[:] = 0.0
    solution.y_cone[:] = 0.0
    solution.y_tau[:] = 0.0
    solution.y_vdot[:] = 0.0
    solution.y_inequality[:] = 0.0
    na = len(solution.tau)
    for i in range(d.size[COSTS], d.size[IN_USE]):
        write_multiplier(d.limit[i], d.y[i], na, solution, d, g)
    for h in range(g.size[HELD]):
        write_multiplier(g.limit[h], g.y[h], na, solution, d, g)
    if k.size[NV_BASE] == 6:
        solve_base(e.L, d.pull, 1)
        for r in range(6):
            solution.y_base[r] = d.pull[r, 0]


@inner_kernel
def cone_residual(contacts: Contacts, solution: Solution) -> None:
    """Writes the largest violation of the wrench cones alone, without the bounds on the normal forces."""
    worst = 0.0
    for c in range(len(contacts.offset)):
        if contacts.offset[c] >= 0:
            for r in range(contacts.n_rows[c] - 1):
                value = dot(contacts.cone[c, r], solution.wrench[c], contacts.dim[c])
                worst = max(worst, value - contacts.upper[c, r], contacts.lower[c, r] - value)
    solution.residual[RES_CONE] = worst


@inner_kernel
def add_row(
    k: Kin,
    contacts: Contacts,
    limits: Limits,
    e: ExactArrays,
    d: DualArrays,
    g: GivingArrays,
    limit: int,
    held: int,
) -> None:
    """Writes a limit (if `held` is negative) or a held row after the rows in use, with its products."""
    i = d.size[IN_USE]
    if held < 0:
        limit_row(k, contacts, limits, e, d, limit, i)
        d.y[i] = 0.0
    else:
        take_back(held, i, d, g)
        gram_row(i, k.size[NV_BASE] == 6, e.K, d.KK, d.D, d.span, d.C, d.P, d.CQ, d.S)


@inner_kernel
def relax_rank(d: DualArrays, g: GivingArrays) -> None:
    """Keeps LEVEL for the next tick if a row of rank SAFETY is held; otherwise safety rows stop giving."""
    level = SAFETY
    for h in range(g.size[HELD]):
        if g.rank[row_index(g.limit[h], d, g)] == SAFETY:
            level = SAFETY + 1
    g.size[LEVEL] = level


@inner_kernel
def soften(
    k: Kin,
    contacts: Contacts,
    limits: Limits,
    solution: Solution,
    e: ExactArrays,
    d: DualArrays,
    g: GivingArrays,
) -> int:
    """Solves a tick with rows that may give, and writes the solution.

    The rows in use and the held rows are those from which the solver starts, see `softening_start`.

    Returns:
        SOLVED; another status if rounding, memory or the step limit stops the solver.
    """
    nb = k.size[NV_BASE]
    status = settle(e.K, nb, d, g)
    while status == SOLVED:
        write_solution(k, contacts, limits, solution, e, d, g)
        missed, limit = most_violated_free(k, contacts, limits, solution, e.K, _VIOLATION, d, g)
        room, held, side = most_overdone_held(solution, e.K, nb, missed, d, g)
        if (limit == 0 and held < 0) or not room < NEVER:
            break
        if d.size[IN_USE] >= len(d.b) - 1:
            status = GAVE_UP
            break
        add_row(k, contacts, limits, e, d, g, limit, held)
        status = enter(missed if held < 0 else side, d, g)
        if status == NO_SOLUTION and g.size[LEVEL] == SAFETY:
            g.size[LEVEL] = SAFETY + 1
            status = settle(e.K, nb, d, g)
        elif status == SOLVED:
            shift_right_sides(e.K, nb, d.size[IN_USE], d, g)
            solve_gram(d.F, d.size[IN_USE], g.rhs, d.y)
    write_all_multipliers(k, solution, e, d, g)
    cone_residual(contacts, solution)
    relax_rank(d, g)
    return status
