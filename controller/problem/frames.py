"""Compiled functions shared by the frame tasks: rotation into a frame, rotation error and pose error."""

from __future__ import annotations

import numpy as np

from kilohertz.estimators.so3 import log3
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import ANGULAR, Floats

_P_REF = 9
"""Index at which the position begins in the reference of a pose; the rotation comes first."""


@kernel
def to_frame(R: Floats, a: Floats, start: int, out: Floats) -> None:
    """Rotates a world vector into the frame's axes: writes R' a[start : start + 3] into out."""
    for r in range(3):
        out[r] = R[0, r] * a[start] + R[1, r] * a[start + 1] + R[2, r] * a[start + 2]


@kernel
def copy_row(row: Floats, out: Floats) -> None:
    """Copies row into out. A loop, because `out[:] = row` also compiles the checks of the two shapes."""
    for i in range(len(out)):
        out[i] = row[i]


@kernel
def rotation_error(R: Floats, ref: Floats, out: Floats, E: Floats) -> float:
    """Writes the rotation error log3(R' R_ref) into out and returns its angle [rad].

    Args:
        R: (3, 3) R_WF.
        ref: array whose first 9 numbers are the reference R_WF, row by row.
        out: (3,) rotation error in the frame's axes [rad].
        E: (3, 3) scratch.
    """
    for r in range(3):
        for c in range(3):
            E[r, c] = R[0, r] * ref[c] + R[1, r] * ref[3 + c] + R[2, r] * ref[6 + c]
    return log3(E, out)


@kernel
def pose_error(R: Floats, p: Floats, ref: Floats, out: Floats, s: Floats) -> None:
    """Writes the pose error, log6 of the reference pose relative to the frame, into out (6,).

    `ref` holds R_ref row by row (9), then p_ref (3). `s` is scratch.

    The linear part is V(w)^-1 R' (p_ref - p), with w the rotation error (Murray, Li, Sastry 1994, A.14).
    """
    w = out[ANGULAR:6]
    angle = rotation_error(R, ref, w, s[5:8])
    d, x = s[3], s[4]
    for r in range(3):
        d[r] = ref[_P_REF + r] - p[r]
    to_frame(R, d, 0, x)
    if angle < 1e-4:
        alpha = 1.0 - angle * angle / 12.0
        beta = 1.0 / 12.0
    else:
        alpha = angle * np.sin(angle) / (2.0 * (1.0 - np.cos(angle)))
        beta = (1.0 - alpha) / (angle * angle)
    wx = w[0] * x[0] + w[1] * x[1] + w[2] * x[2]
    out[0] = alpha * x[0] - 0.5 * (w[1] * x[2] - w[2] * x[1]) + beta * wx * w[0]
    out[1] = alpha * x[1] - 0.5 * (w[2] * x[0] - w[0] * x[2]) + beta * wx * w[1]
    out[2] = alpha * x[2] - 0.5 * (w[0] * x[1] - w[1] * x[0]) + beta * wx * w[2]
