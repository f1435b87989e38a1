"""Orientation of a frame.

ref: R_WF row by row (9), w_WF (3), wdot_WF (3), world axes; gain: kp, kd [1/s^2], [1/s]. Rows in the frame's
axes.
"""

from __future__ import annotations

from typing import Any

import pinocchio as pin

from kilohertz.controller.problem.frames import copy_row, rotation_error, to_frame
from kilohertz.controller.problem.tables import MOTION, Floats, Kin
from kilohertz.controller.tasks.kind import task_kind


@task_kind("frame_orientation", space=MOTION, dim=3, n_ref=15)
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the rows; see `spec`."""
    w, a, R = k.s[0], k.s[1], k.R[f]
    rotation_error(R, ref, b, k.s[5:8])
    to_frame(R, ref, 9, w)
    to_frame(R, ref, 12, a)
    for r in range(3):
        copy_row(k.J[f, 3 + r], T[r])
        b[r] = gain[0] * b[r] + gain[1] * (w[r] - k.vel[f, 3 + r]) + a[r] - k.drift[f, 3 + r]


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Rows (3, nv) and the desired angular acceleration less the drift [rad/s^2]."""
    R = k.R[f]
    b = gain[0] * pin.log3(R.T @ ref[:9].reshape(3, 3)) + gain[1] * (R.T @ ref[9:12] - k.vel[f, 3:])
    return k.J[f, 3:], b + R.T @ ref[12:15] - k.drift[f, 3:]
