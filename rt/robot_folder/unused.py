"""Sentences on what a model file says about its joints and drives and what has no effect here."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import mujoco
import numpy as np

from kilohertz.robots.model.mjcf import compile_mjcf
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector


def unused_sentences(robot: RobotModel) -> list[str]:
    """Returns one sentence for each property of the model's joints that has no effect, and its remedy.

    Friction and damping of a model file are often settings for one simulator and not those of the joints;
    position actuators of an MJCF file are often a substitute for a controller. So neither is used, unless
    robot.yaml says so.
    """
    if robot.model_format == "mjcf":
        friction, damping, stiffness = _of_mjcf(robot)
    else:
        friction, damping, stiffness = _of_urdf(robot)
    sentences = []
    description = robot.description
    parts = []
    if friction.any() and not description.joint_friction_Nm:
        parts.append(("friction", f"up to {friction.max():g} Nm", "joint_friction_Nm"))
    if damping.any() and not description.joint_damping_Nms:
        parts.append(("damping", f"up to {damping.max():g} Nms", "joint_damping_Nms"))
    if parts:
        what = " and ".join(f"{name} ({size})" for name, size, _ in parts)
        keys = " and ".join(key for _, _, key in parts)
        sentences.append(
            f"what the model says of {what} of its joints is not used: if it is the robot's, give {keys}"
        )
    if stiffness.any() and description.drives == "torque":
        sentences.append(
            f"the model's actuators are position servos (kp up to {stiffness.max():g} Nm/rad): the "
            "controller sends torques instead; for servos that take positions only, give `drives: position`"
        )
    return sentences


def _of_urdf(robot: RobotModel) -> tuple[Vector, Vector, Vector]:
    """Returns friction, damping and, as for MJCF, stiffness of the joints, which a URDF does not have."""
    found = {}
    for joint in ET.fromstring(robot.urdf_text).findall("joint"):
        dynamics = joint.find("dynamics")
        if dynamics is not None:
            found[joint.get("name", "")] = dynamics.attrib
    values = np.zeros((3, robot.na))
    for index, name in enumerate(robot.joint_names):
        for row, key in enumerate(("friction", "damping")):
            values[row, index] = _number(found.get(name, {}).get(key))
    return values[0], values[1], values[2]


def _of_mjcf(robot: RobotModel) -> tuple[Vector, Vector, Vector]:
    model = compile_mjcf(robot.model_path)
    values = np.zeros((3, robot.na))
    for index, name in enumerate(robot.joint_names):
        joint = model.joint(name).id
        dof = model.jnt_dofadr[joint]
        values[0, index] = model.dof_frictionloss[dof]
        # MuJoCo 4 has damping of higher orders too.
        values[1, index] = np.ravel(model.dof_damping[dof])[0]
        for actuator in range(model.nu):
            of_joint = model.actuator_trntype[actuator] == mujoco.mjtTrn.mjTRN_JOINT
            if of_joint and model.actuator_trnid[actuator, 0] == joint:
                # The force of a position servo falls with the position.
                values[2, index] = max(values[2, index], -model.actuator_biasprm[actuator, 1])
    return values[0], values[1], values[2]


def _number(text: str | None) -> float:
    try:
        return float(text) if text is not None else 0.0
    except ValueError:
        return 0.0
