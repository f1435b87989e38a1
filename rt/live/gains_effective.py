"""The gains that result for a robot: every value that follows from its size or weight is worked out."""

from __future__ import annotations

from typing import Any

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.walking.gait import gait_of
from kilohertz.controller.walking.speed import walks
from kilohertz.controller.whole_body.from_gains import contact_settings
from kilohertz.robots.model.robot_model import RobotModel

_LEGS_ONLY = ("com", "base", "trunk", "angular_momentum", "stand", "walk", "contact", "stance", "fall")
"""Sections that a robot which is bolted to the ground does not use."""


def effective_gains(robot: RobotModel, gains: Gains) -> dict[str, Any]:
    """Returns the gains that the controller of a robot uses, nested as in gains.yaml.

    Values that gains.yaml leaves open are those that follow from the robot's size, so that no value is None.
    Sections that the robot does not use, and bounds that are not set, are left out.
    """
    found: dict[str, Any] = _given(gains.model_dump(mode="json"))
    if not robot.floating:
        return {name: value for name, value in found.items() if name not in _LEGS_ONLY}
    if not walks(robot):
        del found["walk"]
        return found
    gait = gait_of(robot, gains)
    found["walk"] |= {
        name: getattr(gait, name) for name in ("step_s", "shortest_step_s", "width_m", "clearance_m")
    }
    return found


def scaled_gains(robot: RobotModel, gains: Gains) -> dict[str, Any]:
    """Returns what the gains amount to on a robot, in SI units, by dotted key."""
    limit_Nm = robot.torque_limit_Nm
    joints = robot.joint_names

    def by_joint(factor: float) -> dict[str, float]:
        return dict(zip(joints, (factor * limit_Nm).tolist(), strict=True))

    guard = {
        "guard.torque_rate_Nm_per_s": by_joint(gains.guard.torque_rate_per_s),
        "guard.damping_Nms_per_rad": by_joint(1.0 / gains.guard.damping_speed_rad_s),
    }
    if not robot.floating:
        return guard
    contact = contact_settings(robot, gains)
    forces = {
        "contact.least_load_N": contact.min_force_N,
        "contact.largest_load_N": contact.max_force_N,
    }
    if not walks(robot):
        return {**forces, **guard}
    gait = gait_of(robot, gains)
    walk = {
        "walk.height_m": gait.height_m,
        "walk.double_support_s": gait.double_support_s,
        "walk.sole_use_half_length_m": gait.half_length_m,
        "walk.sole_use_half_width_m": gait.half_width_m,
    }
    return {**walk, **forces, **guard}


def _given(value: Any) -> Any:
    """Returns the value without entries that are None; an axis of a box that is free is left as text."""
    if isinstance(value, dict):
        return {name: _given(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return ["free" if inner is None else _given(inner) for inner in value]
    return value
