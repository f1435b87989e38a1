"""Check of the names in gains.yaml: each must be a contact, a joint or a frame of the robot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kilohertz.controller.gains.bounds import Bounds
from kilohertz.robots.model.robot_model import RobotModel

Finding = tuple[tuple[str | int, ...], str, tuple[str, ...]]
"""Path of the key, description of the error, and the values that are allowed."""

_SUM = 1e-6
"""Tolerance on the sum of the shares of the weight."""


def frame_names(robot: RobotModel) -> dict[str, str]:
    """Returns the name of the model's frame for each name that gains.yaml may use.

    These are the names of all frames of the model, of the contacts and of the hands. If names coincide, a
    hand takes precedence over a contact, and a contact over a frame.
    """
    frames = robot.pin_model.frames
    names = {str(frame.name): str(frame.name) for frame in frames}
    names.update((contact.name, str(frames[contact.frame_id].name)) for contact in robot.contacts)
    names.update((hand.name, str(frames[hand.frame_id].name)) for hand in robot.hands)
    return names


def misfits(robot: RobotModel, stance: Mapping[str, float | None], bounds: Bounds) -> Iterator[Finding]:
    """Yields each entry of a gains.yaml that does not fit the robot.

    Args:
        robot: the robot that the gains belong to.
        stance: share of the weight that each named sole should carry; None where no share is given.
        bounds: section `inequalities` of the gains.

    Yields:
        Path of the key, description of the error, and the values that are allowed.
    """
    contacts = robot.contact_names
    for name in stance:
        if name not in contacts:
            yield ("stance", name), "is no contact of this robot", contacts
    shares = [stance[name] for name in contacts if name in stance]
    given = sum(share for share in shares if share is not None)
    everyone = len(shares) == len(contacts) and None not in shares
    if given > 1.0 + _SUM or (everyone and given < 1.0 - _SUM and shares):
        yield ("stance",), "the shares of the contacts do not add up to 1", ()
    for name, frame in bounds.frames.items():
        if frame.frame not in (known := frame_names(robot)):
            yield ("inequalities", "frames", name, "frame"), "is no frame of this robot", tuple(known)
    for name, joints in bounds.joints.items():
        for i, joint in enumerate(joints.joints):
            if joint not in robot.joint_names:
                key = ("inequalities", "joints", name, "joints", i)
                yield key, "is no joint of this robot", robot.joint_names
    for name, contact in bounds.contacts.items():
        if contact.contact not in contacts:
            yield ("inequalities", "contacts", name, "contact"), "is no contact of this robot", contacts
    if bounds.com and not robot.floating:
        yield ("inequalities", "com"), "the base of this robot is fixed to the ground", ()
