"""Share of one contact in the vertical force of all closed contacts: a row on their wrenches.

f: contact slot; ref: the share (1), 0 to 1. The row is the vertical force beyond that share [N].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kilohertz.controller.problem.tables import WRENCH, Floats, Kin
from kilohertz.controller.tasks.kind import task_kind


@task_kind("force_share", space=WRENCH, dim=1, n_ref=1, components=(2,), closed=2)
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the row; see `spec`."""
    for c in range(k.n_base[2]):
        part = 1.0 - ref[0] if c == f else -ref[0]
        for axis in range(3):
            T[0, 6 * c + axis] = part * k.R[c, 2, axis]
    b[0] = 0.0


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Row (1, 6 contacts): the vertical force of contact f less ref times that of all; 0 is asked for."""
    n = int(k.n_base[2])
    vertical = np.hstack([k.R[:n, 2], np.zeros((n, 3))])
    return ((np.eye(n)[f] - ref[0])[:, None] * vertical).reshape(1, 6 * n), np.zeros(1)
