"""What pinocchio leaves unread in an MJCF file."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np

from robots.model_file import ModelFileError
from robots.rows import Vector


def actuator_limits(path: Path, joint_names: tuple[str, ...]) -> Vector:
    """Torque limits of joints from the joints' own force range and from the actuators that drive them.

    Args:
        path: the MJCF file.
        joint_names: names in the order wanted.

    Returns:
        (na,) the smallest magnitude each joint is limited to [Nm]; infinite where there is no limit.

    Raises:
        ModelFileError: MuJoCo cannot read the file, or finds other joints in it.
    """
    try:
        model = mujoco.MjModel.from_xml_path(str(path))
    except ValueError as error:
        raise ModelFileError(f"MuJoCo cannot read it: {' '.join(str(error).split())}") from None
    _check_same_joints(model, joint_names)
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


def _check_same_joints(model: mujoco.MjModel, joint_names: tuple[str, ...]) -> None:
    # pinocchio leaves out joints without attributes, and makes up names where there are none.
    found = {
        model.joint(index).name
        for index in range(model.njnt)
        if model.jnt_type[index] != mujoco.mjtJoint.mjJNT_FREE
    }
    if found != set(joint_names):
        odd = ", ".join(sorted(f"'{name}'" for name in found ^ set(joint_names)))
        raise ModelFileError(f"MuJoCo and pinocchio differ in the joints {odd}: name each, give each an axis")


def _actuator_limit(model: mujoco.MjModel, actuator: int) -> float:
    gear = abs(model.actuator_gear[actuator, 0])
    if model.actuator_forcelimited[actuator]:
        return float(np.abs(model.actuator_forcerange[actuator]).min() * gear)
    is_motor = model.actuator_biastype[actuator] == mujoco.mjtBias.mjBIAS_NONE
    if model.actuator_ctrllimited[actuator] and is_motor:
        gain = abs(model.actuator_gainprm[actuator, 0])
        return float(np.abs(model.actuator_ctrlrange[actuator]).min() * gain * gear)
    return float(np.inf)
