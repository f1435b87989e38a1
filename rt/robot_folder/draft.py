"""Reads a model file for the first time, with a provisional robot.yaml that only serves to load it."""

from __future__ import annotations

import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin
from ruamel.yaml import YAML

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.description import IGNORE_SPRINGS, ROBOT_FILE
from kilohertz.robots.model.mjcf_files import find_mjcf_files
from kilohertz.robots.model.model_file import ModelFileError, find_model
from kilohertz.robots.model.posture_check import NARROWEST_RANGE
from kilohertz.robots.model.robot_model import DUMMY_LIMIT, RobotModel
from kilohertz.robots.model.rows import Vector
from kilohertz.robots.model.xml_file import read_xml

REPAIR = "repair_inertia"
"""Key of robot.yaml that a refusal of an impossible inertia names as its remedy."""
_MOVABLE = ("revolute", "continuous", "prismatic")
_FREE_RAD = 6.0
"""A joint whose limits are further than this from 0 is taken as free [rad]."""


@dataclass(frozen=True)
class Draft:
    """A model file that was read without a robot.yaml of its own.

    Joint arrays have the shape (na,) and pinocchio's order.

    Attributes:
        robot: the model; a URDF is read with a fixed base, an MJCF file as its root body says.
        free_root: whether the model file itself says that its root moves freely.
        posture_rad: a posture within the limits: the first keyframe of an MJCF file, else 0 or the middle of
            a range that excludes 0.
        from_keyframe: whether the posture is that of a keyframe.
        effort_Nm: torque limits of the file; NaN where it gives none.
        narrow_rad: joints that are locked because their limits leave them no range, by name.
    """

    robot: RobotModel
    free_root: bool
    posture_rad: Vector
    from_keyframe: bool
    effort_Nm: Vector
    narrow_rad: Mapping[str, float]


def read_draft(model: str, folder: Path, forward_rad: float = 0.0) -> Draft:
    """Reads a model file.

    Args:
        model: path of a URDF or MJCF file, or PACKAGE:path inside an installed data package.
        folder: folder to which a relative path refers.
        forward_rad: direction in which a robot with a URDF faces, about the z axis of its root link [rad].

    Raises:
        ConfigError: there is no such file, or it cannot be used.
    """
    try:
        path = find_model(model, folder)
        file = read_xml(path)
        source = file.root
        if source.tag == "mujoco":
            find_mjcf_files(file)
    except ModelFileError as error:
        raise ConfigError(str(error)) from None
    if source.tag == "mujoco":
        return _draft_of_mjcf(path)
    return _draft_of_urdf(path, source, forward_rad)


def _draft_of_urdf(path: Path, source: ET.Element, forward_rad: float) -> Draft:
    posture: dict[str, float] = {}
    ranges: dict[str, tuple[float, float]] = {}
    for joint in source.findall("joint"):
        limit = joint.find("limit")
        if limit is not None and joint.get("type") in ("revolute", "prismatic") and not _mimics(joint):
            posture[joint.get("name", "")] = _allowed(limit.get("lower"), limit.get("upper"))
            if {"lower", "upper"} & set(limit.attrib):
                ranges[joint.get("name", "")] = _range(limit.get("lower"), limit.get("upper"))
    free = next((joint for joint in source.findall("joint") if joint.get("type") == "floating"), None)
    root = ""
    if free is not None:
        child = free.find("child")
        root = child.get("link", "") if child is not None else ""
    movable = sum(joint.get("type") in _MOVABLE for joint in source.findall("joint"))
    narrow = _narrow(path, ranges, movable)
    robot = _load(path, posture, root, narrow, forward_rad=forward_rad)
    effort = np.array(robot.pin_model.upperEffortLimit[robot.n_base :])
    return _draft(robot, free is not None, False, effort, narrow)


def _mimics(joint: ET.Element) -> bool:
    return joint.find("mimic") is not None


def _range(lower: str | None, upper: str | None) -> tuple[float, float]:
    try:
        return float(lower or 0.0), float(upper or 0.0)
    except ValueError:
        return -np.inf, np.inf


def _narrow(path: Path, ranges: Mapping[str, tuple[float, float]], movable: int) -> dict[str, float]:
    """Returns the joints whose limits leave them no range, with the middle of it.

    Raises:
        ConfigError: most joints of the model are such joints, so that the limits are missing.
    """
    narrow = {
        name: 0.5 * (low + high)
        for name, (low, high) in ranges.items()
        if 0.0 <= high - low < NARROWEST_RANGE
    }
    if 2 * len(narrow) > movable:
        raise ConfigError(
            f"{path}: {len(narrow)} of {movable} joints, such as '{next(iter(narrow))}', have limits without "
            "a range (lower = upper): give each joint its limits, or make joints without limits continuous"
        )
    return narrow


def _allowed(lower: str | None, upper: str | None) -> float:
    """Returns 0 if the limits of a joint allow it, else their middle."""
    try:
        low, high = float(lower or 0.0), float(upper or 0.0)
    except ValueError:
        return 0.0
    return 0.0 if low <= 0.0 <= high or not low <= high else 0.5 * (low + high)


