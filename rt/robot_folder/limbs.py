"""Finds legs, arms, trunk and IMU in the tree of a model's joints."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from kilohertz.robots.clearance.link_shapes import Shapes
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.robot_folder.draft import Draft, placements
from kilohertz.rt.robot_folder.soles import lowest_point

_FOOT_BAND = 0.12
"""A foot is no higher over the lowest point of the robot than this fraction of the robot's height."""
_OFF_GROUND = 0.15
"""The base of a robot on legs is higher than this fraction of its height."""
_FOOT_BONUS_M = 0.04
_SHORTEST_ARM = 3
"""Smallest number of joints of an arm."""
_LEVEL_TRACE = 2.97
"""Trace of the rotation of a link whose axes are within 10 deg of those of the base."""
_LIGHT = 0.03
"""A part that is lighter than this fraction of the robot can be a finger."""
_FINGER = re.compile(
    r"finger|gripper|jaw|thumb|knuckle|index|middle|ring_|pinky|little|driver|follower", re.I
)
_GRIPPER, _HEAVY = re.compile(r"gripper|jaw|finger", re.I), 0.15
"""Name of a joint at the end of an arm that moves a gripper, also one of up to this fraction of the robot."""
_HEAD = re.compile(r"head|neck|eye|camera|lidar|antenna", re.I)
_HAND = re.compile(r"finger|thumb|gripper|jaw|hand|palm|wrist", re.I)
_FOOT = re.compile(r"foot|feet|sole|toe", re.I)
_TRUNK = re.compile(r"torso|trunk|chest|body", re.I)
_IMU = re.compile(r"(^|[_\-./])(imu|gyro|inertial)", re.I)
_TOOL = re.compile(
    r"tool0|tcp|end_?effector|(^|_)ee(_|$)|flange|attachment_site|pinch|grasp|hand|palm|gripper", re.I
)


@dataclass(frozen=True)
class Limb:
    """A chain of joints.

    Attributes:
        joints: pinocchio's indices of the joints from the base to the end.
        link: link at the end.
        p_LE_m: (3,) end of an arm in the frame of its link [m]; for a leg the lowest point of the foot.
    """

    joints: tuple[int, ...]
    link: str
    p_LE_m: Vector


@dataclass(frozen=True)
class Limbs:
    """The limbs of a robot.

    Attributes:
        legs: limbs that reach the ground, from the left front to the right rear.
        arms: other limbs with at least three joints, from left to right.
        fingers: pinocchio's indices of the joints beyond the ends of arms.
        trunk: link of the main body; empty for a fixed base whose first link moves.
        trunk_joint: joint that moves the trunk.
    """

    legs: tuple[Limb, ...]
    arms: tuple[Limb, ...]
    fingers: tuple[int, ...]
    trunk: str
    trunk_joint: int


def find_limbs(draft: Draft, shapes: Shapes) -> Limbs:
    """Finds the limbs of a model in its draft posture."""
    model = draft.robot.pin_model
    data = placements(draft.robot, draft.posture_rad)
    root = 1 if draft.robot.floating else 0
    leaves = [j for j in range(root + 1, model.njoints) if not _children(model, j)]
    lows = {joint: _low(draft, data, shapes, _chain(model, joint, root)[-2:]) for joint in leaves}
    legs = _legs(draft, data, shapes, lows, root)
    leg_joints = {joint for leg in legs for joint in leg.joints}
    arms, fingers = _arms(draft, data, shapes, root, leg_joints)
    trunk_joint = _common(model, [arm.joints for arm in arms], root) if legs and arms else root
    # The links of an MJCF file that no joint moves can be geometry of the world, which is no link.
    first = next(iter(links_of(model, root)), "")
    trunk = _level_link(draft, data, trunk_joint) or _level_link(draft, data, root) or first
    return Limbs(tuple(legs), tuple(arms), tuple(fingers), trunk, trunk_joint)


def links_of(model: pin.Model, joint: int) -> list[str]:
    """Returns the links that a joint moves rigidly, its own link first."""
    return [f.name for f in model.frames if f.parentJoint == joint and f.type == pin.FrameType.BODY]


def _children(model: pin.Model, joint: int) -> list[int]:
    return [other for other in range(1, model.njoints) if model.parents[other] == joint and other != joint]


