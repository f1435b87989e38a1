"""Task kind for the centre of mass, as rows on the rate of the linear momentum.

The reference holds p_WC [m], v_WC [m/s] and a_WC [m/s^2] (3 each), in world axes. The gains are kp (3)
[1/s^2] and kd (3) [1/s], one per axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kilohertz.controller.problem.tables import MOMENTUM
from kilohertz.controller.tasks.kind import task_kind
from kilohertz.robots.model.kin import Floats, Kin

P_WC, V_WC, A_WC = 0, 3, 6
"""Index at which each part of the reference begins."""
KP, KD = 0, 3
"""Index at which each part of the gains begins."""


@task_kind("com", space=MOMENTUM, dim=3, n_ref=9, gains=(6,))
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the rows and the right-hand side; see `spec`."""
    for r in range(3):
        T[r, r] = 1.0 / k.mass[0]
        b[r] = (
            gain[KP + r] * (ref[P_WC + r] - k.p_WC[r])
            + gain[KD + r] * (ref[V_WC + r] - k.v_WC[r])
            + ref[A_WC + r]
        )


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Rows (3, 6) on the momentum rate and the desired acceleration of the centre of mass [m/s^2]."""
    T = np.hstack([np.eye(3) / k.mass[0], np.zeros((3, 3))])
    p, v, a = ref[P_WC:V_WC], ref[V_WC:A_WC], ref[A_WC:9]
    return T, gain[KP:KD] * (p - k.p_WC) + gain[KD:6] * (v - k.v_WC) + a
