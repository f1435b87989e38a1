"""Names the rows of an infeasible problem: those that contradict each other, and those that gave.

A contradiction is explained by an irreducible set of rows: they cannot all be satisfied, but without any one
of them the others can. Which of them are then violated depends on their ranks and weights, see
`kilohertz.controller.problem.ranks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from kilohertz.controller.problem.clear_arrays import FIRST_SLOT
from kilohertz.controller.problem.ranks import BLOCKS
from kilohertz.controller.problem.tables import (
    COST_ROWS,
    INEQUALITY_ROWS,
    MAX_CONE_ROWS,
    MOMENTUM,
    MOTION,
)
from kilohertz.controller.qp.giving_rows import COUNTED, FIRST_MOTION, FOUGHT
from kilohertz.controller.whole_body.clear_tables import row_name
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import FZ, MOMENT, MX, Floats

_FORCE_SHARE = 1e-3
_TORQUE_NM = 1e-3
_ACCELERATION = 1e-2
_INEQUALITY = 1e-2
"""Tolerances above which a violation is reported: force as a fraction of the robot's weight, torque [Nm],
acceleration [m/s^2, rad/s^2], and inequality rows, each in its own unit."""


class Opponent(NamedTuple):
    """A constraint that takes part in a contradiction."""

    name: str
    """Name of the constraint, such as `left_knee_joint.torque_limit`."""
    rank: str
    """Name of its rank."""
    needed: float
    """Violation that would resolve the contradiction if no other constraint gave."""
    unit: str
    """Unit of the violation; empty if it is that of a declared inequality."""

    def __str__(self) -> str:
        """Name and violation, as in `left_foot.load (by 12 N)`."""
        return f"{self.name} (by {self.needed:.3g}{' ' + self.unit if self.unit else ''})"


def contradiction(body: WholeBody) -> list[Opponent]:
    """Returns an irreducible set of constraints that contradicted each other in the last softened tick.

    If safety rows alone contradict each other, a set of them is returned, otherwise one with comfort rows.

    Args:
        body: the whole-body controller, after `solve_softened`.

    Returns:
        The constraints; those that need to give least, relative to their tolerance, first. Empty if there is
        no contradiction.
    """
    giving = body.giving
    body.exact.find_contradiction()
    least: dict[str, tuple[float, Opponent]] = {}
    for i in range(int(giving.size[FOUGHT])):
        name, block, rank, tolerance = _row(body, abs(int(giving.fought[i])) - 1)
        needed = float(giving.needed[i])
        share = needed / tolerance
        if name not in least or share < least[name][0]:
            least[name] = share, Opponent(name, rank, needed, BLOCKS[block].unit)
    return [opponent for _, opponent in sorted(least.values())]


def contradiction_in_words(body: WholeBody, most: int) -> tuple[str, ...]:
    """Returns the contradiction of the last softened tick in words, such as `left_foot.load (by 12 N)`.

    Args:
        body: the whole-body controller, after `solve_softened`.
        most: largest number of constraints to name; if there are more, the last entry says how many.

    Returns:
        One entry for each constraint. Without a known contradiction, the names of the violated constraints.
    """
    named = [str(opponent) for opponent in contradiction(body)] or missed_rows(body)
    more = len(named) - most
    return (*named[:most], f"{more} more") if more > 0 else tuple(named)


def _row(body: WholeBody, index: int) -> tuple[str, str, str, float]:
    """Returns name, block, rank and tolerance of a row, numbered as in `giving_rows.GivingArrays`."""
    na, contacts = body.robot.na, body.arrays.contacts
    counted, first_motion = int(body.giving.size[COUNTED]), int(body.giving.size[FIRST_MOTION])
    contact, force_N = body.robot.contact_names, _FORCE_SHARE * body.robot.mass_kg * GRAVITY_M_S2
    if index >= first_motion:
        name, block, tolerance = contact[(index - first_motion) // 6], "motion", _ACCELERATION
    elif index >= counted:
        slot = index - counted
        clear = slot >= int(body.arrays.clear.size[FIRST_SLOT])
        rank = BLOCKS["inequality"].rank if clear else body.inequalities[slot // 6].rank
        return _name(body, slot), "inequality", rank, _INEQUALITY
    elif index >= counted - na:
        name, block, tolerance = body.robot.joint_names[index - counted + na], "barrier", _ACCELERATION
    elif index >= counted - 2 * na:
        name, block, tolerance = body.robot.joint_names[index - counted + 2 * na], "torque_limit", _TORQUE_NM
    else:
        c, r = divmod(index, MAX_CONE_ROWS)
        name, block, tolerance = contact[c], "load" if r == contacts.n_rows[c] - 1 else "cone", force_N
    return f"{name}.{block}", block, BLOCKS[block].rank, tolerance


def missed_rows(body: WholeBody) -> list[str]:
    """Returns the names of the constraints that the last solution violates, the largest violation first.

    Args:
        body: the whole-body controller, after `solve_softened`.

    Returns:
        Names such as `left_foot.motion`, `left_foot.cone`, `left_foot.load` (bounds on the normal force),
        `left_knee_joint.torque_limit` and `left_knee_joint.barrier`; an inequality has the name it was
        declared with, and a row that keeps two parts of the robot apart is named like
        `clear.left_hand-pelvis`. Empty if all rows hold.
    """
    kin, contacts, limits = body.arrays.kin, body.arrays.contacts, body.arrays.limits
    solution, n_base = body.solution, body.robot.n_base
    force_N = _FORCE_SHARE * body.robot.mass_kg * GRAVITY_M_S2
    missed: list[tuple[float, str]] = []
    for c, name in enumerate(body.robot.contact_names):
        if contacts.offset[c] < 0:
            continue
        f, components = contacts.frame[c], contacts.select[c, : contacts.dim[c]]
        motion = kin.J[f] @ solution.vdot + kin.drift[f] + contacts.damping_per_s[c] * kin.vel[f]
        if contacts.rolls[c] != 0:
            motion[MX] = 0.0
        missed.append((float(abs(motion[components]).max()) / _ACCELERATION, f"{name}.motion"))
        rows = slice(0, int(contacts.n_rows[c]))
        load = contacts.cone[c, rows] @ solution.wrench[c]
        beyond = np.maximum(load - contacts.upper[c, rows], contacts.lower[c, rows] - load)
        missed.append((float(beyond[:-1].max()) / force_N, f"{name}.cone"))
        missed.append((float(beyond[-1]) / force_N, f"{name}.load"))
    for j, name in enumerate(body.robot.joint_names):
        torque = abs(float(solution.tau[j])) - float(limits.tau[j])
        missed.append((torque / _TORQUE_NM, f"{name}.torque_limit"))
        vdot = float(solution.vdot[n_base + j])
        barrier = max(vdot - float(limits.vdot_upper[j]), float(limits.vdot_lower[j]) - vdot)
        missed.append((barrier / _ACCELERATION, f"{name}.barrier"))
    missed += [(size / _INEQUALITY, name) for name, size in _missed_inequalities(body)]
    return [name for size, name in sorted(missed, reverse=True) if size > 1.0]


def _missed_inequalities(body: WholeBody) -> Iterator[tuple[str, float]]:
    """Yields the name and the violation of each inequality row, in the row's unit."""
    rows, solution, contacts = body.arrays.rows, body.solution, body.arrays.contacts
    wrench = np.zeros((len(contacts.offset), 6))
    for c in np.flatnonzero(contacts.offset >= 0):
        dim = int(contacts.dim[c])
        wrench[c, contacts.select[c, :dim]] = solution.wrench[c, :dim]
    first = int(rows.size[COST_ROWS])
    for r in range(first, first + int(rows.size[INEQUALITY_ROWS])):
        if rows.space[r] == MOTION:
            value = float(rows.T[r, : body.robot.nv] @ solution.vdot)
        elif rows.space[r] == MOMENTUM:
            value = float(rows.T[r, :6] @ _momentum_rate(body, wrench))
        else:
            value = float(rows.T[r, : wrench.size] @ wrench.ravel())
        yield _name(body, int(rows.task[r])), float(np.sign(rows.w[r])) * (value - float(rows.b[r]))


def _name(body: WholeBody, slot: int) -> str:
    """Returns the name of an inequality by the number of its multiplier."""
    clear = body.arrays.clear
    row = slot - int(clear.size[FIRST_SLOT])
    if row < 0 or body.clearance is None:
        return body.inequalities[slot // 6].name
    return row_name(body.clearance, int(clear.which[row]))


def _momentum_rate(body: WholeBody, wrench: Floats) -> Floats:
    """Returns the sum (6,) of wrenches (C, 6) and gravity about the centre of mass, world axes."""
    kin = body.arrays.kin
    rate = np.zeros(6)
    rate[FZ] = -body.robot.mass_kg * GRAVITY_M_S2
    for c in range(len(wrench)):
        force, moment = kin.R[c] @ wrench[c, :MOMENT], kin.R[c] @ wrench[c, MOMENT:]
        rate[:MOMENT] += force
        rate[MOMENT:] += moment + np.cross(kin.p[c] - kin.p_WC, force)
    return rate