def _draft_of_mjcf(path: Path) -> Draft:
    from kilohertz.robots.model.mjcf import actuator_limits, compile_mjcf, has_free_root, moving_root

    try:
        model = compile_mjcf(path)
        root_body = moving_root(model)
        free = has_free_root(model)
    except ModelFileError as error:
        raise ConfigError(f"{path}: {error}") from None
    posture: dict[str, float] = {}
    ranges = {
        model.joint(index).name: (float(model.jnt_range[index, 0]), float(model.jnt_range[index, 1]))
        for index in range(model.njnt)
        if model.jnt_limited[index] and not (free and model.jnt_bodyid[index] == root_body)
    }
    narrow = _narrow(path, ranges, model.njnt)
    for index in range(model.njnt):
        joint = model.joint(index)
        if free and model.jnt_bodyid[index] == root_body:
            continue
        if model.nkey:
            posture[joint.name] = _within(float(model.key_qpos[0, model.jnt_qposadr[index]]), model, index)
        elif model.jnt_limited[index]:
            posture[joint.name] = _allowed(*map(str, model.jnt_range[index]))
    root = model.body(root_body).name if free else ""
    robot = _load_with_motors(path, posture, root, narrow, model)
    return _draft(robot, free, bool(model.nkey), actuator_limits(model, robot.joint_names), narrow)


def _load_with_motors(
    path: Path, posture: dict[str, float], free_root: str, locked: dict[str, float], model: Any
) -> RobotModel:
    """Loads an MJCF file, in which joints without an actuator have a motor only if they carry much."""
    driven = {int(joint) for joint in model.actuator_trnid[:, 0]} if model.nu else set()
    names = [model.joint(joint).name for joint in sorted(driven) if 0 <= joint < model.njnt]
    motors = {name: 1.0 for name in names if name not in locked}
    if model.nu:
        try:
            return _load(path, posture, free_root, locked, limits=motors)
        except ConfigError:
            pass  # refused again below, or loaded with motors that robot.yaml lists as guesses
    return _load(path, posture, free_root, locked)


def _within(value: float, model: Any, joint: int) -> float:
    if not model.jnt_limited[joint]:
        return value
    low, high = model.jnt_range[joint]
    return float(np.clip(value, low, high))


def _load(
    path: Path,
    posture: dict[str, float],
    free_root: str,
    locked: dict[str, float],
    mended: frozenset[str] = frozenset(),
    forward_rad: float = 0.0,
    limits: dict[str, float] | float = 1.0,
) -> RobotModel:
    """Loads a model with a robot.yaml that has no soles; the limits in it only serve to load the model.

    A floating base needs a contact: it is a point at the root link. Impossible inertias are mended if the
    refusal says that they can be, and so are weak springs left out.
    """
    description: dict[str, Any] = {
        "robot": "draft",
        "model": str(path),
        "base": "floating" if free_root else "fixed",
        "posture_rad": {name: value for name, value in posture.items() if value and name not in locked},
        "locked_joints_rad": locked,
        "torque_limit_Nm": limits,
    }
    description |= dict.fromkeys(sorted(mended), True)
    if forward_rad:
        description["forward_rad"] = forward_rad
    if free_root:
        description["imu"] = {"link": free_root}
        description["contacts"] = {
            "root": {"link": free_root, "corners_m": [[0.0, 0.0, 0.0]], "friction": 0.6}
        }
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / ROBOT_FILE).open("w", encoding="utf-8") as file:
            YAML().dump(description, file)
        try:
            return RobotModel.load(folder)
        except ConfigError as error:
            for key in {REPAIR, IGNORE_SPRINGS} - mended:
                if f"{key}: true" in str(error):
                    return _load(path, posture, free_root, locked, mended | {key}, forward_rad, limits)
            # The provisional file is gone when the message is read: only the model's own file is named.
            sentences = "; ".join(dict.fromkeys(f"{each.sentence}" for each in error.problems))
            raise ConfigError(f"{path}: {sentences}") from None


def _draft(
    robot: RobotModel, free: bool, keyframe: bool, effort: Vector, narrow_rad: dict[str, float]
) -> Draft:
    unknown = (effort <= 0.0) | ~(effort < DUMMY_LIMIT)
    posture = robot.q_nominal[robot.nq_base :].copy()
    return Draft(robot, free, posture, keyframe, np.where(unknown, np.nan, effort), narrow_rad)


def placements(robot: RobotModel, joints_rad: Vector) -> pin.Data:
    """Returns pinocchio's data with all frames and the centre of mass, with the base level at the origin."""
    q = np.r_[pin.neutral(robot.pin_model)[: robot.nq_base], joints_rad]
    data = robot.pin_model.createData()
    pin.computeJointJacobians(robot.pin_model, data, q)
    pin.updateFramePlacements(robot.pin_model, data)
    pin.centerOfMass(robot.pin_model, data, q)
    return data


def free_range(low: float, high: float) -> tuple[float, float]:
    """Returns the limits of a joint, within what is a full turn for a joint without limits [rad]."""
    return max(low, -_FREE_RAD), min(high, _FREE_RAD)
