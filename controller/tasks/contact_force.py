"""Task kind for the wrench of one contact, as a diagonal that regularises it towards a reference.

`f` is the contact slot. The reference holds the wrench in the contact frame (6) [N, Nm], then the relative
weight of each component (6). There are no gains.
"""

from __future__ import annotations

from typing import Any

from kilohertz.controller.problem.tables import WRENCH_DIAGONAL
from kilohertz.controller.tasks.kind import task_kind
from kilohertz.robots.model.kin import Floats, Kin

WRENCH, WEIGHT = 0, 6
"""Index at which each part of the reference begins."""


@task_kind("contact_force", space=WRENCH_DIAGONAL, dim=6, n_ref=12, gains=(0,))
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the diagonal and the desired wrench; see `spec`."""
    for r in range(6):
        T[0, r] = ref[WEIGHT + r]
        b[r] = ref[WRENCH + r]


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Diagonal (1, 6) and the desired wrench (6,) in the contact frame [N, Nm]."""
    return ref[WEIGHT:12].reshape(1, 6), ref[WRENCH:WEIGHT]
