"""What a whole-body problem is declared with: tasks, contacts and barriers, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """A task as declared.

    Attributes:
        name: unique; rows, references and explanations carry it.
        kind: a registered task kind.
        frame: operational frame or link (frame kinds), joint (kind `joint`), contact (kind `contact_force`).
        weight: one number for all rows, or one per row; 0 leaves a row out.
        gain: as the kind documents.
    """

    name: str
    kind: str
    weight: float | Sequence[float]
    gain: Sequence[float] = ()
    frame: str | None = None


@dataclass(frozen=True)
class ContactSettings:
    """How contacts are treated.

    Attributes:
        damping_per_s: the sole's velocity is driven to zero at this rate.
        min_force_N: least normal force of a closed contact.
        max_force_N: largest.
    """

    damping_per_s: float
    min_force_N: float
    max_force_N: float


@dataclass(frozen=True)
class BarrierSettings:
    """Joint barriers; see `controller.qp.kinematics.barriers`."""

    position_per_s2: float = 200.0
    damping_per_s: float = 30.0
    velocity_per_s: float = 50.0
    largest_rad_s2: float = 300.0
