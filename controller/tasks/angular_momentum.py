"""Task kind for the angular momentum about the centre of mass, as rows on its rate.

The reference holds L_C (3) [kg m^2/s] and Ldot_C (3) [Nm], in world axes; the gain is kp [1/s].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kilohertz.controller.problem.tables import MOMENTUM
from kilohertz.controller.tasks.kind import task_kind
from kilohertz.robots.model.kin import MOMENT, Floats, Kin

L_C, L_RATE = 0, 3
"""Index at which each part of the reference begins."""
KP = 0


@task_kind("angular_momentum", space=MOMENTUM, dim=3, n_ref=6, gains=(1,))
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the rows and the right-hand side; see `spec`."""
    for r in range(3):
        T[r, MOMENT + r] = 1.0
        b[r] = gain[KP] * (ref[L_C + r] - k.L_C[r]) + ref[L_RATE + r]


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Rows (3, 6) on the momentum rate and the desired rate of the angular momentum [Nm]."""
    return np.hstack([np.zeros((3, 3)), np.eye(3)]), gain[KP] * (ref[L_C:L_RATE] - k.L_C) + ref[L_RATE:6]
