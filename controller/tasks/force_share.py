"""Task kind for the share of one contact in the vertical force of all closed contacts, as one row.

`f` is the contact slot. The reference is the share, 0 to 1. There are no gains. The row is the vertical force
of the contact beyond that share [N].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kilohertz.controller.problem.tables import WRENCH
from kilohertz.controller.tasks.kind import task_kind
from kilohertz.robots.model.kin import FZ, N_CONTACTS, Floats, Kin, Z

SHARE = 0


@task_kind("force_share", space=WRENCH, dim=1, n_ref=1, gains=(0,), components=(FZ,), closed=2)
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the row and the right-hand side; see `spec`."""
    for c in range(k.size[N_CONTACTS]):
        part = 1.0 - ref[SHARE] if c == f else -ref[SHARE]
        for axis in range(3):
            T[0, 6 * c + axis] = part * k.R[c, Z, axis]
    b[0] = 0.0


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Row (1, 6 contacts) of contact f's vertical force minus ref times that of all contacts, and 0 [N]."""
    n = int(k.size[N_CONTACTS])
    vertical = np.hstack([k.R[:n, Z], np.zeros((n, 3))])
    return ((np.eye(n)[f] - ref[SHARE])[:, None] * vertical).reshape(1, 6 * n), np.zeros(1)
