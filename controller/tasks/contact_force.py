"""Wrench of one contact: a diagonal, which regularises it towards a reference.

f: contact slot; ref: the wrench's components in the contact frame (6) [N, Nm], then their relative weights
(6).
"""

from __future__ import annotations

from typing import Any

from kilohertz.controller.problem.tables import WRENCH_DIAGONAL
from kilohertz.controller.tasks.kind import task_kind
from kilohertz.robots.model.kin import Floats, Kin

WRENCH, WEIGHT = 0, 6
"""Where each part of the reference begins."""


@task_kind("contact_force", space=WRENCH_DIAGONAL, dim=6, n_ref=12)
def fill(k: Kin, f: int, ref: Floats, gain: Floats, T: Floats, b: Floats) -> None:
    """Writes the diagonal and the desired wrench; see `spec`."""
    for r in range(6):
        T[0, r] = ref[WEIGHT + r]
        b[r] = ref[WRENCH + r]


def spec(k: Any, f: int, ref: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """Diagonal (1, 6) and the desired wrench (6)."""
    return ref[WEIGHT:12].reshape(1, 6), ref[WRENCH:WEIGHT]
