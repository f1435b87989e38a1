"""Pose of a frame, error on SE(3).

ref: R_WF row by row (9), p_WF (3), v_WF (3), w_WF (3), a_WF (3), wdot_WF (3), world axes; gain: kp, kd
linear, kp, kd angular [1/s^2], [1/s], and the first column of vdot that is to serve the task, 0 for all.
Rows: 3 linear, 3 angular, in the frame's axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pinocchio as pin

from kilohertz.controller.problem.frames import copy_row, pose_error, to_frame
from kilohertz.controller.problem.tables import MOTION, Floats, Kin
from kilohertz.controller.tasks.kind import task_kind


@task_kind("frame_pose", space=MOTION, dim=6, n_ref=24)
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the rows; see `spec`."""
    v, a, R = k.s[0], k.s[1], k.R[f]
    pose_error(R, k.p[f], ref, b, k.s)
    for half in range(2):
        o = 3 * half
        to_frame(R, ref, 12 + o, v)
        to_frame(R, ref, 18 + o, a)
        kp, kd = gain[2 * half], gain[2 * half + 1]
        for r in range(3):
            copy_row(k.J[f, o + r], T[o + r])
            b[o + r] = kp * b[o + r] + kd * (v[r] - k.vel[f, o + r]) + a[r] - k.drift[f, o + r]
            for j in range(min(int(gain[4]), len(k.v))):
                T[o + r, j] = 0.0


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Rows (6, nv) and the desired frame acceleration less the drift."""
    R = k.R[f]
    error = pin.log6(pin.SE3(R, k.p[f]).actInv(pin.SE3(ref[:9].reshape(3, 3), ref[9:12]))).vector
    velocity = np.hstack([R.T @ ref[12:15], R.T @ ref[15:18]])
    acceleration = np.hstack([R.T @ ref[18:21], R.T @ ref[21:24]])
    kp, kd = np.repeat(gain[[0, 2]], 3), np.repeat(gain[[1, 3]], 3)
    rows = k.J[f].copy()
    rows[:, : int(gain[4])] = 0.0
    return rows, kp * error + kd * (velocity - k.vel[f]) + acceleration - k.drift[f]
