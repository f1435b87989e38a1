"""Compiled references of hands whose target is given relative to the robot.

The level frame B has its origin in the base, its x axis along the robot's heading and its z axis vertical. An
object that a hand holds in this frame stays level when base and trunk tilt.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.controller.tasks import frame_pose as pose
from kilohertz.estimators.so3 import exp3, log3, multiply, rotate
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import ANGULAR, LINEAR, Floats, Kin, X, Y, Z

HEADING_RATE_PER_S = 20.0
"""Rate at which the level frame follows the heading [1/s].

The heading of the soles is noisy, and jumps at touch-down.
"""


HEADING, RATE = range(2)
"""Entries of `LevelFrame.turn`."""

FAR_M, WHOLE_M, FAR_RAD, WHOLE_RAD, FREE_M_S2, BLOCKED_M_S2 = range(6)
"""Indices of the limits of a pull. FAR_M: distance of the reference from the hand; WHOLE_M: its horizontal
part, if the whole body follows [m]; FAR_RAD, WHOLE_RAD: angles [rad]; FREE_M_S2, BLOCKED_M_S2: acceleration
for the errors of position and velocity, of a hand that moves and of one that is blocked [m/s^2]."""
BLOCKED, MOVED = range(2)
STILL_M_S, BLOCKED_S, BLOCKED_FROM = 0.1, 0.1, 2.0
"""A hand that is pulled by more than BLOCKED_FROM times the limit of a blocked hand, and moves there more
slowly relative to the base than the first value [m/s], counts as blocked after the second [s]."""


class LevelFrame(NamedTuple):
    """Motion of the level frame, in world axes."""

    p: Floats
    v: Floats
    a: Floats
    """(3,) position [m] of the origin; `v` and `a` are its velocity [m/s] and acceleration [m/s^2]."""
    turn: Floats
    """(2,) heading of the frame (HEADING) [rad] and its rate (RATE) [rad/s]."""
    base: int
    """Index of the base's frame in `Kin`."""


@kernel
def follow_base(dt_s: float, R_des: Floats, k: Kin, vdot: Floats, level: LevelFrame) -> None:
    """Updates the level frame for this tick; its acceleration comes from the last tick's solution."""
    f, turn = level.base, level.turn
    R, vel = k.R[f], k.vel[f]
    u, v, w = vel[LINEAR + X], vel[LINEAR + Y], vel[LINEAR + Z]
    x, y, z = vel[ANGULAR + X], vel[ANGULAR + Y], vel[ANGULAR + Z]
    a, b, d = vdot[X] + y * w - z * v, vdot[Y] + z * u - x * w, vdot[Z] + x * v - y * u
    for r in range(3):
        level.p[r] = k.p[f, r]
        level.v[r] = R[r, X] * u + R[r, Y] * v + R[r, Z] * w
        level.a[r] = R[r, X] * a + R[r, Y] * b + R[r, Z] * d
    c, s = np.cos(turn[HEADING]), np.sin(turn[HEADING])
    ahead, left = c * R_des[X, X] + s * R_des[Y, X], c * R_des[Y, X] - s * R_des[X, X]
    turn[RATE] = HEADING_RATE_PER_S * np.arctan2(left, ahead)
    turn[HEADING] += dt_s * turn[RATE]


@kernel
def from_level(motion: Floats, ref: Floats, level: LevelFrame) -> None:
    """Transforms a motion from the level frame into the reference of a pose task: R, p, v, w, a, wdot."""
    c, s, rate = np.cos(level.turn[HEADING]), np.sin(level.turn[HEADING]), level.turn[RATE]
    for k in range(3):
        ref[k] = c * motion[k] - s * motion[3 + k]
        ref[3 + k] = s * motion[k] + c * motion[3 + k]
        ref[6 + k] = motion[6 + k]
    for k in range(pose.P_WF, pose.SIZE, 3):
        ref[k + X] = c * motion[k + X] - s * motion[k + Y]
        ref[k + Y] = s * motion[k + X] + c * motion[k + Y]
        ref[k + Z] = motion[k + Z]
    p, v, w = ref[pose.P_WF : pose.V_WF], ref[pose.V_WF : pose.W_WF], ref[pose.W_WF : pose.A_WF]
    a, x, y = ref[pose.A_WF : pose.WDOT_WF], p[X], p[Y]
    # Coriolis and centripetal accelerations of a motion in a rotating frame.
    a[X] += -2.0 * rate * v[Y] - rate * rate * x
    a[Y] += 2.0 * rate * v[X] - rate * rate * y
    v[X] += level.v[X] - rate * y
    v[Y] += level.v[Y] + rate * x
    v[Z] += level.v[Z]
    w[Z] += rate
    for r in range(3):
        p[r] += level.p[r]
        a[r] += level.a[r]


@kernel
def follow_trunk(f: int, first: int, ref: Floats, k: Kin, vdot: Floats) -> None:
    """Subtracts the acceleration that base and trunk give the hand from the reference of its arm.

    The acceleration of base and trunk is that of the last tick's solution.
    """
    for o in (LINEAR, ANGULAR):
        for r in range(3):
            given = 0.0
            for j in range(first):
                given += k.J[f, o + r, j] * vdot[j]
            for c in range(3):
                ref[pose.A_WF + o + c] -= k.R[f, c, r] * given


