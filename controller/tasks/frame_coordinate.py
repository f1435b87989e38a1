"""Position of a frame's origin along one direction of the world: a row.

ref: direction (3), then position p_WF . direction, its velocity and acceleration (3) [m], [m/s], [m/s^2];
gain: kp, kd [1/s^2], [1/s].
"""

from __future__ import annotations

from typing import Any

from kilohertz.controller.problem.frames import to_frame
from kilohertz.controller.problem.tables import MOTION, Floats, Kin
from kilohertz.controller.tasks.kind import task_kind


@task_kind("frame_coordinate", space=MOTION, dim=1, n_ref=6)
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the row; see `spec`."""
    u = k.s[0]
    to_frame(k.R[f], ref, 0, u)
    for j in range(len(k.v)):
        T[0, j] = u[0] * k.J[f, 0, j] + u[1] * k.J[f, 1, j] + u[2] * k.J[f, 2, j]
    p = v = drift = 0.0
    for r in range(3):
        p += ref[r] * k.p[f, r]
        v += u[r] * k.vel[f, r]
        drift += u[r] * k.drift[f, r]
    b[0] = gain[0] * (ref[3] - p) + gain[1] * (ref[4] - v) + ref[5] - drift


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Row (1, nv) and the desired acceleration along the direction less the drift [m/s^2]."""
    u = k.R[f].T @ ref[:3]
    b = gain[0] * (ref[3] - ref[:3] @ k.p[f]) + gain[1] * (ref[4] - u @ k.vel[f, :3])
    return u[None] @ k.J[f, :3], (b + ref[5] - u @ k.drift[f, :3]).reshape(1)
