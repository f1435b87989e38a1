"""Writes the folder of a new robot from its URDF or MJCF file."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

import numpy as np
import pinocchio as pin

from kilohertz.robots.clearance.link_shapes import link_shapes
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.description import IGNORE_SPRINGS, ROBOT_FILE
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.robot_folder.arm_pose import bent_arms
from kilohertz.rt.robot_folder.crouch import Sole, find_crouch
from kilohertz.rt.robot_folder.draft import REPAIR, Draft, placements, read_draft
from kilohertz.rt.robot_folder.examine import examine
from kilohertz.rt.robot_folder.forward import find_forward_rad
from kilohertz.rt.robot_folder.holding import guessed_limits, holding_torques
from kilohertz.rt.robot_folder.limbs import Limb, Limbs, find_imu, find_limbs
from kilohertz.rt.robot_folder.write import HandText, RobotText, SoleText


def new_robot(model: str, into: Path | None = None) -> Path:
    """Writes a robot.yaml for a model file, and checks that it loads.

    Args:
        model: path of a URDF or MJCF file, or PACKAGE:path inside an installed data package.
        into: folder to write; created if necessary; by default one in the working folder, with the name of
            the robot.

    Returns:
        The folder.

    Raises:
        ConfigError: the model cannot be used, a robot.yaml exists already, or none can be made for it.
    """
    draft = read_draft(model, Path())
    forward_rad = find_forward_rad(draft)
    if forward_rad and draft.robot.model_format == "urdf":
        draft = read_draft(model, Path(), forward_rad)
    folder = into if into is not None else Path(robot_name(draft.robot.model_path))
    target = folder / ROBOT_FILE
    if target.exists():
        raise ConfigError(f"{target} exists: remove it, or name another folder with --into")
    reference = model if not Path(model).exists() else _relative(draft.robot.model_path, folder)
    text = describe(draft, reference)
    text.narrow_rad = dict(draft.narrow_rad)
    text.forward_rad = draft.robot.description.forward_rad
    if forward_rad and not text.forward_rad:
        text.todo.append(
            f"by its feet the robot faces {np.degrees(forward_rad):.0f} deg from its x axis, along which it "
            "walks: turn the parts of the root body"
        )
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            target.write_text(text.text(), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{target} cannot be written: {error.strerror}") from None
        try:
            examine(RobotModel.load(folder))
            return folder
        except ConfigError as error:
            if not _remedied(text, str(error)):
                raise


def _remedied(text: RobotText, refusal: str) -> bool:
    """Changes the content of robot.yaml as a refusal asks; returns False if there is nothing to change."""
    if REPAIR in refusal and not text.repair_inertia:
        text.repair_inertia = True
        return True
    if f"{IGNORE_SPRINGS}: true" in refusal and not text.ignore_springs:
        text.ignore_springs = True
        return True
    if text.locked_rad and "lock" in refusal:
        # A model whose joints cannot be locked keeps them, in the middle of their range.
        text.posture_rad |= text.locked_rad
        text.locked_rad = {}
        return True
    return False


def robot_name(path: Path) -> str:
    """Returns a name for the robot of a model file, from the name of the file."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", path.stem)
    return name if re.match(r"[A-Za-z_]", name) else f"robot_{name}"


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path, folder.resolve())


def describe(draft: Draft, reference: str) -> RobotText:
    """Returns the content of robot.yaml for a model that was read.

    Args:
        draft: the model.
        reference: how robot.yaml refers to the model file.

    Raises:
        ConfigError: the robot stands on legs, and no sole can be found.
    """
    robot = draft.robot
    shapes = link_shapes(robot)
    limbs = find_limbs(draft, shapes)
    floating = bool(limbs.legs)
    if draft.free_root and not floating:
        raise ConfigError(
            f"{robot.model_path}: its root moves freely, but no foot was found: the model needs collision or "
            "visual geometry at the ends of its legs"
        )
    text = RobotText(
        robot_name(robot.model_path),
        reference,
        f"{robot_name(robot.model_path)}, {robot.na - len(limbs.fingers)} joints, {_mass_kg(draft):.1f} kg.",
        floating,
    )
    root = 1 if robot.floating else 0
    posture = _legged(draft, limbs, text, shapes) if floating else _fixed(draft, limbs, text)
    fingers = {joint - root - 1 for joint in limbs.fingers}
    for index, (name, value) in enumerate(zip(robot.joint_names, posture.tolist(), strict=True)):
        if index in fingers:
            text.locked_rad[name] = _finger_position(draft, index, value)
        elif abs(value) > 5e-5:
            text.posture_rad[name] = _rounded(
                value, float(robot.position_lower_rad[index]), float(robot.position_upper_rad[index])
            )
    _limits(draft, limbs, text, posture)
    return text


