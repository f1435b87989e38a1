"""Angular momentum about the centre of mass: rows on its rate.

ref: L_C, Ldot_C (6, world); gain: kp (1) [1/s].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kilohertz.controller.problem.tables import MOMENTUM
from kilohertz.controller.tasks.kind import task_kind
from kilohertz.robots.model.kin import MOMENT, Floats, Kin

L_C, L_RATE = 0, 3
"""Where each part of the reference begins."""
KP = 0


@task_kind("angular_momentum", space=MOMENTUM, dim=3, n_ref=6)
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the rows; see `spec`."""
    for r in range(3):
        T[r, MOMENT + r] = 1.0
        b[r] = gain[KP] * (ref[L_C + r] - k.L_C[r]) + ref[L_RATE + r]


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Rows (3, 6) on the momentum rate and the desired rate of the angular momentum [Nm]."""
    return np.hstack([np.zeros((3, 3)), np.eye(3)]), gain[KP] * (ref[L_C:L_RATE] - k.L_C) + ref[L_RATE:6]
