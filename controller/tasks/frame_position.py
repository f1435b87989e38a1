"""Task kind for the position of a frame's origin.

The reference holds p_WF [m], v_WF [m/s] and a_WF [m/s^2] (3 each), in world axes. The gains are kp [1/s^2]
and kd [1/s]. The rows are in the frame's axes.
"""

from __future__ import annotations

from typing import Any

from kilohertz.controller.problem.frames import copy_row, to_frame
from kilohertz.controller.problem.tables import MOTION
from kilohertz.controller.tasks.kind import task_kind
from kilohertz.robots.model.kin import ANGULAR, Floats, Kin

P_WF, V_WF, A_WF = 0, 3, 6
"""Index at which each part of the reference begins."""
KP, KD = range(2)


@task_kind("frame_position", space=MOTION, dim=3, n_ref=9, gains=(2,))
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the rows and the right-hand side; see `spec`."""
    v, a, d, R = k.s[0], k.s[1], k.s[2], k.R[f]
    for r in range(3):
        d[r] = ref[P_WF + r] - k.p[f, r]
    to_frame(R, d, 0, b)
    to_frame(R, ref, V_WF, v)
    to_frame(R, ref, A_WF, a)
    for r in range(3):
        copy_row(k.J[f, r], T[r])
        b[r] = gain[KP] * b[r] + gain[KD] * (v[r] - k.vel[f, r]) + a[r] - k.drift[f, r]


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Rows (3, nv) and the desired acceleration of the origin minus the drift [m/s^2]."""
    R = k.R[f]
    p_des, v_des, a_des = ref[P_WF:V_WF], ref[V_WF:A_WF], ref[A_WF:9]
    b = gain[KP] * R.T @ (p_des - k.p[f]) + gain[KD] * (R.T @ v_des - k.vel[f, :ANGULAR])
    return k.J[f, :ANGULAR], b + R.T @ a_des - k.drift[f, :ANGULAR]