@kernel
def bound_pull(
    f: int,
    base: int,
    dt_s: float,
    whole: bool,
    ref: Floats,
    gain: Floats,
    state: Floats,
    limits: Floats,
    k: Kin,
    work: Floats,
) -> float:
    """Limits how strongly the reference of a pose task pulls a hand.

    An arm that does not get further, because it is at the end of its range or presses against the body, is
    pulled less than one that moves: the acceleration that is expected of it does not happen, and is missing
    in the balance of the robot.

    Args:
        f: index of the hand's frame.
        base: index of the base's frame; -1 for a fixed base.
        dt_s: time since the last tick [s].
        whole: whether the whole body follows the hand, and not only the arm.
        ref: (24,) reference of the task, in the world; it is changed.
        gain: gains of the task.
        state: (2,) how much the hand is blocked (BLOCKED), in [0, 1], and whether the reference was moved
            (MOVED); they are changed.
        limits: (6,) limits, indexed by FAR_M to BLOCKED_M_S2.
        k: kinematics.
        work: (4, 3, 3) scratch.

    Returns:
        The distance of the reference from the hand before [m].
    """
    off = bound_place(f, whole, ref, state, limits, k)
    p, v, v_base, pull = ref[pose.P_WF : pose.V_WF], work[3, 0], work[3, 1], work[3, 2]
    rotate(k.R[f], k.vel[f], v)
    v_base[:] = 0.0
    if base >= 0:
        rotate(k.R[base], k.vel[base], v_base)
    size = towards = 0.0
    for i in range(3):
        pull[i] = gain[pose.KP] * (p[i] - k.p[f, i]) + gain[pose.KD] * (ref[pose.V_WF + i] - v[i])
        size += pull[i] * pull[i]
        towards += pull[i] * (v[i] - v_base[i])
    size = max(np.sqrt(size), 1e-9)
    most = limits[FREE_M_S2] + state[BLOCKED] * (limits[BLOCKED_M_S2] - limits[FREE_M_S2])
    if size > most:
        state[MOVED] = 1.0
        for i in range(3):
            ref[pose.A_WF + i] += (most / size - 1.0) * pull[i]
    blocked = size > BLOCKED_FROM * limits[BLOCKED_M_S2] and towards < STILL_M_S * size
    change = dt_s / BLOCKED_S if blocked else -dt_s / BLOCKED_S
    state[BLOCKED] = min(max(state[BLOCKED] + change, 0.0), 1.0)
    bound_turn(f, limits[WHOLE_RAD] if whole else limits[FAR_RAD], ref, state, k, work)
    return off


@kernel
def bound_place(f: int, whole: bool, ref: Floats, state: Floats, limits: Floats, k: Kin) -> float:
    """Moves the position of a reference close to the hand, and returns its distance before [m].

    The arguments are those of `bound_pull`.
    """
    p, hand = ref[pose.P_WF : pose.V_WF], k.p[f]
    x, y, z = p[X] - hand[X], p[Y] - hand[Y], p[Z] - hand[Z]
    off: float = np.sqrt(x * x + y * y + z * z)
    part = min(1.0, limits[FAR_M] / max(off, 1e-9))
    level, part_level = part * np.sqrt(x * x + y * y), part
    if whole:
        part_level *= min(1.0, limits[WHOLE_M] / max(level, 1e-9))
    state[MOVED] = 0.0
    if part_level < 1.0:
        state[MOVED] = 1.0
        p[X], p[Y], p[Z] = hand[X] + part_level * x, hand[Y] + part_level * y, hand[Z] + part * z
    if part_level < 1.0 and whole:
        # The velocity pulls too: that of a target which moves on, while the hand cannot follow.
        for o in (pose.V_WF, pose.A_WF):
            ref[o + X] *= part_level
            ref[o + Y] *= part_level
            ref[o + Z] *= part
    return off


@kernel
def bound_turn(f: int, most_rad: float, ref: Floats, state: Floats, k: Kin, work: Floats) -> None:
    """Turns the orientation of a reference towards that of the hand, to an angle of most_rad [rad].

    The other arguments are those of `bound_pull`.
    """
    R, turn, step, phi = ref[: pose.P_WF].reshape(3, 3), work[0], work[1], work[2, 0]
    for r in range(3):
        for c in range(3):
            turn[r, c] = k.R[f, X, r] * R[X, c] + k.R[f, Y, r] * R[Y, c] + k.R[f, Z, r] * R[Z, c]
    log3(turn, phi)
    angle = np.sqrt(phi[X] ** 2 + phi[Y] ** 2 + phi[Z] ** 2)
    if angle > most_rad:
        state[MOVED] = 1.0
        for r in range(3):
            phi[r] *= most_rad / angle
            ref[pose.W_WF + r] *= most_rad / angle
            ref[pose.WDOT_WF + r] *= most_rad / angle
        exp3(phi, step)
        multiply(k.R[f], step, R)