def _chain(model: pin.Model, joint: int, root: int) -> tuple[int, ...]:
    chain = []
    while joint > root:
        chain.append(joint)
        joint = int(model.parents[joint])
    return tuple(reversed(chain))


def _subtree(model: pin.Model, joint: int) -> list[int]:
    found = [joint]
    for child in _children(model, joint):
        found += _subtree(model, child)
    return found


def _low(
    draft: Draft, data: pin.Data, shapes: Shapes, joints: tuple[int, ...]
) -> tuple[float, str, Vector] | None:
    """Returns height, link and point in the link of the lowest geometry that joints move."""
    model = draft.robot.pin_model
    best: tuple[float, str, Vector] | None = None
    best_named = 0.0
    for joint in joints:
        for link in links_of(model, joint):
            pose = data.oMf[model.getFrameId(link, pin.FrameType.BODY)]
            down_L = -pose.rotation[2]
            if link not in shapes:
                continue
            point = lowest_point(shapes[link], down_L)
            # A link that is named a foot comes before the shank whose coarse geometry reaches lower.
            height = float(pose.act(point)[2])
            named = _FOOT_BONUS_M if _FOOT.search(link) else 0.0
            if best is None or height - named < best[0] - best_named:
                best, best_named = (height, link, point), named
    return best


def _legs(
    draft: Draft,
    data: pin.Data,
    shapes: Shapes,
    lows: dict[int, tuple[float, str, Vector] | None],
    root: int,
) -> list[Limb]:
    model = draft.robot.pin_model
    # The hands of an upper body on a stand hang lowest, but are no feet.
    known = {
        joint: low
        for joint, low in lows.items()
        if low is not None
        and (_FOOT.search(low[1]) or not (_HAND.search(low[1]) or _HAND.search(model.names[joint])))
    }
    if not known:
        return []
    ground = min(low[0] for low in known.values())
    tops = [data.oMi[j].translation[2] for j in range(root + 1, model.njoints)]
    height = max([*tops, *(low[0] for low in known.values())]) - ground
    base = _low(draft, data, shapes, (root,))
    off_ground = (base[0] if base else 0.0) > ground + _OFF_GROUND * height
    feet = [joint for joint, low in known.items() if low[0] < ground + _FOOT_BAND * height]
    chains = {joint: _chain(model, joint, root) for joint in feet}
    if not (draft.free_root or (off_ground and len(feet) > 1)):
        return []
    legs = [Limb(chains[joint], known[joint][1], known[joint][2]) for joint in feet]
    places = {leg.joints: data.oMi[leg.joints[-1]].translation for leg in legs}
    return sorted(legs, key=lambda leg: (-np.round(places[leg.joints][0], 1), -places[leg.joints][1]))


def _arms(
    draft: Draft, data: pin.Data, shapes: Shapes, root: int, leg_joints: set[int]
) -> tuple[list[Limb], list[int]]:
    """Returns the arms, and the joints beyond their ends."""
    model = draft.robot.pin_model
    fingers = _fingers(draft, root, leg_joints)
    others = [j for j in range(root + 1, model.njoints) if j not in leg_joints and j not in fingers]
    arms = []
    for joint in others:
        if any(child in others for child in _children(model, joint)):
            continue
        chain = _chain(model, joint, root)
        own = [j for j in chain if len([c for c in _children(model, j) if c in others]) < 2]
        if len(own) < _SHORTEST_ARM or _HEAD.search(model.names[joint]):
            continue
        link, point = _tool(draft, shapes, joint)
        arms.append(Limb(chain, link, point))
    # Forearms may cross in front of the trunk: the whole arm says on which side it is.
    arms.sort(key=lambda arm: -sum(float(data.oMi[j].translation[1]) for j in arm.joints))
    return arms, sorted(fingers)


def _fingers(draft: Draft, root: int, leg_joints: set[int]) -> set[int]:
    """Returns the joints of grippers and hands: by their names, or as light branches at the end of an arm."""
    model = draft.robot.pin_model
    mass = sum(float(inertia.mass) for inertia in model.inertias)
    fingers: set[int] = set()
    for joint in range(root + 1, model.njoints):
        if joint in leg_joints or joint in fingers:
            continue
        below = _subtree(model, joint)
        part = sum(model.inertias[j].mass for j in below) / mass
        light = part < _LIGHT
        deep = len(_chain(model, joint, root)) > _SHORTEST_ARM
        slides = model.joints[joint].shortname().startswith("JointModelP")
        names = (model.names[joint], *links_of(model, joint)[:1])
        branches = len([c for c in _children(model, int(model.parents[joint])) if c not in leg_joints]) > 1
        ends_arm = not _children(model, joint)
        named = any(_FINGER.search(name) for name in names)
        gripper = part < _HEAVY and ends_arm and _GRIPPER.search(model.names[joint]) is not None
        light_finger = light and ((named and (ends_arm or branches or slides)) or branches or slides)
        if deep and (gripper or light_finger):
            fingers.update(below)
    return fingers


