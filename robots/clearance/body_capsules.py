"""The moving parts of a robot as capsules in the frames of its joints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from kilohertz.robots.clearance.capsule_fit import Capsule, cover
from kilohertz.robots.clearance.link_shapes import Shape, Shapes, link_shapes, visual_shapes
from kilohertz.robots.model.kin import Floats, Ints
from kilohertz.robots.model.robot_model import RobotModel

SOLE_THICKNESS_M = 0.03
"""Thickness of the plate that stands for a sole [m]."""
_MOST_SHAPES = 6
"""A part with more shapes than this is covered as their common convex hull."""


@dataclass(frozen=True, eq=False)
class BodyCapsules:
    """Capsules of a robot's moving parts. A part is all that one joint moves as one rigid body.

    L is the number of parts with geometry, n that of all capsules.

    Attributes:
        parts: (L,) name of each part: that of its hand, else that of its first link.
        members: links of each part.
        joint: (L,) index of the joint in the pinocchio model that moves each part; 0 for the one that is
            fixed to the world.
        first: (L + 1,) capsules of part i are first[i] to first[i + 1] - 1.
        a, b: (n, 3) end points of the segments in the frames of the joints [m].
        radius_m: (n,) radii [m].
        bare: first link of each moving part without geometry.
    """

    parts: tuple[str, ...]
    members: tuple[tuple[str, ...], ...]
    joint: Ints
    first: Ints
    a: Floats
    b: Floats
    radius_m: Floats
    bare: tuple[str, ...]

    @property
    def part_of(self) -> Ints:
        """(n,) part of each capsule."""
        return np.repeat(np.arange(len(self.parts)), np.diff(self.first))

    def index(self, link: str) -> int | None:
        """Returns the part with a link or hand of this name; None if it has no geometry."""
        for i, members in enumerate(self.members):
            if link in members or link == self.parts[i]:
                return i
        return None

    def ends(self, data: pin.Data) -> tuple[Floats, Floats]:
        """Returns the end points (n, 3) of all segments in the world, for the joint poses in `data` [m]."""
        joints = self.joint.tolist()
        R = np.array([data.oMi[j].rotation for j in joints]).reshape(-1, 3, 3)
        p = np.array([data.oMi[j].translation for j in joints]).reshape(-1, 3)
        at = self.part_of
        a = np.einsum("nij,nj->ni", R[at], self.a) + p[at]
        b = np.einsum("nij,nj->ni", R[at], self.b) + p[at]
        return a, b


def fit_body(robot: RobotModel, shapes: Shapes) -> BodyCapsules:
    """Returns capsules that cover the geometry of every part. The result is the same in every run.

    Args:
        robot: the robot.
        shapes: the shapes of its links, see `body_shapes`.
    """
    model = robot.pin_model
    parts, joints, first, bare = [], [], [0], []
    members: list[tuple[str, ...]] = []
    capsules: list[Capsule] = []
    for joint in range(model.njoints):
        links = [f for f in model.frames if f.type == pin.FrameType.BODY and f.parentJoint == joint]
        placed = [
            shape.moved(link.placement.rotation, link.placement.translation)
            for link in links
            for shape in shapes.get(link.name, ())
        ]
        if not placed:
            bare += [link.name for link in links[:1] if joint > 0]
            continue
        capsules += _distinct([capsule for shape in _few(placed) for capsule in cover(shape)])
        parts.append(_name(robot, [link.name for link in links]))
        members.append(tuple(link.name for link in links))
        joints.append(joint)
        first.append(len(capsules))
    return BodyCapsules(
        parts=tuple(parts),
        members=tuple(members),
        joint=np.array(joints, np.int64),
        first=np.array(first, np.int64),
        a=np.array([c.a for c in capsules]).reshape(-1, 3),
        b=np.array([c.b for c in capsules]).reshape(-1, 3),
        radius_m=np.array([c.radius_m for c in capsules]),
        bare=tuple(bare),
    )


def _name(robot: RobotModel, links: list[str]) -> str:
    return next((hand.name for hand in robot.hands if hand.link in links), links[0])


def body_shapes(robot: RobotModel) -> Shapes:
    """Returns the shapes that stand for each link, by the name of the link.

    These are its collision geometry, or if it has none, its visual geometry; a sole is a plate in addition.
    """
    shapes = dict(link_shapes(robot))
    moving = {frame.name for frame in robot.pin_model.frames if frame.type == pin.FrameType.BODY}
    for link, visual in visual_shapes(robot, moving - set(shapes)).items():
        shapes[link] = visual
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    for contact in robot.description.contacts.values():
        if len(contact.corners_m) >= 3:
            pose = data.oMf[robot.pin_model.getBodyId(contact.link)]
            corners = np.array(contact.corners_m)
            plate = np.vstack([corners, corners + SOLE_THICKNESS_M * pose.rotation[2]])
            shapes[contact.link] = [*shapes.get(contact.link, []), Shape(plate)]
    return shapes


def _few(shapes: list[Shape]) -> list[Shape]:
    """Returns the shapes of a part, or one shape around all of them if they are many."""
    if len(shapes) <= _MOST_SHAPES:
        return shapes
    radius = min(shape.radius_m for shape in shapes)
    points = []
    for shape in shapes:
        beyond = shape.radius_m - radius
        offsets = beyond * np.vstack([np.eye(3), -np.eye(3)]) if beyond > 0.0 else np.zeros((1, 3))
        points.append((shape.points_L[:, None] + offsets).reshape(-1, 3))
    return [Shape(np.vstack(points), radius)]


def _distinct(capsules: list[Capsule]) -> list[Capsule]:
    """Returns the capsules that are not inside another one."""
    kept: list[Capsule] = []
    for capsule in sorted(capsules, key=lambda c: -c.volume_m3):
        ends = np.array([capsule.a, capsule.b])
        if not any((other.outside_m(ends) <= -capsule.radius_m).all() for other in kept):
            kept.append(capsule)
    return kept
