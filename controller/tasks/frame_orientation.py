"""Task kind for the orientation of a frame.

The reference holds R_WF row by row (9), then w_WF (3) [rad/s] and wdot_WF (3) [rad/s^2], in world axes. The
gains are kp [1/s^2] and kd [1/s]. The rows are in the frame's axes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pinocchio as pin

from kilohertz.controller.problem.frames import copy_row, rotation_error, to_frame
from kilohertz.controller.problem.tables import MOTION
from kilohertz.controller.tasks.kind import task_kind
from kilohertz.robots.model.kin import ANGULAR, Floats, Kin

R_WF, W_WF, WDOT_WF = 0, 9, 12
"""Index at which each part of the reference begins."""
KP, KD = range(2)


@task_kind("frame_orientation", space=MOTION, dim=3, n_ref=15, gains=(2,))
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the rows and the right-hand side; see `spec`."""
    w, a, R = k.s[0], k.s[1], k.R[f]
    rotation_error(R, ref, b, k.s[5:8])
    to_frame(R, ref, W_WF, w)
    to_frame(R, ref, WDOT_WF, a)
    for r in range(3):
        i = ANGULAR + r
        copy_row(k.J[f, i], T[r])
        b[r] = gain[KP] * b[r] + gain[KD] * (w[r] - k.vel[f, i]) + a[r] - k.drift[f, i]


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Rows (3, nv) and the desired angular acceleration minus the drift [rad/s^2]."""
    R = k.R[f]
    R_des, w_des, wdot_des = views(ref)
    b = gain[KP] * pin.log3(R.T @ R_des) + gain[KD] * (R.T @ w_des - k.vel[f, ANGULAR:])
    return k.J[f, ANGULAR:], b + R.T @ wdot_des - k.drift[f, ANGULAR:]


class Views(NamedTuple):
    """Named views of the parts of a reference."""

    R: Floats
    """(3, 3) R_WF."""
    w: Floats
    """(3,) w_WF in world axes [rad/s]."""
    wdot: Floats
    """(3,) wdot_WF, the derivative of w [rad/s^2]."""


def views(ref: Floats) -> Views:
    """Returns views into the reference of a task of this kind; writing to them changes the reference."""
    return Views(ref[R_WF:W_WF].reshape(3, 3), ref[W_WF:WDOT_WF], ref[WDOT_WF : WDOT_WF + 3])
