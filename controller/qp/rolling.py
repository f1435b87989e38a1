"""Compiled choice of the soles that roll over an edge, because their ankle is at the end of its range.

A sole that stays flat on the ground turns the ankle by as much as the leg leans. If the leg leans sideways
by more than the range of the ankle's roll joint, flat soles, the joint barriers and the torque limits
contradict each other, or their only solution throws the robot up. Such a sole rolls over its edge instead:
the edge does not move, the ground force acts on the edge, and the rotation about the edge is free, except for
a weak task that lays the sole flat again.

The decision uses the joint's barrier: the sole rolls while the barrier decelerates the joint.
"""

from __future__ import annotations

from kilohertz.controller.problem.tables import RES_MOTION, Contacts, Limits, Rolling, Solution
from kilohertz.controller.qp.whole_body_kinematics import frame_kinematics
from kilohertz.robots.compile.kernels import inner_kernel
from kilohertz.robots.model.kin import MX, NQ_BASE, NV_BASE, ORIGIN, Floats, Kin, Y, Z

_NEAR_RAD = 0.08
"""A sole may begin to roll if its ankle is closer than this to the end of its range [rad]."""
_CLEAR_RAD = 0.10
"""A sole that is flat stands again if its ankle is farther than this from the end of its range [rad]."""
_FLAT = 0.02
"""Sine of the roll below which a sole is flat."""
_WRONG = 1e6
"""Residual of a solution for flat soles while a sole rolls [m/s^2]."""
_KP_PER_S2, _KD_PER_S = 400.0, 40.0
"""Gains of the task that lays a sole flat."""


@inner_kernel
def let_soles_roll(k: Kin, contacts: Contacts, limits: Limits, rolling: Rolling) -> None:
    """Chooses which closed contacts roll over an edge, and writes their frames, cones and implied motion."""
    nb, nq = k.size[NV_BASE], k.size[NQ_BASE]
    for c in range(len(contacts.offset)):
        j = rolling.ankle[c]
        if j < 0:
            continue
        before = contacts.rolls[c]
        if contacts.offset[c] < 0:
            if before != 0:
                stand(c, contacts, rolling)
            continue
        q = k.q[nq + j]
        upper, lower = limits.position_upper[j] - q, q - limits.position_lower[j]
        if before == 0:
            edge = 0
            if upper < _NEAR_RAD and limits.vdot_upper[j] < 0.0:
                edge = 1
            elif lower < _NEAR_RAD and limits.vdot_lower[j] > 0.0:
                edge = -1
            if edge == 0:
                continue
            # The joint turns the sole about x or about -x.
            edge = edge if k.J[c, MX, nb + j] > 0.0 else -edge
            roll(c, edge, k, contacts, rolling)
        tilt = k.R[c, Z, Y] - rolling.flat[c]
        if before != 0 and abs(tilt) < _FLAT and min(upper, lower) > _CLEAR_RAD:
            stand(c, contacts, rolling)
            contacts.implied[c, MX] = 0
            continue
        contacts.implied[c, MX] = 1
        contacts.roll_rad_s2[c] = -_KP_PER_S2 * tilt - _KD_PER_S * k.vel[c, MX]


@inner_kernel
def use_cone(cone: Floats, rows: Floats) -> None:
    """Copies the rows of a wrench cone."""
    for r in range(len(rows)):
        for t in range(6):
            cone[r, t] = rows[r, t]


@inner_kernel
def roll(c: int, edge: int, k: Kin, contacts: Contacts, rolling: Rolling) -> None:
    """Lets sole c roll over its left edge (1) or its right edge (-1)."""
    f = rolling.edge_frame[c]
    placement = k.placement[f]
    for r in range(3):
        placement[ORIGIN, r] = rolling.centre[c, r] + edge * rolling.half_width_m[c] * placement[r, Y]
    frame_kinematics(k, f)
    contacts.rolls[c] = edge
    contacts.frame[c] = f
    use_cone(contacts.cone[c], rolling.edge_cone[c])
    rolling.flat[c] = k.R[c, Z, Y]


@inner_kernel
def stand(c: int, contacts: Contacts, rolling: Rolling) -> None:
    """Sets sole c flat on the ground."""
    contacts.rolls[c] = 0
    contacts.frame[c] = c
    use_cone(contacts.cone[c], rolling.flat_cone[c])


@inner_kernel
def reject_flat_soles(contacts: Contacts, solution: Solution) -> None:
    """Marks the solution of a solver that knows flat soles only as wrong while a sole rolls."""
    for c in range(len(contacts.offset)):
        if contacts.offset[c] >= 0 and contacts.rolls[c] != 0:
            solution.residual[RES_MOTION] = _WRONG
