"""Exact dense dual active-set solver of the whole-body problem, compiled.

    min |z|^2 / 2 + sum w (a'z - b)^2 / 2   s.t.  contact motion a'z = b,  limits a'z >= b

Without the limits the problem is one linear system in the dual: with y the multipliers of the rows, z = A'y
and (A A' + 1/w) y = b, 24 unknowns for a humanoid on two feet. Limits are added as in Goldfarb and Idnani,
one at a time, the most violated first, while the multipliers of the active limits stay positive. The solver
is fast for two reasons: the row of a limit is written only when the limit is hit, and the solver starts with
the limits that were active in the last tick, so in most ticks none is added.

Source: Goldfarb and Idnani, "A numerically stable dual method for solving strictly convex quadratic
programs", Mathematical Programming 27, 1983, section 3.
"""

from __future__ import annotations

import numpy as np

from kilohertz.controller.problem.tables import (
    MAX_CONE_ROWS,
    RES_CONE,
    RES_MOTION,
    RES_TAU,
    RES_VDOT,
    Contacts,
    Limits,
    Solution,
)
from kilohertz.controller.qp.dual_factor import drop_row, factor_row, solve_gram, solve_upper
from kilohertz.controller.qp.dual_rows import (
    COSTS,
    FIXED,
    IN_USE,
    INEQUALITIES,
    SLOT,
    STEPS,
    UNKNOWNS,
    DualArrays,
    combine_rows,
    limit_row,
    most_missed,
    rows_miss,
)
from kilohertz.controller.qp.exact_assembly import ExactArrays, solve_base
from kilohertz.controller.qp.residuals import torque_and_residuals
from kilohertz.controller.qp.whole_body_kinematics import dot
from kilohertz.robots.compile.kernels import inner_kernel
from kilohertz.robots.model.kin import NV_BASE, Floats, Kin

SOLVED, NO_SOLUTION, GAVE_UP = range(3)
"""Results of the dual solver."""

_MAX_STEPS = 200
_VIOLATION = 1e-6
"""A limit that is violated by less counts as satisfied [N, Nm, rad/s^2]."""
_ROUNDING = 1e-3
"""If an active limit is violated by less, the cause is rounding; if by more, the solver gives up."""
_INEXACT = 1e-9
"""If contact motion is violated by more [m/s^2], the solution is refined: A A' squares the condition
number."""
_REFINEMENTS = 3
"""Largest number of refinements of one solution."""
_LARGE = 1e300
FAR = 1e10
"""If a row has to be pushed farther (multiplier times length of the row) until it is satisfied or another row
leaves, it counts as contradicting the rows in use. In solvable ticks of wild random states rows are pushed by
up to 1e7."""
IN_FORCE = 1e-6
"""A limit was active in the last tick if its multiplier was larger than this."""


@inner_kernel
def recall(k: Kin, contacts: Contacts, limits: Limits, e: ExactArrays, d: DualArrays, limit: int) -> None:
    """Adds a limit to the active set, unless its row depends on the rows in use."""
    i = d.size[IN_USE]
    if i >= len(d.b) - 1:
        return
    limit_row(k, contacts, limits, e, d, limit, i)
    if factor_row(d.S, d.F, i) > 0.0:
        d.size[IN_USE] = i + 1


@inner_kernel
def last_multiplier(index: int, contacts: Contacts, solution: Solution) -> float:
    """Returns the multiplier of a limit in the last solution; 0 for a contact that is open.

    Args:
        index: number of the limit, as in `limit_row`, less one; without the declared inequalities.
        contacts: contacts of this tick.
        solution: the last solution.
    """
    cones, na = len(contacts.offset) * MAX_CONE_ROWS, len(solution.tau)
    if index < cones:
        c, r = index // MAX_CONE_ROWS, index % MAX_CONE_ROWS
        closed = contacts.offset[c] >= 0 and r < contacts.n_rows[c]
        return float(solution.y_cone[c, r]) if closed else 0.0
    if index < cones + na:
        return float(solution.y_tau[index - cones])
    return float(solution.y_vdot[index - cones - na])


@inner_kernel
def recall_limits(
    k: Kin, contacts: Contacts, limits: Limits, solution: Solution, e: ExactArrays, d: DualArrays
) -> None:
    """Starts with the limits that were active in the last solution, whichever solver computed it.

    Declared inequalities are not recalled, but found again each tick: to look for them here, too, would cost
    0.3 us in every tick.
    """
    for index in range(len(contacts.offset) * MAX_CONE_ROWS + 2 * len(solution.tau)):
        y = last_multiplier(index, contacts, solution)
        if abs(y) > IN_FORCE:
            recall(k, contacts, limits, e, d, index + 1 if y > 0.0 else -(index + 1))


