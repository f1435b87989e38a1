"""Names the rows of an infeasible problem that conflict with each other.

The softened problem always has a solution; the rows that this solution violates cannot all be satisfied.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kilohertz.controller.problem.clear_arrays import FIRST_SLOT
from kilohertz.controller.problem.tables import COST_ROWS, INEQUALITY_ROWS, MOMENTUM, MOTION
from kilohertz.controller.whole_body.clear_tables import row_name
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import FZ, MOMENT, Floats

_FORCE_SHARE = 1e-3
_TORQUE_NM = 1e-3
_ACCELERATION = 1e-2
_INEQUALITY = 1e-2
"""Tolerances above which a violation is reported: force as a fraction of the robot's weight, torque [Nm],
acceleration [m/s^2, rad/s^2], and inequality rows, each in its own unit."""


def missed_rows(body: WholeBody) -> list[str]:
    """Returns the names of the rows that the last solution violates, the largest violation first.

    Args:
        body: the whole-body controller, after `solve_softened`.

    Returns:
        Names such as `left_foot.motion`, `left_foot.force`, `left_knee_joint.torque_limit` and
        `left_knee_joint.barrier`; an inequality has the name it was declared with, and a row that keeps two
        parts of the robot apart is named like `clear.left_hand-pelvis`. Empty if all rows hold.
    """
    kin, contacts, limits = body.arrays.kin, body.arrays.contacts, body.arrays.limits
    solution, n_base = body.solution, body.robot.n_base
    missed: list[tuple[float, str]] = []
    for c, name in enumerate(body.robot.contact_names):
        if contacts.offset[c] < 0:
            continue
        f, components = contacts.frame[c], contacts.select[c, : contacts.dim[c]]
        motion = kin.J[f] @ solution.vdot + kin.drift[f] + contacts.damping_per_s[c] * kin.vel[f]
        missed.append((float(abs(motion[components]).max()) / _ACCELERATION, f"{name}.motion"))
        rows = slice(0, int(contacts.n_rows[c]))
        load = contacts.cone[c, rows] @ solution.wrench[c]
        beyond = max(
            float((load - contacts.upper[c, rows]).max()), float((contacts.lower[c, rows] - load).max())
        )
        missed.append((beyond / (_FORCE_SHARE * body.robot.mass_kg * GRAVITY_M_S2), f"{name}.force"))
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
