"""Reads the parts of an MJCF file that pinocchio ignores: the pose of a fixed root, and actuator limits."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pinocchio as pin

from kilohertz.robots.model.model_file import ModelFileError
from kilohertz.robots.model.rows import Vector


def compile_mjcf(path: Path) -> mujoco.MjModel:
    """Compiles an MJCF file with MuJoCo.

    Raises:
        ModelFileError: MuJoCo cannot read the file.
    """
    try:
        return mujoco.MjModel.from_xml_path(str(path))
    except ValueError as error:
        raise ModelFileError(f"MuJoCo cannot read it: {' '.join(str(error).split())}") from None


def check_joints(model: mujoco.MjModel, joint_names: tuple[str, ...]) -> None:
    """Refuses a file for which pinocchio and MuJoCo do not find the same joints.

    pinocchio omits joints without attributes, and invents a name for a joint without one.

    Args:
        model: the file, compiled by MuJoCo.
        joint_names: names of the joints that pinocchio found.

    Raises:
        ModelFileError: the joints differ.
    """
    found = {
        model.joint(index).name
        for index in range(model.njnt)
        if model.jnt_type[index] != mujoco.mjtJoint.mjJNT_FREE
    }
    if found != set(joint_names):
        odd = ", ".join(sorted(f"'{name}'" for name in found ^ set(joint_names)))
        raise ModelFileError(
            f"MuJoCo and pinocchio differ in the joints {odd}: give each joint of the file a name and an axis"
        )


def place_root(pin_model: pin.Model, model: mujoco.MjModel) -> None:
    """Moves a fixed base to the pose of its root body in the file; pinocchio puts it at the origin."""
    if model.nbody < 2 or model.body_jntnum[1] > 0:
        return
    placement = pin.SE3(pin.Quaternion(*model.body_quat[1]).matrix(), model.body_pos[1])
    for joint in range(1, pin_model.njoints):
        if pin_model.parents[joint] == 0:
            pin_model.jointPlacements[joint] = placement * pin_model.jointPlacements[joint]
    for index in range(1, pin_model.nframes):
        frame = pin_model.frames[index]
        if frame.parentJoint == 0:
            frame.placement = placement * frame.placement


def actuator_limits(model: mujoco.MjModel, joint_names: tuple[str, ...]) -> Vector:
    """Returns torque limits from the joints' own force ranges and from the actuators that drive them.

    Args:
        model: the file, compiled by MuJoCo.
        joint_names: na joints of the file, in the order of the result.

    Returns:
        (na,) smallest magnitude to which each joint is limited [Nm]; infinite for a joint without a limit.
    """
    limits = np.full(len(joint_names), np.inf)
    for index, name in enumerate(joint_names):
        joint = model.joint(name).id
        if model.jnt_actfrclimited[joint]:
            limits[index] = np.abs(model.jnt_actfrcrange[joint]).min()
        for actuator in range(model.nu):
            drives_joint = model.actuator_trntype[actuator] == mujoco.mjtTrn.mjTRN_JOINT
            if drives_joint and model.actuator_trnid[actuator, 0] == joint:
                limits[index] = min(limits[index], _actuator_limit(model, actuator))
    return limits


def _actuator_limit(model: mujoco.MjModel, actuator: int) -> float:
    gear = abs(model.actuator_gear[actuator, 0])
    if model.actuator_forcelimited[actuator]:
        return float(np.abs(model.actuator_forcerange[actuator]).min() * gear)
    is_motor = model.actuator_biastype[actuator] == mujoco.mjtBias.mjBIAS_NONE
    if model.actuator_ctrllimited[actuator] and is_motor:
        gain = abs(model.actuator_gainprm[actuator, 0])
        return float(np.abs(model.actuator_ctrlrange[actuator]).min() * gain * gear)
    return float(np.inf)
