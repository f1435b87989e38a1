"""Behaviour `impedance`: a hand behaves like a spring and a damper."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
import pinocchio as pin
from pydantic import Field

from kilohertz.controller.behaviours.base import (
    Behaviour,
    BehaviourError,
    BehaviourParameters,
    Legs,
    Payload,
    Vector3,
)
from kilohertz.controller.behaviours.reach import hand_index
from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.controller.upper_body.reach import nearest_pose
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

Stiffness = Annotated[float, Field(ge=0, le=5000)]
Turning = Annotated[float, Field(ge=0, le=300)]
FRAMES = ("world", "hand")
_MISSED_M, _MISSED_RAD = 0.02, 0.2
"""Largest errors of position and orientation with which a pose still counts as reachable."""


class Impedance(Behaviour):
    """Make a hand behave like a spring and a damper around its present pose or a given one."""

    name = "impedance"
    legs = Legs.KEEP
    fixed_base = True
    softens = True
    fields = (
        ("hand", 1),
        ("stiffness", 6),
        ("damping_ratio", 1),
        ("frame", 1),
        ("p_WH", 3),
        ("R_WH", 9),
        ("posture_Nm_rad", 1),
        ("energy_J", 1),
    )

    class Parameters(BehaviourParameters):
        """Parameters of `impedance`.

        Attributes:
            hand: name of the hand; may be left out on a robot with one hand.
            stiffness_N_m: force over deflection, one number or one per axis [N/m].
            stiffness_Nm_rad: moment over rotation, one number or one per axis [Nm/rad].
            damping_ratio: damping of every mode of arm and spring over the critical one.
            frame: axes of the stiffness: those of the world, or those of the hand at its reference.
            p_WH_m: position of the reference in the world [m]; if it is left out, the present one.
            offset_m: offset of the reference from the hand's position at the nominal posture, instead of
                `p_WH_m` [m].
            rpy_WH_rad: orientation of the reference in the world [rad]; if it is left out, the present one.
            posture_Nm_rad: stiffness of the joints in motions that leave the hand where it is [Nm/rad].
            energy_J: energy that the request may put into the arm by moving the reference or stiffening the
                spring, besides what the damping has taken out [J].
        """

        hand: str | None = None
        stiffness_N_m: Stiffness | tuple[Stiffness, Stiffness, Stiffness] = 1000.0
        stiffness_Nm_rad: Turning | tuple[Turning, Turning, Turning] = 50.0
        damping_ratio: float = Field(default=1.0, gt=0, le=2)
        frame: Literal["world", "hand"] = "world"
        p_WH_m: Vector3 | None = None
        offset_m: Vector3 | None = None
        rpy_WH_rad: Vector3 | None = None
        posture_Nm_rad: float = Field(default=10.0, ge=0, le=500)
        energy_J: float = Field(default=4.0, gt=0, le=100)

    @classmethod
    def check(cls, robot: RobotModel, parameters: Any) -> None:
        """Raises BehaviourError for a robot without such a hand, or a pose that it cannot reach."""
        check_fixed(robot, cls.name)
        i = hand_index(robot, parameters.hand)
        p_WH = _place(robot, i, parameters)
        if p_WH is None:
            return
        turned = parameters.rpy_WH_rad is not None
        R_WH = pin.rpy.rpyToMatrix(np.array(parameters.rpy_WH_rad)) if turned else None
        nearest = nearest_pose(robot, robot.hands[i], p_WH, R_WH)
        if nearest.off_m > _MISSED_M or nearest.off_rad > _MISSED_RAD:
            key = "p_WH_m" if parameters.offset_m is None else "offset_m"
            raise BehaviourError(
                (key,), f"{robot.hand_names[i]} does not get there{nearest.describe(turned)}"
            )

    @classmethod
    def write(cls, robot: RobotModel, parameters: Any, payload: Payload) -> None:
        """Writes the parameters; the stiffness is that of three translations, then of three rotations.

        A position or an orientation of NaN keeps the present one.
        """
        i = hand_index(robot, parameters.hand)
        payload["p_WH"][:] = payload["R_WH"][:] = math.nan
        p_WH = _place(robot, i, parameters)
        if p_WH is not None:
            payload["p_WH"][:] = p_WH
        if parameters.rpy_WH_rad is not None:
            payload["R_WH"][:] = pin.rpy.rpyToMatrix(np.array(parameters.rpy_WH_rad)).ravel()
        payload["hand"][0] = i
        payload["stiffness"][:3] = parameters.stiffness_N_m
        payload["stiffness"][3:] = parameters.stiffness_Nm_rad
        payload["damping_ratio"][0] = parameters.damping_ratio
        payload["frame"][0] = FRAMES.index(parameters.frame)
        payload["posture_Nm_rad"][0] = parameters.posture_Nm_rad
        payload["energy_J"][0] = parameters.energy_J

    def start(self, payload: Payload) -> None:
        """Makes the hand soft, and moves its reference to the given pose."""
        soft, p_WH, R_WH = self.context.soft, payload["p_WH"], payload["R_WH"]
        assert soft is not None
        soft.start(int(payload["hand"][0]), float(payload["energy_J"][0]))
        soft.set_spring(
            payload["stiffness"],
            float(payload["damping_ratio"][0]),
            int(payload["frame"][0]),
            float(payload["posture_Nm_rad"][0]),
        )
        soft.motion.move(
            p_WH if math.isfinite(p_WH[0]) else None,
            R_WH.reshape(3, 3) if math.isfinite(R_WH[0]) else None,
        )

    def advance(self, t_s: float, reference: PostureReference) -> None:
        """Does nothing: the soft arm advances by itself."""


def check_fixed(robot: RobotModel, name: str) -> None:
    """Raises BehaviourError if the robot stands on legs, whose balance a soft hand would need."""
    if robot.floating:
        raise BehaviourError((), f"'{robot.name}' stands on legs: only an arm on a fixed base can do {name}")


def check_only_hand(robot: RobotModel, name: str, hand: str | None) -> None:
    """Raises BehaviourError unless the robot is an arm on a fixed base, and this hand its only one.

    Args:
        robot: the robot.
        name: name of the behaviour, which needs the force on the hand.
        hand: name of the hand; None for the only one.
    """
    check_fixed(robot, name)
    hand_index(robot, hand)
    if len(robot.hands) != 1:
        raise BehaviourError((), f"'{robot.name}' has several hands: the forces on them are not known")


def _place(robot: RobotModel, i: int, parameters: Any) -> Vector | None:
    """Returns the (3,) position that is asked for in the world [m]; None for the present one."""
    if parameters.p_WH_m is not None:
        return np.array(parameters.p_WH_m, dtype=np.float64)
    if parameters.offset_m is None:
        return None
    place: Vector = robot.nominal_point(robot.hands[i].frame_id) + np.array(parameters.offset_m)
    return place