@inner_kernel
def release_wrong_limits(d: DualArrays) -> None:
    """Removes recalled limits with a negative multiplier, one at a time; the rest is a valid starting set."""
    fixed = d.size[FIXED]
    while True:
        m = d.size[IN_USE]
        solve_gram(d.F, m, d.b, d.y)
        worst, at = 0.0, -1
        for i in range(fixed, m):
            if d.y[i] < worst:
                worst, at = d.y[i], i
        if at < 0:
            return
        drop_row(d, at, m)
        for i in range(at, m - 1):
            factor_row(d.S, d.F, i)
        d.size[IN_USE] = m - 1
        d.size[STEPS] += 1


@inner_kernel
def refine(solution: Solution, K: Floats, nb: int, d: DualArrays) -> None:
    """Corrects y and z with one step of iterative refinement on the residuals of the rows."""
    n, m = d.size[UNKNOWNS], d.size[IN_USE]
    rows_miss(solution.vdot, K, nb, n, d)
    solve_gram(d.F, m, d.step, d.step)
    for i in range(m):
        d.y[i] += d.step[i]
    combine_rows(K, nb, d.y, m, n, d)


@inner_kernel
def write_primal(
    k: Kin, contacts: Contacts, limits: Limits, solution: Solution, e: ExactArrays, d: DualArrays
) -> None:
    """Writes the vdot, wrenches and torque that belong to z, and the residual of every block."""
    nb = k.size[NV_BASE]
    na = len(k.v) - nb
    n = d.size[UNKNOWNS]
    z = d.z
    for r in range(nb):
        solution.vdot[r] = dot(e.K[r], z, n) + e.K[r, n]
    for j in range(na):
        solution.vdot[nb + j] = e.x0[j] + e.sigma[j] * z[j]
    for c in range(len(contacts.offset)):
        o = contacts.offset[c]
        for t in range(6):
            solution.wrench[c, t] = 0.0
        if o >= 0:
            for t in range(contacts.dim[c]):
                i = na + o + t
                solution.wrench[c, t] = e.x0[i] + e.sigma[i] * z[i]
    torque_and_residuals(k, contacts, limits, solution)


@inner_kernel
def most_violated(k: Kin, contacts: Contacts, limits: Limits, solution: Solution) -> tuple[int, float]:
    """Returns the most violated limit and its violation; limit 0 if none is violated.

    Limits are numbered as in `limit_row`.
    """
    nb = k.size[NV_BASE]
    residual = solution.residual
    worst, limit = _VIOLATION, 0
    cones = len(contacts.offset) * MAX_CONE_ROWS
    na = len(solution.tau)
    if residual[RES_CONE] > worst:
        for c in range(len(contacts.offset)):
            if contacts.offset[c] < 0:
                continue
            for r in range(contacts.n_rows[c]):
                a = dot(contacts.cone[c, r], solution.wrench[c], contacts.dim[c])
                if a - contacts.upper[c, r] > worst:
                    worst, limit = a - contacts.upper[c, r], 1 + c * MAX_CONE_ROWS + r
                if contacts.lower[c, r] - a > worst:
                    worst, limit = contacts.lower[c, r] - a, -(1 + c * MAX_CONE_ROWS + r)
    if max(residual[RES_TAU], residual[RES_VDOT]) > worst:
        for j in range(na):
            tau, vdot = solution.tau[j], solution.vdot[nb + j]
            if abs(tau) - limits.tau[j] > worst:
                worst = abs(tau) - limits.tau[j]
                limit = 1 + cones + j if tau > 0.0 else -(1 + cones + j)
            if vdot - limits.vdot_upper[j] > worst:
                worst, limit = vdot - limits.vdot_upper[j], 1 + cones + na + j
            if limits.vdot_lower[j] - vdot > worst:
                worst, limit = limits.vdot_lower[j] - vdot, -(1 + cones + na + j)
    return limit, worst


