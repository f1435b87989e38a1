"""Posture: a diagonal on all joint accelerations, so it costs nothing in the solver.

ref: q_des (na) [rad], then the relative weight of each joint (na); gain: kp, kd [1/s^2], [1/s].
"""

from __future__ import annotations

from typing import Any

from kilohertz.controller.problem.tables import JOINT_DIAGONAL, Floats, Kin
from kilohertz.controller.tasks.kind import task_kind


@task_kind("posture", space=JOINT_DIAGONAL, dim=0, n_ref=-2)
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the diagonal and the desired accelerations; see `spec`."""
    nb, nq = k.n_base[0], k.n_base[1]
    na = len(k.v) - nb
    for j in range(na):
        T[0, j] = ref[na + j]
        b[j] = gain[0] * (ref[j] - k.q[nq + j]) - gain[1] * k.v[nb + j]


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Diagonal (1, na) and the desired joint accelerations [rad/s^2]."""
    na = len(k.v) - int(k.n_base[0])
    q, v = k.q[int(k.n_base[1]) :], k.v[int(k.n_base[0]) :]
    return ref[na:].reshape(1, na), gain[0] * (ref[:na] - q) - gain[1] * v
