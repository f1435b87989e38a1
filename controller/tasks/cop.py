"""Centre of pressure of one contact: rows on its wrench.

f: contact slot; ref: the centre of pressure along x and y of the contact's axes, from its middle (2) [m].
Each row is the normal force times the distance by which the centre of pressure is beyond the reference [Nm]:
its sign says on which side it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kilohertz.controller.problem.tables import WRENCH
from kilohertz.controller.tasks.kind import task_kind
from kilohertz.robots.model.kin import FZ, MX, MY, N_CONTACTS, Floats, Kin, X, Y


@task_kind("cop", space=WRENCH, dim=2, n_ref=2, components=(MY, MX), closed=1)
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the rows; see `spec`."""
    o = 6 * f
    T[0, o + FZ], T[0, o + MY] = -ref[X], -1.0
    T[1, o + FZ], T[1, o + MX] = -ref[Y], 1.0
    b[0] = b[1] = 0.0


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Rows (2, 6 contacts): x_cop fz = -my and y_cop fz = mx, each less ref fz; 0 is asked for."""
    T = np.zeros((2, 6 * int(k.size[N_CONTACTS])))
    T[:, 6 * f : 6 * f + 6] = [[0, 0, -ref[X], 0, -1, 0], [0, 0, -ref[Y], 1, 0, 0]]
    return T, np.zeros(2)
