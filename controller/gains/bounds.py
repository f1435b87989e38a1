"""Section `inequalities` of gains.yaml: bounds that hold during every behaviour.

A position approaches its bound like a critically damped spring, without overshoot: the speed is at most
`rate_per_s` times the remaining distance.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from kilohertz.controller.problem.declarations import Inequality
from kilohertz.robots.config.yaml_file import Config

_RATE = Field(default=20.0, gt=0, le=100, description="how fast a bound is approached")
_SOFT_RATE = Field(default=8.0, gt=0, le=100, description="how fast a bound is approached")
_SIDES = ("at_least", "at_most")


class FrameBound(Config):
    """Bounds on coordinate and velocity of a link, hand or sole along a direction of the world.

    The origin of the world is where the robot started.
    """

    frame: str = Field(description="name of a hand, a contact, a link or another frame of the model")
    along: tuple[float, float, float] = Field(default=(0.0, 0.0, 1.0), description="direction; up")
    at_least_m: float | None = Field(default=None, description="least coordinate along that direction")
    at_most_m: float | None = Field(default=None, description="largest coordinate along that direction")
    at_least_m_s: float | None = Field(default=None, description="least velocity along that direction")
    at_most_m_s: float | None = Field(default=None, description="largest velocity along that direction")
    rate_per_s: float = _RATE


class JointBound(Config):
    """Bounds on position and velocity of joints, in addition to the limits of the drives."""

    joints: tuple[str, ...] = Field(description="names of the joints")
    at_least_rad: float | None = Field(default=None, description="least position")
    at_most_rad: float | None = Field(default=None, description="largest position")
    at_least_rad_s: float | None = Field(default=None, description="least velocity")
    at_most_rad_s: float | None = Field(default=None, description="largest velocity")
    rate_per_s: float = _RATE


class CentreOfMassBound(Config):
    """Box in the world that contains the centre of mass; null leaves an axis free."""

    at_least_m: tuple[float | None, float | None, float | None] | None = Field(
        default=None, description="lower corner of the box"
    )
    at_most_m: tuple[float | None, float | None, float | None] | None = Field(
        default=None, description="upper corner of the box"
    )
    rate_per_s: float = _SOFT_RATE


class ContactBound(Config):
    """Bounds on centre of pressure and vertical force of a sole while it is in contact."""

    contact: str = Field(description="name of the contact")
    cop_at_least_m: tuple[float, float] | None = Field(
        default=None,
        description="least centre of pressure from the middle of the sole, along x and y of the sole",
    )
    cop_at_most_m: tuple[float, float] | None = Field(
        default=None, description="largest centre of pressure, likewise"
    )
    share_at_least: float | None = Field(
        default=None, ge=0, lt=1, description="least part of the vertical force of all soles"
    )
    share_at_most: float | None = Field(
        default=None, gt=0, le=1, description="largest part of the vertical force of all soles"
    )


class Bounds(Config):
    """All bounds of a robot; each has a name, under which it is reported."""

    frames: dict[str, FrameBound] = Field(
        default={},
        description="as: low: {frame: right_hand, along: [0, 0, 1], at_most_m: 1.1, at_most_m_s: 0.5}",
    )
    joints: dict[str, JointBound] = Field(
        default={}, description="as: bent: {joints: [left_knee_joint], at_least_rad: 0.2, at_most_rad_s: 3}"
    )
    com: dict[str, CentreOfMassBound] = Field(
        default={}, description="as: box: {at_least_m: [-0.05, null, 0.5], at_most_m: [0.05, null, null]}"
    )
    contacts: dict[str, ContactBound] = Field(
        default={},
        description="as: left: {contact: left_foot, cop_at_most_m: [0.06, 0.02], share_at_most: 0.8}",
    )


def inequalities(bounds: Bounds, frames: Mapping[str, str]) -> list[Inequality]:
    """Returns the inequalities for the whole-body problem, named `NAME.at_most_m`, `NAME.at_least_m_s` etc.

    Args:
        bounds: section `inequalities` of gains.yaml.
        frames: name of the model's frame for each name that gains.yaml may use, see `frame_names`.
    """
    given: list[Inequality] = []
    for name, frame in bounds.frames.items():
        given += _frame(name, frame, frames[frame.frame])
    for name, joint in bounds.joints.items():
        given += _joints(name, joint)
    for name, com in bounds.com.items():
        for side, corner in zip(_SIDES, (com.at_least_m, com.at_most_m), strict=True):
            if corner is not None:
                rows = [axis is not None for axis in corner]
                reference = [axis or 0.0 for axis in corner] + [0.0] * 6
                kp, kd = _spring(com.rate_per_s)
                given.append(
                    Inequality(f"{name}.{side}_m", "com", side, reference, [kp] * 3 + [kd] * 3, None, rows)
                )
    for name, contact in bounds.contacts.items():
        given += _contact(name, contact)
    return given


def _frame(name: str, bound: FrameBound, frame: str) -> list[Inequality]:
    kp, kd = _spring(bound.rate_per_s)
    given = []
    for side, m, m_s in zip(
        _SIDES, (bound.at_least_m, bound.at_most_m), (bound.at_least_m_s, bound.at_most_m_s), strict=True
    ):
        kind = "frame_coordinate"
        if m is not None:
            given.append(
                Inequality(f"{name}.{side}_m", kind, side, [*bound.along, m, 0.0, 0.0], [kp, kd], frame)
            )
        if m_s is not None:
            given.append(
                Inequality(f"{name}.{side}_m_s", kind, side, [*bound.along, 0.0, m_s, 0.0], [0.0, kd], frame)
            )
    return given


def _joints(name: str, bound: JointBound) -> list[Inequality]:
    kp, kd = _spring(bound.rate_per_s)
    given = []
    for joint in bound.joints:
        prefix = f"{name}.{joint}" if len(bound.joints) > 1 else name
        for side, rad, rad_s in zip(
            _SIDES,
            (bound.at_least_rad, bound.at_most_rad),
            (bound.at_least_rad_s, bound.at_most_rad_s),
            strict=True,
        ):
            if rad is not None:
                given.append(Inequality(f"{prefix}.{side}_rad", "joint", side, [rad, 0, 0], [kp, kd], joint))
            if rad_s is not None:
                given.append(
                    Inequality(f"{prefix}.{side}_rad_s", "joint", side, [0, rad_s, 0], [0.0, kd], joint)
                )
    return given


def _contact(name: str, bound: ContactBound) -> list[Inequality]:
    given = []
    for side, cop, share in zip(
        _SIDES,
        (bound.cop_at_least_m, bound.cop_at_most_m),
        (bound.share_at_least, bound.share_at_most),
        strict=True,
    ):
        if cop is not None:
            given.append(Inequality(f"{name}.cop_{side}_m", "cop", side, cop, (), bound.contact))
        if share is not None:
            given.append(Inequality(f"{name}.share_{side}", "force_share", side, [share], (), bound.contact))
    return given


def _spring(rate_per_s: float) -> tuple[float, float]:
    return rate_per_s**2, 2.0 * rate_per_s
