"""Compiled references of hands whose place is given relative to the robot.

The level frame B sits in the base, its x axis is the robot's heading, its z axis vertical: what a hand holds
in it stays level, however base and trunk tilt.
"""

from __future__ import annotations

import numpy as np

from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats, Ints

HEADING_RATE_PER_S = 20.0
"""The frame follows the heading with this: that of the soles is noisy, and jumps as one is put down."""


@kernel
def follow_base(
    dt_s: float,
    R_des: Floats,
    p: Floats,
    R: Floats,
    vel: Floats,
    vdot: Floats,
    base: Ints,
    level: Floats,
) -> None:
    """Moves the level frame on: origin (3), its velocity (3), heading and its rate, acceleration (3).

    World axes. The origin's acceleration is the one decided a tick ago.
    """
    f = base[0]
    u, v, w = vel[f, 0], vel[f, 1], vel[f, 2]
    x, y, z = vel[f, 3], vel[f, 4], vel[f, 5]
    a, b, d = vdot[0] + y * w - z * v, vdot[1] + z * u - x * w, vdot[2] + x * v - y * u
    for r in range(3):
        level[r] = p[f, r]
        level[3 + r] = R[f, r, 0] * u + R[f, r, 1] * v + R[f, r, 2] * w
        level[8 + r] = R[f, r, 0] * a + R[f, r, 1] * b + R[f, r, 2] * d
    c, s = np.cos(level[6]), np.sin(level[6])
    ahead, left = c * R_des[0, 0] + s * R_des[1, 0], c * R_des[1, 0] - s * R_des[0, 0]
    level[7] = HEADING_RATE_PER_S * np.arctan2(left, ahead)
    level[6] += dt_s * level[7]


@kernel
def from_level(motion: Floats, ref: Floats, level: Floats) -> None:
    """Writes a motion in the level frame as the reference of a pose task: R, p, v, w, a, wdot."""
    c, s, rate = np.cos(level[6]), np.sin(level[6]), level[7]
    for k in range(3):
        ref[k] = c * motion[k] - s * motion[3 + k]
        ref[3 + k] = s * motion[k] + c * motion[3 + k]
        ref[6 + k] = motion[6 + k]
    for k in range(9, 24, 3):
        ref[k] = c * motion[k] - s * motion[k + 1]
        ref[k + 1] = s * motion[k] + c * motion[k + 1]
        ref[k + 2] = motion[k + 2]
    x, y = ref[9], ref[10]
    # Coriolis and centripetal parts of what moves in a frame that turns.
    ref[18] += -2.0 * rate * ref[13] - rate * rate * x
    ref[19] += 2.0 * rate * ref[12] - rate * rate * y
    ref[12] += level[3] - rate * y
    ref[13] += level[4] + rate * x
    ref[14] += level[5]
    ref[17] += rate
    for r in range(3):
        ref[9 + r] += level[r]
        ref[18 + r] += level[8 + r]


@kernel
def follow_trunk(f: int, first: int, ref: Floats, R: Floats, J: Floats, vdot: Floats) -> None:
    """Takes the acceleration by base and trunk, as decided a tick ago, off what an arm is asked for."""
    for o in (0, 3):
        for r in range(3):
            given = 0.0
            for j in range(first):
                given += J[f, o + r, j] * vdot[j]
            for c in range(3):
                ref[18 + o + c] -= R[f, c, r] * given