@inner_kernel
def enforce(violation: float, d: DualArrays) -> int:
    """Adds the row after those in use to the active set, and removes limits that block it.

    A limit blocks if its multiplier would become negative.

    Args:
        violation: violation of the added row.
        d: rows of the dual solver.

    Returns:
        SOLVED; NO_SOLUTION if the row contradicts the rows in use; GAVE_UP after too many steps.
    """
    fixed = d.size[FIXED]
    y, step = d.y, d.step
    while d.size[STEPS] < _MAX_STEPS:
        d.size[STEPS] += 1
        m = d.size[IN_USE]
        outside = factor_row(d.S, d.F, m)
        for i in range(m):
            step[i] = d.F[m, i]
        solve_upper(d.F, m, step)
        dual_length, blocking = _LARGE, -1
        for i in range(fixed, m):
            if step[i] > 1e-12 and max(y[i], 0.0) < dual_length * step[i]:
                dual_length, blocking = max(y[i], 0.0) / step[i], i
        primal_length = violation / outside if outside > 0.0 else _LARGE
        if min(primal_length, dual_length) > FAR / np.sqrt(d.S[m, m]):
            return NO_SOLUTION
        if primal_length <= dual_length:
            d.size[IN_USE] = m + 1
            solve_gram(d.F, m + 1, d.b, y)
            return SOLVED
        for i in range(m):
            y[i] -= dual_length * step[i]
        violation -= dual_length * outside
        drop_row(d, blocking, m + 1)
        for i in range(blocking, m - 1):
            factor_row(d.S, d.F, i)
        d.size[IN_USE] = m - 1
    return GAVE_UP


@inner_kernel
def write_multipliers(k: Kin, contacts: Contacts, solution: Solution, e: ExactArrays, d: DualArrays) -> None:
    """Writes the multipliers into the solution; positive if an upper limit or an inequality is active."""
    solution.y_motion[:] = 0.0
    solution.y_cone[:] = 0.0
    solution.y_tau[:] = 0.0
    solution.y_vdot[:] = 0.0
    solution.y_inequality[:] = 0.0
    fixed = d.size[FIXED]
    i = d.size[COSTS]
    for c in range(len(contacts.offset)):
        if contacts.offset[c] >= 0:
            for t in range(contacts.dim[c]):
                if contacts.implied[c, t] == 0:
                    solution.y_motion[c, t] = -d.y[i]
                    i += 1
    cones = len(contacts.offset) * MAX_CONE_ROWS
    na = len(solution.tau)
    for i in range(fixed, d.size[IN_USE]):
        index = abs(d.limit[i]) - 1
        a = d.y[i] if d.limit[i] > 0 else -d.y[i]
        if index < cones:
            solution.y_cone[index // MAX_CONE_ROWS, index % MAX_CONE_ROWS] = a
        elif index < cones + na:
            solution.y_tau[index - cones] = a
        elif index < cones + 2 * na:
            solution.y_vdot[index - cones - na] = a
        else:
            slot = d.given_span[index - cones - 2 * na, SLOT]
            solution.y_inequality[slot // 6, slot % 6] = d.y[i]
    if k.size[NV_BASE] == 6:
        # Stationarity in the base acceleration gives the floating-base multipliers: M_bb y_base = sum y c.
        solve_base(e.L, d.pull, 1)
        for r in range(6):
            solution.y_base[r] = d.pull[r, 0]


@inner_kernel
def solve_dual(
    k: Kin,
    contacts: Contacts,
    limits: Limits,
    solution: Solution,
    e: ExactArrays,
    d: DualArrays,
) -> int:
    """Solves the problem whose fixed rows have been written, and writes the solution.

    Returns:
        SOLVED; NO_SOLUTION if the limits contradict each other; GAVE_UP if rounding, memory or the step limit
        stops the solver.
    """
    nb = k.size[NV_BASE]
    d.size[STEPS] = 0
    for i in range(d.size[FIXED]):
        factor_row(d.S, d.F, i)
    recall_limits(k, contacts, limits, solution, e, d)
    release_wrong_limits(d)
    status = SOLVED
    counted = len(contacts.offset) * MAX_CONE_ROWS + 2 * len(solution.tau)
    while True:
        combine_rows(e.K, nb, d.y, d.size[IN_USE], d.size[UNKNOWNS], d)
        write_primal(k, contacts, limits, solution, e, d)
        for _ in range(_REFINEMENTS):
            if solution.residual[RES_MOTION] > _INEXACT:
                refine(solution, e.K, nb, d)
                write_primal(k, contacts, limits, solution, e, d)
        limit, violation = most_violated(k, contacts, limits, solution)
        if d.size[INEQUALITIES] > 0:
            limit, violation = most_missed(solution.vdot, e.K, nb, counted, limit, violation, d)
        if limit == 0:
            break
        i = d.size[IN_USE]
        known = False
        for r in range(d.size[FIXED], i):
            known = known or d.limit[r] == limit
        if known:
            status = SOLVED if violation < _ROUNDING else GAVE_UP
            break
        if i >= len(d.b) - 1 or not violation < _LARGE:
            status = GAVE_UP
            break
        limit_row(k, contacts, limits, e, d, limit, i)
        status = enforce(violation, d)
        if status != SOLVED:
            break
    write_multipliers(k, contacts, solution, e, d)
    return status