def _tool(draft: Draft, shapes: Shapes, joint: int) -> tuple[str, Vector]:
    """Returns the link and the point at the end of an arm.

    A link or site whose name says that it is the tool comes first; else the middle of the last link's
    geometry is taken.
    """
    model = draft.robot.pin_model
    frames = [f for f in model.frames if f.parentJoint == joint and f.name != model.names[joint]]
    order = ("tcp", "pinch", "attachment_site", "tool0", "ee", "end_effector", "flange", "palm", "hand")
    named = [f for f in frames if _TOOL.search(f.name) and f.type != pin.FrameType.FIXED_JOINT]
    named.sort(key=lambda f: next((i for i, word in enumerate(order) if word in f.name.lower()), len(order)))
    links = links_of(model, joint)
    for frame in named:
        if frame.type == pin.FrameType.BODY:
            return frame.name, _middle(shapes, frame.name)
        parent = model.frames[frame.parentFrame]
        if parent.name in links:
            return parent.name, np.array(parent.placement.actInv(frame.placement).translation)
    return links[-1], _middle(shapes, links[-1])


def _middle(shapes: Shapes, link: str) -> Vector:
    """Returns the middle of a link's geometry in its frame; the origin if it has none [m]."""
    if link not in shapes:
        return np.zeros(3)
    points = np.vstack([shape.points_L for shape in shapes[link]])
    middle: Vector = 0.5 * (points.min(axis=0) + points.max(axis=0))
    return middle


def _common(model: pin.Model, chains: list[tuple[int, ...]], root: int) -> int:
    """Returns the last joint that all chains share; the root if they share none."""
    shared = root
    for joints in zip(*chains, strict=False):
        if len(set(joints)) > 1 or len(chains) < 2:
            break
        shared = joints[0]
    return shared


def _level_link(draft: Draft, data: pin.Data, joint: int) -> str | None:
    """Returns the link that a joint moves whose axes are those of the level root; None if there is none."""
    model = draft.robot.pin_model
    links = links_of(model, joint)
    R_BR = pin.utils.rotate("z", -draft.robot.description.forward_rad)

    def fitness(place: int) -> tuple[float, bool, int]:
        frame = model.getFrameId(links[place], pin.FrameType.BODY)
        turn = round(float(np.trace(R_BR.T @ data.oMf[frame].rotation)), 3)
        return turn, _TRUNK.search(links[place]) is not None, -place

    best = max(range(len(links)), key=fitness, default=None)
    return links[best] if best is not None and fitness(best)[0] > _LEVEL_TRACE else None


def find_imu(draft: Draft, trunk_joint: int) -> tuple[str, pin.SE3] | None:
    """Returns the link of the IMU and its pose on it, from a link or site that is named so.

    One on the base comes before one on the trunk, and this before any other.
    """
    model = draft.robot.pin_model
    root = 1 if draft.robot.floating else 0
    order = {root: 0, trunk_joint: 1}
    found = [
        frame
        for frame in model.frames
        if frame.type in (pin.FrameType.BODY, pin.FrameType.OP_FRAME) and _IMU.search(frame.name)
    ]
    # The provisional robot.yaml adds a frame of its own, which is the last.
    found = [frame for frame in found if not (frame.name.rstrip("_") == "imu" and _is_own(draft, frame))]
    if not found:
        return None
    best = min(found, key=lambda frame: order.get(frame.parentJoint, 2))
    if best.type == pin.FrameType.BODY:
        return best.name, pin.SE3.Identity()
    parent = model.frames[best.parentFrame]
    if parent.type != pin.FrameType.BODY:
        return None
    return parent.name, parent.placement.actInv(best.placement)


def _is_own(draft: Draft, frame: pin.Frame) -> bool:
    own = draft.robot.imu_frame_id
    return own is not None and draft.robot.pin_model.frames[own].name == frame.name
