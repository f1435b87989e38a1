"""Compiled references of hands whose target is given relative to the robot.

The level frame B has its origin in the base, its x axis along the robot's heading and its z axis vertical. An
object that a hand holds in this frame stays level when base and trunk tilt.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.controller.tasks import frame_pose as pose
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import ANGULAR, LINEAR, Floats, Kin, X, Y, Z

HEADING_RATE_PER_S = 20.0
"""Rate at which the level frame follows the heading [1/s].

The heading of the soles is noisy, and jumps at touch-down.
"""


HEADING, RATE = range(2)
"""Entries of `LevelFrame.turn`."""


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
