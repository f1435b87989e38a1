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
class Inequality:
    """A bound on what a task kind measures, which is never left: its rows may only be on one side of it.

    A kind's rows ask for the acceleration (or force) that brings it to its reference; here that is the most,
    or the least, that is allowed. So with kp and kd = 2 sqrt(kp) the bound is approached without overshoot,
    and with kp = 0 it is one on the velocity.

    Attributes:
        name: unique among tasks and inequalities; explanations carry it.
        kind: a registered task kind with rows.
        side: "at_most" or "at_least".
        reference: as the kind documents: the bound.
        gain: as the kind documents.
        frame: as in `Task`.
        rows: which of the kind's rows are bounded; all, if left out.
    """

    name: str
    kind: str
    side: str
    reference: Sequence[float]
    gain: Sequence[float] = ()
    frame: str | None = None
    rows: Sequence[bool] | None = None


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
    """Joint barriers; see `kilohertz.controller.qp.whole_body_kinematics.barriers`."""

    position_per_s2: float = 200.0
    damping_per_s: float = 30.0
    velocity_per_s: float = 50.0
    largest_rad_s2: float = 300.0
