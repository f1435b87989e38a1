"""Position-commanded servos: drives that are sent a position and close the loop on it themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from kilohertz.robots.model.description import ServoDescription
from kilohertz.robots.model.rows import Vector


@dataclass(frozen=True, eq=False)
class ServoModel:
    """The position servos of all joints of a robot. Joint arrays have the shape (na,).

    A servo applies the torque stiffness (q_des - q) - damping v, within the joint's torque limit.

    Attributes:
        stiffness_Nm_rad, damping_Nms_rad: gains of the servos.
        joint_damping_Nms: viscous friction of the joints, 0 where it is not known.
        step_rad: resolution of the servos' encoders and commands; 0 if they are not quantised [rad].
        lead_rad: largest distance of a commanded position from the measured one [rad].
    """

    stiffness_Nm_rad: Vector
    damping_Nms_rad: Vector
    joint_damping_Nms: Vector
    step_rad: float
    lead_rad: float


def servo_model(
    description: ServoDescription | None, joint_names: tuple[str, ...], joint_damping_Nms: Vector
) -> ServoModel | None:
    """Builds the model of a robot's servos; None for a robot without.

    Args:
        description: `servo` of robot.yaml.
        joint_names: names of the robot's joints; a map of robot.yaml has a value for each of them.
        joint_damping_Nms: (na,) viscous friction of the joints, 0 where it is not known.
    """
    if description is None:
        return None
    counts = description.counts_per_turn
    model = ServoModel(
        _per_joint(description.stiffness_Nm_rad, joint_names),
        _per_joint(description.damping_Nms_rad, joint_names),
        joint_damping_Nms,
        2.0 * math.pi / counts if counts is not None else 0.0,
        description.lead_rad,
    )
    for array in (model.stiffness_Nm_rad, model.damping_Nms_rad, joint_damping_Nms):
        array.setflags(write=False)
    return model


def servo_problems(
    description: ServoDescription | None, joint_names: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yields location and sentence of each gain in robot.yaml whose joints are not those of the model."""
    for key in ("stiffness_Nm_rad", "damping_Nms_rad"):
        value = getattr(description, key, None)
        if isinstance(value, Mapping):
            for name in sorted(set(value) ^ set(joint_names)):
                what = "is no joint of the model" if name in value else "has no value"
                yield ("servo", key), f"should have one value for each joint: '{name}' {what}"


def _per_joint(value: float | Mapping[str, float], joint_names: tuple[str, ...]) -> Vector:
    if isinstance(value, Mapping):
        return np.array([value[name] for name in joint_names])
    return np.full(len(joint_names), value)
