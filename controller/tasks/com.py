"""Centre of mass: rows on the rate of the linear momentum.

ref: p_WC, v_WC, a_WC (9, world); gain: kp (3), kd (3) per axis [1/s^2], [1/s].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kilohertz.controller.problem.tables import MOMENTUM, Floats, Kin
from kilohertz.controller.tasks.kind import task_kind


@task_kind("com", space=MOMENTUM, dim=3, n_ref=9)
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the rows; see `spec`."""
    for r in range(3):
        T[r, r] = 1.0 / k.mass[0]
        b[r] = gain[r] * (ref[r] - k.p_WC[r]) + gain[3 + r] * (ref[3 + r] - k.v_WC[r]) + ref[6 + r]


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Rows (3, 6) on the momentum rate and the desired acceleration of the centre of mass [m/s^2]."""
    T = np.hstack([np.eye(3) / k.mass[0], np.zeros((3, 3))])
    return T, gain[:3] * (ref[:3] - k.p_WC) + gain[3:6] * (ref[3:6] - k.v_WC) + ref[6:9]
