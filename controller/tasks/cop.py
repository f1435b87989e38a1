"""Task kind for the centre of pressure of one contact, as rows on its wrench.

`f` is the contact slot. The reference holds the x and y position of the centre of pressure from the middle of
the contact, in the contact's axes (2) [m]. There are no gains. Each row is the normal force times the
distance by which the centre of pressure is beyond the reference [Nm]; its sign is positive on the side of
larger x (or y).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kilohertz.controller.problem.tables import WRENCH
from kilohertz.controller.tasks.kind import task_kind
from kilohertz.robots.model.kin import FZ, MX, MY, N_CONTACTS, Floats, Kin, X, Y


@task_kind("cop", space=WRENCH, dim=2, n_ref=2, gains=(0,), components=(MY, MX), closed=1)
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the rows and the right-hand side; see `spec`."""
    o = 6 * f
    T[0, o + FZ], T[0, o + MY] = -ref[X], -1.0
    T[1, o + FZ], T[1, o + MX] = -ref[Y], 1.0
    b[0] = b[1] = 0.0


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Rows (2, 6 contacts) of -my - ref_x fz and mx - ref_y fz, and their desired value, 0 [Nm].

    The centre of pressure is at x = -my / fz, y = mx / fz.
    """
    T = np.zeros((2, 6 * int(k.size[N_CONTACTS])))
    T[:, 6 * f : 6 * f + 6] = [[0, 0, -ref[X], 0, -1, 0], [0, 0, -ref[Y], 1, 0, 0]]
    return T, np.zeros(2)
