"""Declarations of a whole-body problem as plain data: tasks, inequalities, contacts and joint barriers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """Declaration of one task.

    Attributes:
        name: unique name; rows, references and explanations use it.
        kind: name of a registered task kind.
        weight: weight of all rows, or one weight per row; a row of weight 0 is left out.
        gain: gains in the order and units that the task kind documents.
        frame: name of an operational frame or link (frame kinds), of a joint (kind `joint`) or of a contact
            (kinds `contact_force`, `cop` and `force_share`).
    """

    name: str
    kind: str
    weight: float | Sequence[float]
    gain: Sequence[float] = ()
    frame: str | None = None


@dataclass(frozen=True)
class Inequality:
    """Declaration of a hard bound on the quantity that a task kind controls.

    The rows of a task ask for the acceleration (or force) that brings its quantity to the reference. The rows
    of an inequality make this acceleration (or force) the largest or the smallest that is allowed. With kp
    and kd = 2 sqrt(kp) the quantity approaches the bound without overshoot; with kp = 0 the bound is on the
    velocity.

    Attributes:
        name: unique name among tasks and inequalities; explanations use it.
        kind: name of a registered task kind that has rows.
        side: "at_most" for an upper bound, "at_least" for a lower bound.
        reference: the bound, as the reference that the task kind documents.
        gain: gains in the order and units that the task kind documents.
        frame: name of a frame, joint or contact, as in `Task`.
        rows: True for each row of the kind that is bounded; None bounds all rows.
        rank: "comfort" or "safety"; a row of rank "safety" is violated only if safety rows alone contradict
            each other, see `kilohertz.controller.problem.ranks`.
    """

    name: str
    kind: str
    side: str
    reference: Sequence[float]
    gain: Sequence[float] = ()
    frame: str | None = None
    rows: Sequence[bool] | None = None
    rank: str = "comfort"


@dataclass(frozen=True)
class ContactSettings:
    """Settings shared by all contacts.

    Attributes:
        damping_per_s: rate at which the velocity of a closed contact is driven to zero.
        min_force_N: smallest normal force of a closed contact.
        max_force_N: largest normal force of a closed contact.
        rolls: whether soles may roll over an edge, see `kilohertz.controller.qp.rolling`.
    """

    damping_per_s: float
    min_force_N: float
    max_force_N: float
    rolls: bool = False


@dataclass(frozen=True)
class BarrierSettings:
    """Gains of the joint barriers; see `kilohertz.controller.qp.whole_body_kinematics.barriers`.

    Attributes:
        position_per_s2: gain on the distance to a position limit.
        damping_per_s: gain on the joint velocity near a position limit.
        velocity_per_s: gain on the difference to a velocity limit.
        largest_rad_s2: largest inward acceleration that a barrier demands.
    """

    position_per_s2: float = 200.0
    damping_per_s: float = 30.0
    velocity_per_s: float = 50.0
    largest_rad_s2: float = 300.0
