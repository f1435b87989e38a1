"""The hands of a robot: their frames, the tools on them, and the force-torque sensors before the tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.description import HandDescription, RobotDescription, ToolDescription
from kilohertz.robots.model.frames import frame_id, pose
from kilohertz.robots.model.rows import Vector

WRENCH = 6
"""Numbers of one force-torque sensor in a sensor row: force [N], then moment [Nm]."""
AddFrame = Callable[[str, str, pin.SE3], int]


@dataclass(frozen=True, eq=False)
class WristModel:
    """A force-torque sensor S between the arm and what a hand carries.

    Attributes:
        hand: index of the hand.
        link: link on which the sensor is mounted.
        X_LS, X_HS: pose of S in its link, and in the frame of the hand.
        mass_kg: mass of what the sensor carries, without a payload.
        p_HC: (3,) centre of mass of this, in the frame of the hand [m].
        inertia_H: (3, 3) its inertia about this point, in the hand's axes [kg m^2].
        noise, bias: (6,) standard deviations of each sample and of the offset of a simulated sensor [N, Nm].
        every_ms: time from one sample of the sensor to the next [ms].
    """

    hand: int
    link: str
    X_LS: pin.SE3
    X_HS: pin.SE3
    mass_kg: float
    p_HC: Vector
    inertia_H: Vector
    noise: Vector
    bias: Vector
    every_ms: int


@dataclass(frozen=True)
class HandModel:
    """An end effector of the robot.

    Attributes:
        name: name of the hand in robot.yaml.
        link: link of the model that carries the hand.
        frame_id: index of the operational frame "hand/<name>" in the pinocchio model.
        tool: its tool; None without.
        wrist: the sensor of the wrench on what it carries; None without.
    """

    name: str
    link: str
    frame_id: int
    tool: ToolDescription | None = field(default=None, compare=False)
    wrist: WristModel | None = field(default=None, compare=False)


def inertia_of(tool: ToolDescription) -> pin.Inertia:
    """Returns mass, centre of mass and inertia of a tool, in the frame on which it is mounted."""
    xx, yy, zz, xy, xz, yz = (*tool.inertia_kgm2, 0.0, 0.0, 0.0)[:WRENCH]
    about_C = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    return pin.Inertia(tool.mass_kg, np.array(tool.p_MC_m), about_C)


def mount(hand: HandDescription) -> pin.SE3:
    """Returns the pose in its link of the frame M on which the tool of a hand is mounted."""
    return pose(hand.p_LH_m, hand.rpy_LH_rad)


def add_tools(model: pin.Model, hands: Mapping[str, HandDescription]) -> None:
    """Adds mass and inertia of each tool to the joint of a pinocchio model that moves it.

    A hand whose link the model does not have is left out.
    """
    for hand in hands.values():
        if hand.tool is not None and model.existFrame(hand.link, pin.FrameType.BODY):
            frame = model.frames[model.getFrameId(hand.link, pin.FrameType.BODY)]
            model.appendBodyToJoint(frame.parentJoint, inertia_of(hand.tool), frame.placement * mount(hand))


def hand_models(
    model: pin.Model, hands: Mapping[str, HandDescription], add_frame: AddFrame
) -> tuple[HandModel, ...]:
    """Adds the frame of each hand to a pinocchio model, and returns the hands.

    Args:
        model: pinocchio model, with the frames of all links.
        hands: hands of robot.yaml.
        add_frame: adds a frame by name, link and pose in the link, and returns its index.
    """
    found = []
    for index, (name, hand) in enumerate(hands.items()):
        X_LH, tool = mount(hand), hand.tool
        if tool is not None:
            X_LH = X_LH * pose(tool.p_MT_m, tool.rpy_MT_rad)
        wrist = _wrist(model, index, hand, X_LH)
        found.append(HandModel(name, hand.link, add_frame(f"hand/{name}", hand.link, X_LH), tool, wrist))
    return tuple(found)


def wrist_problems(
    model: pin.Model, description: RobotDescription, links: Sequence[str], mjcf: bool
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yields location and sentence of each force-torque sensor of robot.yaml that the robot cannot have.

    Args:
        model: pinocchio model, with the frames of all links.
        description: content of robot.yaml.
        links: names of the links.
        mjcf: whether the model is an MJCF file, whose links are joined to bodies when it is read.
    """
    for name, hand in description.hands.items():
        link = hand.wrist.link if hand.wrist is not None else None
        at = ("hands", name, "wrist")
        if hand.wrist is not None and description.base == "floating":
            yield at, "is for arms on a fixed base: remove it"
        elif link is None or link == hand.link:
            continue
        elif link not in links:
            yield (*at, "link"), f"'{link[:80]}' is not a link of the model"
        elif mjcf:
            yield (*at, "link"), f"should be the link of the hand, '{hand.link}', for an MJCF model"
        else:
            behind = _behind(model, link, hand.link)
            moving = [model.frames[f].name for f in behind if model.frames[f].type == pin.FrameType.JOINT]
            if not behind or moving:
                sentence = f"should be '{hand.link}', or a link before it with only fixed joints behind"
                yield (*at, "link"), sentence + (f": '{moving[0]}' moves" if moving else "")


def _behind(model: pin.Model, link: str, hand_link: str) -> list[int]:
    """Returns the indices of the frames that a sensor on a link carries, on the way to the hand's link.

    They begin with the fixed joint that is the first on this way. There are none if the link is not before
    the hand's.
    """
    first, frame = frame_id(model, link), frame_id(model, hand_link)
    while frame > 0 and int(model.frames[frame].parentFrame) != first:
        frame = int(model.frames[frame].parentFrame)
    behind = [frame] if frame > 0 else []
    for other in range(frame + 1, model.nframes if behind else 0):
        if int(model.frames[other].parentFrame) in behind:
            behind.append(other)
    return behind


def _wrist(model: pin.Model, index: int, hand: HandDescription, X_LH: pin.SE3) -> WristModel | None:
    wrist = hand.wrist
    if wrist is None:
        return None
    link = wrist.link or hand.link
    carried = mount(hand).act(inertia_of(hand.tool)) if hand.tool is not None else pin.Inertia.Zero()
    X_JL = model.frames[frame_id(model, hand.link)].placement
    if link != hand.link:
        # The frame of a fixed joint holds the inertia of the link behind it.
        for frame in (model.frames[index] for index in _behind(model, link, hand.link)):
            carried = carried + X_JL.actInv(frame.placement).act(frame.inertia)
    X_LS = pose(wrist.p_LS_m, wrist.rpy_LS_rad)
    X_HS = (X_JL * X_LH).inverse() * model.frames[frame_id(model, link)].placement * X_LS
    in_H = X_LH.inverse().act(carried)
    return WristModel(
        index,
        link,
        X_LS,
        X_HS,
        float(in_H.mass),
        np.array(in_H.lever),
        np.array(in_H.inertia),
        np.repeat([wrist.noise_N, wrist.noise_Nm], 3),
        np.repeat([wrist.bias_N, wrist.bias_Nm], 3),
        round(1000 / wrist.rate_hz),
    )
