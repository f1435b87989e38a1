"""Position of a frame's origin.

ref: p_WF, v_WF, a_WF (9, world); gain: kp, kd [1/s^2], [1/s]. Rows in the frame's axes.
"""

from __future__ import annotations

from typing import Any

from kilohertz.controller.problem.frames import copy_row, to_frame
from kilohertz.controller.problem.tables import MOTION, Floats, Kin
from kilohertz.controller.tasks.kind import task_kind


@task_kind("frame_position", space=MOTION, dim=3, n_ref=9)
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the rows; see `spec`."""
    v, a, d, R = k.s[0], k.s[1], k.s[2], k.R[f]
    for r in range(3):
        d[r] = ref[r] - k.p[f, r]
    to_frame(R, d, 0, b)
    to_frame(R, ref, 3, v)
    to_frame(R, ref, 6, a)
    for r in range(3):
        copy_row(k.J[f, r], T[r])
        b[r] = gain[0] * b[r] + gain[1] * (v[r] - k.vel[f, r]) + a[r] - k.drift[f, r]


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Rows (3, nv) and the desired acceleration of the origin less the drift [m/s^2]."""
    R = k.R[f]
    b = gain[0] * R.T @ (ref[:3] - k.p[f]) + gain[1] * (R.T @ ref[3:6] - k.vel[f, :3])
    return k.J[f, :3], b + R.T @ ref[6:9] - k.drift[f, :3]
