"""One joint's motion, as a row (a posture is cheaper for many of them).

f: index of the joint; ref: q, v, vdot (3) [rad], [rad/s], [rad/s^2]; gain: kp, kd [1/s^2], [1/s].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kilohertz.controller.problem.tables import MOTION, Floats, Kin
from kilohertz.controller.tasks.kind import task_kind


@task_kind("joint", space=MOTION, dim=1, n_ref=3)
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the row; see `spec`."""
    T[0, :] = 0.0
    T[0, k.n_base[0] + f] = 1.0
    q, v = k.q[k.n_base[1] + f], k.v[k.n_base[0] + f]
    b[0] = gain[0] * (ref[0] - q) + gain[1] * (ref[1] - v) + ref[2]


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Row (1, nv) and the desired acceleration of the joint [rad/s^2]."""
    T = np.zeros((1, len(k.v)))
    T[0, k.n_base[0] + f] = 1.0
    q, v = k.q[k.n_base[1] + f], k.v[k.n_base[0] + f]
    return T, np.array([gain[0] * (ref[0] - q) + gain[1] * (ref[1] - v) + ref[2]])
