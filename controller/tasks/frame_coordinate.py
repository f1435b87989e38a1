"""Task kind for the position of a frame's origin along one direction of the world, as one row.

The reference holds the direction in world axes (3), then the position p_WF . direction [m], its velocity
[m/s] and its acceleration [m/s^2]. The gains are kp [1/s^2] and kd [1/s].
"""

from __future__ import annotations

from typing import Any

from kilohertz.controller.problem.frames import to_frame
from kilohertz.controller.problem.tables import MOTION
from kilohertz.controller.tasks.kind import task_kind
from kilohertz.robots.model.kin import ANGULAR, Floats, Kin

DIRECTION, PLACE, SPEED, ACCELERATION = 0, 3, 4, 5
"""Index at which each part of the reference begins."""
KP, KD = range(2)


@task_kind("frame_coordinate", space=MOTION, dim=1, n_ref=6, gains=(2,))
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the row and the right-hand side; see `spec`."""
    u = k.s[0]
    to_frame(k.R[f], ref, DIRECTION, u)
    for j in range(len(k.v)):
        T[0, j] = u[0] * k.J[f, 0, j] + u[1] * k.J[f, 1, j] + u[2] * k.J[f, 2, j]
    p = v = drift = 0.0
    for r in range(3):
        p += ref[DIRECTION + r] * k.p[f, r]
        v += u[r] * k.vel[f, r]
        drift += u[r] * k.drift[f, r]
    b[0] = gain[KP] * (ref[PLACE] - p) + gain[KD] * (ref[SPEED] - v) + ref[ACCELERATION] - drift


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Row (1, nv) and the desired acceleration along the direction minus the drift [m/s^2]."""
    direction = ref[DIRECTION:PLACE]
    u = k.R[f].T @ direction
    b = gain[KP] * (ref[PLACE] - direction @ k.p[f]) + gain[KD] * (ref[SPEED] - u @ k.vel[f, :ANGULAR])
    drift = u @ k.drift[f, :ANGULAR]
    return u[None] @ k.J[f, :ANGULAR], (b + ref[ACCELERATION] - drift).reshape(1)
