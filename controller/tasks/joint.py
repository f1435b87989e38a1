"""Task kind for the motion of one joint, as one row. For many joints the kind `posture` is cheaper.

`f` is the index of the joint. The reference holds q [rad], v [rad/s] and vdot [rad/s^2]. The gains are kp
[1/s^2] and kd [1/s].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kilohertz.controller.problem.tables import MOTION
from kilohertz.controller.tasks.kind import task_kind
from kilohertz.robots.model.kin import NQ_BASE, NV_BASE, Floats, Kin

Q, V, VDOT = range(3)
"""Index of each part of the reference."""
KP, KD = range(2)


@task_kind("joint", space=MOTION, dim=1, n_ref=3, gains=(2,))
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the row and the right-hand side; see `spec`."""
    T[0, :] = 0.0
    T[0, k.size[NV_BASE] + f] = 1.0
    q, v = k.q[k.size[NQ_BASE] + f], k.v[k.size[NV_BASE] + f]
    b[0] = gain[KP] * (ref[Q] - q) + gain[KD] * (ref[V] - v) + ref[VDOT]


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Row (1, nv) and the desired acceleration of the joint [rad/s^2]."""
    T = np.zeros((1, len(k.v)))
    T[0, k.size[NV_BASE] + f] = 1.0
    q, v = k.q[k.size[NQ_BASE] + f], k.v[k.size[NV_BASE] + f]
    return T, np.array([gain[KP] * (ref[Q] - q) + gain[KD] * (ref[V] - v) + ref[VDOT]])
