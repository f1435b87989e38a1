"""Task kind for the posture, as a diagonal on all joint accelerations, which adds no work to the solver.

The reference holds q_des (na) [rad], then the relative weight of each joint (na). The gains are kp [1/s^2]
and kd [1/s].
"""

from __future__ import annotations

from typing import Any

from kilohertz.controller.problem.tables import JOINT_DIAGONAL
from kilohertz.controller.tasks.kind import task_kind
from kilohertz.robots.model.kin import NQ_BASE, NV_BASE, Floats, Kin

KP, KD = range(2)


@task_kind("posture", space=JOINT_DIAGONAL, dim=0, n_ref=-2, gains=(2,))
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the diagonal and the desired accelerations; see `spec`."""
    nb, nq = k.size[NV_BASE], k.size[NQ_BASE]
    na = len(k.v) - nb
    for j in range(na):
        T[0, j] = ref[na + j]
        b[j] = gain[KP] * (ref[j] - k.q[nq + j]) - gain[KD] * k.v[nb + j]


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Diagonal (1, na) and the desired joint accelerations [rad/s^2]."""
    na = len(k.v) - int(k.size[NV_BASE])
    q, v = k.q[int(k.size[NQ_BASE]) :], k.v[int(k.size[NV_BASE]) :]
    return ref[na:].reshape(1, na), gain[KP] * (ref[:na] - q) - gain[KD] * v
