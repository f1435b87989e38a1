"""Task kind for the pose of a frame, with the error on SE(3).

The reference holds R_WF row by row (9), p_WF (3), v_WF (3), w_WF (3), a_WF (3) and wdot_WF (3), in world
axes. The gains are kp [1/s^2] and kd [1/s] of the linear part, kp and kd of the angular part, and the index
of the first column of vdot that the task may use (0: all columns). The rows are 3 linear, then 3 angular, in
the frame's axes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pinocchio as pin

from kilohertz.controller.problem.frames import copy_row, pose_error, to_frame
from kilohertz.controller.problem.tables import MOTION
from kilohertz.controller.tasks.kind import task_kind
from kilohertz.robots.model.kin import ANGULAR, Floats, Kin

R_WF, P_WF, V_WF, W_WF, A_WF, WDOT_WF, SIZE = 0, 9, 12, 15, 18, 21, 24
"""Index at which each part of the reference begins, and the size of the reference."""
KP, KD, KP_ANGULAR, KD_ANGULAR, FIRST_COLUMN = range(5)
"""Index of each gain."""


@task_kind("frame_pose", space=MOTION, dim=6, n_ref=SIZE, gains=(4, 5))
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the rows and the right-hand side; see `spec`."""
    v, a, R = k.s[0], k.s[1], k.R[f]
    pose_error(R, k.p[f], ref, b, k.s)
    for half in range(2):
        o = ANGULAR * half
        to_frame(R, ref, V_WF + o, v)
        to_frame(R, ref, A_WF + o, a)
        kp, kd = gain[KP + 2 * half], gain[KD + 2 * half]
        for r in range(3):
            copy_row(k.J[f, o + r], T[o + r])
            b[o + r] = kp * b[o + r] + kd * (v[r] - k.vel[f, o + r]) + a[r] - k.drift[f, o + r]
            for j in range(min(int(gain[FIRST_COLUMN]), len(k.v))):
                T[o + r, j] = 0.0


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Rows (6, nv) and the desired frame acceleration minus the drift [m/s^2, rad/s^2]."""
    R = k.R[f]
    des = views(ref)
    error = pin.log6(pin.SE3(R, k.p[f]).actInv(pin.SE3(des.R, des.p))).vector
    velocity = np.hstack([R.T @ des.v, R.T @ des.w])
    acceleration = np.hstack([R.T @ des.a, R.T @ des.wdot])
    kp, kd = np.repeat(gain[[KP, KP_ANGULAR]], 3), np.repeat(gain[[KD, KD_ANGULAR]], 3)
    rows = k.J[f].copy()
    rows[:, : int(gain[FIRST_COLUMN])] = 0.0
    return rows, kp * error + kd * (velocity - k.vel[f]) + acceleration - k.drift[f]


class Views(NamedTuple):
    """Named views of the parts of a reference, in world axes."""

    R: Floats
    """(3, 3) R_WF."""
    p: Floats
    """(3,) p_WF [m]."""
    v: Floats
    """(3,) v_WF [m/s]."""
    w: Floats
    """(3,) w_WF [rad/s]."""
    a: Floats
    """(3,) a_WF, the derivative of v [m/s^2]."""
    wdot: Floats
    """(3,) wdot_WF, the derivative of w [rad/s^2]."""


def views(ref: Floats) -> Views:
    """Returns views into the reference of a task of this kind; writing to them changes the reference."""
    vectors = (ref[start : start + 3] for start in (P_WF, V_WF, W_WF, A_WF, WDOT_WF))
    return Views(ref[R_WF:P_WF].reshape(3, 3), *vectors)