def _rounded(value: float, low: float, high: float) -> float:
    """Returns a joint position rounded as robot.yaml shows it, and still within the joint's limits."""
    rounded = round(value, 4)
    if rounded < low:
        return math.ceil(low * 1e4) / 1e4
    return math.floor(high * 1e4) / 1e4 if rounded > high else rounded


def _mass_kg(draft: Draft) -> float:
    """Returns the mass of all links, that of a fixed base included [kg]."""
    return sum(float(inertia.mass) for inertia in draft.robot.pin_model.inertias)


def _finger_position(draft: Draft, index: int, value: float) -> float:
    low, high = draft.robot.position_lower_rad[index], draft.robot.position_upper_rad[index]
    return float(0.5 * (low + high)) if np.isfinite([low, high]).all() and high - low < 0.2 else value


def _legged(draft: Draft, limbs: Limbs, text: RobotText, shapes: dict[str, list]) -> Vector:  # type: ignore[type-arg]
    crouch = find_crouch(draft, limbs, shapes)
    data = placements(draft.robot, crouch.posture_rad)
    names = _sole_names(draft, data, crouch.soles)
    text.soles = [
        SoleText(name, sole.leg.link, sole.corners_L) for name, sole in zip(names, crouch.soles, strict=True)
    ]
    text.posture_from = (
        "The legs are bent, the soles are level, and the centre of mass is above their middle."
    )
    imu = find_imu(draft, limbs.trunk_joint)
    root_link = _root_link(draft)
    pose = imu[1] if imu is not None else pin.SE3.Identity()
    text.imu = (
        imu[0] if imu is not None else root_link,
        pose.translation,
        pin.rpy.matrixToRpy(pose.rotation),
    )
    text.imu_found = imu is not None
    text.trunk = limbs.trunk
    if len(limbs.arms) == 2:
        text.hands = _two_hands(limbs)
    else:
        text.hands = [_hand(arm.link, arm) for arm in limbs.arms]
    return crouch.posture_rad


def _root_link(draft: Draft) -> str:
    model = draft.robot.pin_model
    root = 1 if draft.robot.floating else 0
    links = [f.name for f in model.frames if f.parentJoint == root and f.type == pin.FrameType.BODY]
    return str(links[0])


def _place(draft: Draft, data: pin.Data, limb: Limb) -> Vector:
    frame = draft.robot.pin_model.getFrameId(limb.link, pin.FrameType.BODY)
    place: Vector = data.oMf[frame].act(limb.p_LE_m)
    return place


def _hand(name: str, arm: Limb) -> HandText:
    return HandText(name, arm.link, np.round(arm.p_LE_m, 3))


def _two_hands(limbs: Limbs) -> list[HandText]:
    return [_hand("left_hand", limbs.arms[0]), _hand("right_hand", limbs.arms[1])]


def _sole_names(draft: Draft, data: pin.Data, soles: tuple[Sole, ...]) -> list[str]:
    places = np.array([_place(draft, data, sole.leg) for sole in soles])
    if len(soles) == 2:
        return ["left_foot", "right_foot"] if places[0, 1] >= places[1, 1] else ["right_foot", "left_foot"]
    if len(soles) == 4:
        middle = places.mean(axis=0)
        return [
            f"{'front' if x > middle[0] else 'rear'}_{'left' if y > middle[1] else 'right'}"
            for x, y, _ in places
        ]
    return [sole.leg.link for sole in soles]


def _fixed(draft: Draft, limbs: Limbs, text: RobotText) -> Vector:
    posture = draft.posture_rad
    if len(limbs.arms) == 1:
        text.hands = [_hand("hand", limbs.arms[0])]
    elif len(limbs.arms) == 2:
        text.hands = _two_hands(limbs)
    else:
        text.hands = [_hand(arm.link, arm) for arm in limbs.arms]
    if limbs.arms and not draft.from_keyframe:
        posture = bent_arms(draft, limbs.arms)
    text.posture_from = (
        "The posture of the model's first keyframe."
        if draft.from_keyframe
        else "TODO: a bent posture, found by trial; replace it by the posture in which your arm starts."
    )
    if not limbs.arms:
        text.todo.append("no arm was found: name the end effector under hands")
    return posture


def _limits(draft: Draft, limbs: Limbs, text: RobotText, posture: Vector) -> None:
    """Adds guessed torque limits of the joints for which the model gives none."""
    robot = draft.robot
    model, root = robot.pin_model, 1 if robot.floating else 0
    if not np.isnan(draft.effort_Nm).any():
        return
    q = np.r_[pin.neutral(model)[: robot.nq_base], posture]
    holding = holding_torques(model, q, 0, ())[robot.n_base :]
    legs = {joint for leg in limbs.legs for joint in leg.joints}
    guesses = guessed_limits(model, q, holding, legs)
    for index, name in enumerate(robot.joint_names):
        if np.isnan(draft.effort_Nm[index]) and index + root + 1 not in limbs.fingers:
            text.torque_limit_Nm[name] = float(f"{guesses[index]:.2g}")
