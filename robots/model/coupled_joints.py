"""Which coupled joints and joints without a motor are locked: those of grippers, which carry little.

The controller's model has independent joints, each with a motor. Joints of a gripper that are coupled are
locked together with the joint that drives them. A coupling in an arm or a leg is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from kilohertz.robots.model.model_error import ModelFileError

LIGHT = 0.1
"""Largest mass that a gripper's joints may carry, as a fraction of the robot's mass."""


@dataclass(frozen=True)
class Locks:
    """Joints that are locked without being listed in robot.yaml.

    Attributes:
        positions: position of each of these joints [rad, or m for a sliding joint].
        notes: one sentence for each group of joints.
    """

    positions: Mapping[str, float]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Joints that the controller cannot move independently.

    Attributes:
        reason: what holds or couples the joints, such as "joint 'a' follows joint 'b' (mimic)".
        positions: position at which each joint would be locked [rad, or m for a sliding joint].
        carried_kg: mass that the joints carry [kg].
        carried_links: links that the joints carry.
        motor_remedy: what to do if the joints do have motors of their own.
    """

    reason: str
    positions: Mapping[str, float]
    carried_kg: float
    carried_links: frozenset[str]
    motor_remedy: str


def lock_groups(groups: Collection[Group], mass_kg: float, named_links: Collection[str]) -> Locks:
    """Locks groups of joints that carry little and nothing that robot.yaml names.

    Args:
        groups: groups of joints.
        mass_kg: mass of the robot [kg].
        named_links: links of hands, contacts, IMU, trunk and eyes.

    Raises:
        ModelFileError: a group moves a part that matters for the control.
    """
    positions: dict[str, float] = {}
    notes = []
    for group in groups:
        locks = ", ".join(f"{name}: {value:.4g}" for name, value in group.positions.items())
        named = sorted(group.carried_links & set(named_links))
        if named or group.carried_kg > LIGHT * mass_kg:
            what = f"link '{named[0]}'" if named else f"{group.carried_kg:.2g} kg"
            raise ModelFileError(
                f"{group.reason}, which the controller's model cannot have, and which moves {what}: lock "
                f"what is not controlled with locked_joints_rad: {{{locks}}}, or {group.motor_remedy}"
            )
        positions |= group.positions
        one = len(group.positions) == 1
        notes.append(
            f"{group.reason}: {'it is' if one else 'they are'} not controlled and locked at {locks} "
            "(to lock elsewhere: locked_joints_rad)"
        )
    return Locks(positions, tuple(notes))
