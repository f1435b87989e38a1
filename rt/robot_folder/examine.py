"""Examines a robot before it moves: soles, balance, torques at rest, and what was ignored or assumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.robots.model.posture_check import sole_tilt_deg, support_corners, support_margin_m
from kilohertz.robots.model.robot_model import (
    DEFAULT_VELOCITY_LIMIT_RAD_S,
    DUMMY_LIMIT,
    RobotModel,
)
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.robot_folder.holding import holding_torques
from kilohertz.rt.robot_folder.unused import unused_sentences

SAFE_MARGIN = 0.15
"""Distance of the centre of mass from the edge of the support, relative to half its width, below which the
robot has no room for a disturbance."""
MOST_TORQUE = 0.7
"""Largest holding torque relative to its limit that leaves room for motion."""
SHORT_SLIDE_M = 0.1
"""A sliding joint with a smaller range belongs to a gripper rather than to an arm or leg."""
MOST_TILT_DEG = 1.0


@dataclass(frozen=True)
class SoleState:
    """A sole in the nominal posture.

    Attributes:
        name: name of the contact.
        kind: "surface", "edge" or "point".
        tilt_deg: angle between the sole and the horizontal [deg].
        height_m: height of its lowest corner over the ground [m].
        area_m2: area of the sole [m^2].
    """

    name: str
    kind: str
    tilt_deg: float
    height_m: float
    area_m2: float


@dataclass(frozen=True)
class JointState:
    """A joint in the nominal posture.

    Attributes:
        name: name of the joint.
        holding_Nm: torque that holds the posture [Nm].
        limit_Nm: torque limit [Nm].
        room_rad: distance to the nearer position limit; infinite for a joint without limits [rad].
    """

    name: str
    holding_Nm: float
    limit_Nm: float
    room_rad: float

    @property
    def fraction(self) -> float:
        """Holding torque relative to its limit."""
        return abs(self.holding_Nm) / self.limit_Nm


@dataclass(frozen=True)
class Examination:
    """The result of the examination of a robot.

    Attributes:
        robot: the robot.
        soles: soles, in the order of robot.yaml.
        com_m: (3,) centre of mass in the world [m].
        support_m: (k, 2) corners of all soles from above [m]; empty for a fixed base.
        margin_m: distance of the centre of mass from the edge of the support [m]; None for a fixed base, and
            for soles on which the robot cannot stand still.
        joints: joints, in the order of the robot.
        problems: one sentence for each thing that will not work.
        warnings: one sentence for each thing that leaves little room.
        notes: one sentence for each part of the model that was ignored, mended or assumed.
    """

    robot: RobotModel
    soles: tuple[SoleState, ...]
    com_m: Vector
    support_m: Vector
    margin_m: float | None
    joints: tuple[JointState, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether no problem was found."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """Returns the result as plain objects."""
        return {
            "robot": self.robot.name,
            "passed": self.passed,
            "soles": [
                {
                    "name": sole.name,
                    "kind": sole.kind,
                    "tilt_deg": sole.tilt_deg,
                    "height_m": sole.height_m,
                    "area_m2": sole.area_m2,
                }
                for sole in self.soles
            ],
            "com_m": self.com_m.tolist() if self.robot.floating else None,
            "margin_m": self.margin_m,
            "joints": [
                {
                    "name": joint.name,
                    "holding_Nm": joint.holding_Nm,
                    "limit_Nm": joint.limit_Nm,
                    "fraction": joint.fraction,
                    "room_rad": joint.room_rad if np.isfinite(joint.room_rad) else None,
                }
                for joint in self.joints
            ],
            "problems": list(self.problems),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }


def examine(robot: RobotModel) -> Examination:
    """Examines a robot in its nominal posture, and compares both readings of its model.

    Raises:
        ConfigError: MuJoCo cannot read the model, or reads it differently from pinocchio.
    """
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    com = np.array(pin.centerOfMass(robot.pin_model, data, robot.q_nominal))
    soles = _soles(robot, data)
    support = support_corners(data, robot.contacts) if robot.contacts else np.zeros((0, 2))
    margin = support_margin_m(com[:2], support) if robot.contacts else None
    joints = _joints(robot)
    problems, warnings = _findings(robot, soles, margin, support, joints)
    return Examination(
        robot, soles, com, support, margin, joints, tuple(problems), tuple(warnings), tuple(_notes(robot))
    )


def _soles(robot: RobotModel, data: pin.Data) -> tuple[SoleState, ...]:
    states = []
    for contact in robot.contacts:
        corners = np.array([data.oMf[contact.frame_id].act(corner) for corner in contact.corners_F])
        kind = {1: "point", 2: "edge"}.get(len(corners), "surface")
        x, y = corners[:, :2].T
        area = 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))
        tilt = sole_tilt_deg(data, contact)
        states.append(SoleState(contact.name, kind, tilt, float(corners[:, 2].min()), area))
    return tuple(states)


def _joints(robot: RobotModel) -> tuple[JointState, ...]:
    points = [(contact.frame_id, corner) for contact in robot.contacts for corner in contact.corners_F]
    torques = holding_torques(robot.pin_model, robot.q_nominal, robot.n_base, points)
    q = robot.q_nominal[robot.nq_base :]
    room = np.minimum(q - robot.position_lower_rad, robot.position_upper_rad - q)
    return tuple(
        JointState(*values)
        for values in zip(
            robot.joint_names, torques.tolist(), robot.torque_limit_Nm.tolist(), room.tolist(), strict=True
        )
    )


def _findings(
    robot: RobotModel,
    soles: tuple[SoleState, ...],
    margin_m: float | None,
    support: Vector,
    joints: tuple[JointState, ...],
) -> tuple[list[str], list[str]]:
    problems, warnings = [], []
    for sole in soles:
        if sole.tilt_deg > MOST_TILT_DEG:
            warnings.append(f"{sole.name} is {sole.tilt_deg:.1f} deg from level in the nominal posture")
    if margin_m is not None:
        half_width = 0.5 * float(np.ptp(support, axis=0).min())
        if margin_m < 0.0:
            problems.append(
                f"the centre of mass is {-margin_m:.3f} m outside the soles: change hips and ankles in "
                "posture_rad by opposite angles until it is over them"
            )
        elif margin_m < SAFE_MARGIN * half_width:
            warnings.append(f"the centre of mass is only {margin_m:.3f} m from the edge of the soles")
    for joint in joints:
        sentence = (
            f"{joint.name} needs {abs(joint.holding_Nm):.3g} Nm to hold the posture, {joint.fraction:.0%} of "
            f"its limit of {joint.limit_Nm:.3g} Nm"
        )
        if joint.fraction > 1.0:
            problems.append(f"{sentence}: change posture_rad, or correct torque_limit_Nm")
        elif joint.fraction > MOST_TORQUE:
            warnings.append(sentence)
        if joint.room_rad < 0.02:
            warnings.append(
                f"{joint.name} is {joint.room_rad:.3f} rad from its position limit in the posture"
            )
    for index, name in enumerate(robot.joint_names):
        slides = (
            robot.pin_model.joints[robot.pin_model.getJointId(name)].shortname().startswith("JointModelP")
        )
        span = float(robot.position_upper_rad[index] - robot.position_lower_rad[index])
        if slides and span < SHORT_SLIDE_M:
            middle = 0.5 * (robot.position_upper_rad[index] + robot.position_lower_rad[index])
            warnings.append(
                f"{name} slides by only {span:.3f} m: if it is a finger of a gripper, fix it with "
                f"locked_joints_rad: {{{name}: {middle:g}}}"
            )
    return problems, warnings


def _notes(robot: RobotModel) -> list[str]:
    """Returns what was ignored, mended or assumed: by the model, robot.yaml and the simulation."""
    # Here, because `khz robot check` is the only command of the folder that simulates.
    from kilohertz.sim.scenario_schema import Scenario
    from kilohertz.sim.world import build_world

    notes = list(build_world(robot, Scenario(name="check", duration_s=1.0), 0).notes)
    description, model = robot.description, robot.pin_model
    if robot.floating and description.trunk is None:
        notes.append("robot.yaml names no trunk: the link of the IMU is taken")
    velocity = model.upperVelocityLimit[robot.n_base :]
    unknown = (velocity <= 0.0) | ~(velocity < DUMMY_LIMIT)
    if unknown.any() and not description.velocity_limit_rad_s:
        notes.append(
            f"the model gives no usable velocity limit for {_named(robot, unknown)}: "
            f"{DEFAULT_VELOCITY_LIMIT_RAD_S:g} rad/s is assumed (velocity_limit_rad_s)"
        )
    no_rotor = robot.armature_kgm2 <= 0.0
    if no_rotor.any():
        notes.append(
            f"no reflected rotor inertia is known for {_named(robot, no_rotor)}: 0 is assumed, which is far "
            "too little for a geared motor (armature_kgm2)"
        )
    notes += unused_sentences(robot)
    if description.locked_joints_rad:
        notes.append(f"locked joints: {', '.join(description.locked_joints_rad)}")
    if not description.licence:
        notes.append("robot.yaml does not give the licence of the model")
    return notes


def _named(robot: RobotModel, mask: NDArray[np.bool_]) -> str:
    names = [name for name, is_set in zip(robot.joint_names, mask, strict=True) if is_set]
    if len(names) == robot.na:
        return "any joint"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more joints" if len(names) > 3 else "")
