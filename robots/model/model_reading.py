"""Reads the model file of a robot.yaml into pinocchio's model, without its locked joints."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.description import RobotDescription
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.model_error import ModelFileError
from kilohertz.robots.model.model_file import ModelFile, read_model

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True)
class Reading:
    """A model file that was read.

    Attributes:
        file: the file.
        model: pinocchio's model without locked joints, with a free-flyer root if the base is floating.
        mj_model: for MJCF, MuJoCo's model of the whole file, with its actuators and all its joints.
        locked_rad: locked joints with their positions [rad, or m for a sliding joint].
        notes: one sentence for each part of the file that is ignored, mended or assumed.
    """

    file: ModelFile
    model: pin.Model
    mj_model: mujoco.MjModel | None
    locked_rad: Mapping[str, float]
    notes: tuple[str, ...]

    @property
    def flies(self) -> bool:
        """Whether the root is free."""
        return self.model.njoints > 1 and str(self.model.joints[1].shortname()) == "JointModelFreeFlyer"


def read_robot(path: Path, description: RobotDescription) -> Reading:
    """Reads the model file of a robot.

    Args:
        path: path of the file.
        description: content of robot.yaml.

    Raises:
        ModelFileError: the file cannot be used.
    """
    floating = description.base == "floating"
    file = read_model(
        path,
        description.locked_joints_rad,
        floating,
        description.repair_inertia,
        description.posture_rad,
        named_links(description),
        description.forward_rad,
    )
    if file.format == "mjcf":
        reading = _read_mjcf(file, description)
    else:
        if description.ignore_springs:
            raise ModelFileError("is a URDF, which has no springs: remove ignore_springs from robot.yaml")
        try:
            if floating:
                model = pin.buildModelFromXML(file.text, pin.JointModelFreeFlyer())
            else:
                model = pin.buildModelFromXML(file.text)
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).strip().splitlines()[-1:])
            raise ModelFileError(f"cannot be read: {reason}") from None
        _check_mass(model, file.text)
        reading = Reading(file, model, None, file.locked_rad, file.notes)
    reading.model.gravity.linear = np.array([0.0, 0.0, -GRAVITY_M_S2])
    return reading


def _check_mass(model: pin.Model, text: str) -> None:
    """Refuses a model of which pinocchio's reader has left out a mass, which it only prints."""
    masses = [float(mass.get("value", "0")) for mass in ET.fromstring(text).findall("link/inertial/mass")]
    read_kg = sum(float(inertia.mass) for inertia in model.inertias)
    if not abs(read_kg - sum(masses)) <= 1e-9 * sum(np.abs(masses)):
        raise ModelFileError(
            f"pinocchio reads {read_kg:.6g} kg of the {sum(masses):.6g} kg in <mass>: correct the <inertial> "
            "of the link that it names in its messages"
        )


def named_links(description: RobotDescription) -> set[str]:
    """Returns the links of contacts, hands, force-torque sensors, IMU, trunk and eyes."""
    places = [*description.contacts.values(), *description.hands.values(), description.imu, description.gaze]
    links = {place.link for place in places if place is not None}
    links |= {
        hand.wrist.link
        for hand in description.hands.values()
        if hand.wrist is not None and hand.wrist.link is not None
    }
    return links | ({description.trunk} if description.trunk is not None else set())


def _read_mjcf(file: ModelFile, description: RobotDescription) -> Reading:
    # Here, so that the controller of a robot with a URDF runs without MuJoCo.
    import mujoco

    from kilohertz.robots.model.mjcf import (
        check_joints,
        check_mjcf,
        compile_mjcf,
        free_root,
        moving_root,
        pinocchio_model,
    )
    from kilohertz.robots.model.mjcf_locks import compile_without, lock_coupled

    whole = compile_mjcf(file.path)
    check_joints(whole)
    freed: tuple[str, ...] = ()
    if description.base == "floating":
        spec = mujoco.MjSpec.from_file(str(file.path))
        name = whole.body(moving_root(whole)).name
        if free_root(spec, name):
            try:
                whole = spec.compile()
            except ValueError as error:
                raise ModelFileError(
                    f"body '{name}' cannot get a free joint: MuJoCo says: {' '.join(str(error).split())}"
                ) from None
            freed = (f"the file has no <freejoint/>: body '{name}' gets one, because base is 'floating'",)
    limits = description.torque_limit_Nm
    locks = lock_coupled(
        whole,
        file.locked_rad,
        description.posture_rad,
        limits if isinstance(limits, Mapping) else None,
        named_links(description),
    )
    locked = dict(file.locked_rad) | dict(locks.positions)
    model = compile_without(file.path, whole, locked) if locked else whole
    notes = check_mjcf(model, whole, description.ignore_springs)
    return Reading(file, pinocchio_model(model), whole, locked, (*freed, *locks.notes, *notes))
