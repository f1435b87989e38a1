"""The joints that turn a robot's gaze, and their range: joints of the neck, or else of the waist."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pinocchio as pin

from kilohertz.controller.motion.behaviour_error import BehaviourError
from kilohertz.robots.model.frames import frame_id
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

AHEAD, DIRECTION, POINT = range(3)
"""Kinds of gaze target.

A row of (GAZE_SIZE,) numbers holds the kind, then for DIRECTION yaw and pitch (positive down) from the
heading [rad], or for POINT a point in the world [m].
"""
GAZE_SIZE = 4
_ALIGNED = 0.9
"""Least cosine between the axis of a joint and the vertical or lateral axis for it to turn the gaze."""
_OFF_THE_STOP_RAD = 0.05
_WAIST_YAW_RAD, _WAIST_PITCH_RAD = 1.0, 0.25
"""Largest yaw and pitch of the trunk for the gaze; larger angles put balance at risk."""


@dataclass(frozen=True)
class Turn:
    """A joint that turns the gaze.

    Attributes:
        joint: index of the joint in the joint arrays.
        sign: +1 if joint angle and gaze angle have the same sign, else -1.
        low, high: smallest and largest angle of the gaze [rad].
        neck: whether the joint is above the trunk.
    """

    joint: int
    sign: float
    low: float
    high: float
    neck: bool


@dataclass(frozen=True)
class GazeRange:
    """The joints and the range of a robot's gaze.

    Attributes:
        yaw, pitch: joints that turn the gaze about the vertical and about the lateral axis.
        yaw_first: whether the yaw joint comes before the pitch joint in the kinematic chain.
        p_TE: (3,) position of the eyes in the frame of the trunk, at the nominal posture [m].
    """

    yaw: Turn
    pitch: Turn
    yaw_first: bool
    p_TE: tuple[float, float, float]

    def angles(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Returns the yaw and pitch [rad] that turn the gaze from straight ahead into a direction.

        Args:
            x: component of the direction along the heading.
            y: component to the left.
            z: component upwards.
        """
        if self.yaw_first:
            return math.atan2(y, x), -math.atan2(z, math.hypot(x, y))
        return math.atan2(y, math.hypot(x, z)), -math.atan2(z, x)


def gaze_range(robot: RobotModel) -> GazeRange | None:
    """Returns the gaze joints of a robot and their range; None for a robot without such joints."""
    model, trunk, gaze = robot.pin_model, robot.description.trunk, robot.description.gaze
    if not robot.floating or trunk is None or trunk == robot.base_link:
        return None
    data = model.createData()
    pin.computeJointJacobians(model, data, robot.q_nominal)
    pin.updateFramePlacements(model, data)
    link, p_LE = (trunk, (0.0, 0.0, 0.0)) if gaze is None else (gaze.link, gaze.p_LE_m)
    # Named by robot.yaml, the eyes are on a link; otherwise at the trunk's origin.
    T, L = data.oMf[frame_id(model, str(robot.trunk_frame))], data.oMf[model.getBodyId(link)]
    below = set(model.supports[model.frames[model.getBodyId(trunk)].parentJoint])
    turns: list[Turn | None] = [None, None]
    for j in model.supports[model.frames[model.getBodyId(link)].parentJoint]:
        joint = model.joints[j].idx_v - robot.n_base
        if joint < 0:
            continue
        axis = pin.getJointJacobian(model, data, j, pin.WORLD)[3:, robot.n_base + joint]
        for k, along in ((0, axis[2]), (1, axis[1])):
            if abs(along) > _ALIGNED:  # a joint of the neck takes the place of one of the waist
                turns[k] = _turn(robot, joint, float(along), j not in below, k)
    yaw, pitch = turns
    if yaw is None or pitch is None:
        return None
    x, y, z = T.actInv(L.act(np.array(p_LE)))
    return GazeRange(yaw, pitch, yaw.joint < pitch.joint, (float(x), float(y), float(z)))


def _turn(robot: RobotModel, joint: int, axis: float, neck: bool, k: int) -> Turn:
    sign, rest = math.copysign(1.0, axis), float(robot.q_nominal[robot.nq_base + joint])
    stops = (float(robot.position_lower_rad[joint]) - rest, float(robot.position_upper_rad[joint]) - rest)
    low, high = sorted(sign * stop for stop in stops)
    most = math.pi if neck else (_WAIST_YAW_RAD, _WAIST_PITCH_RAD)[k]
    return Turn(joint, sign, max(low + _OFF_THE_STOP_RAD, -most), min(high - _OFF_THE_STOP_RAD, most), neck)


def write_gaze(robot: RobotModel, gaze: Mapping[str, Any], row: Vector) -> None:
    """Writes a gaze target as a row of numbers.

    Args:
        robot: the robot.
        gaze: the target: `p_WG_m`, or `yaw_rad` and `pitch_rad`.
        row: (GAZE_SIZE,) output.

    Raises:
        BehaviourError: the robot has no gaze joints, or the direction is out of their range.
    """
    within = gaze_range(robot)
    if within is None:
        raise BehaviourError(
            ("gaze",), f"'{robot.name}' cannot look around: no joints turn its trunk or its head so"
        )
    point = gaze.get("p_WG_m")
    if point is not None:
        row[0], row[1:] = POINT, np.array(point, dtype=np.float64)
        return
    yaw, pitch = gaze.get("yaw_rad", 0.0), gaze.get("pitch_rad", 0.0)
    level = math.cos(pitch)
    angles = within.angles(level * math.cos(yaw), level * math.sin(yaw), -math.sin(pitch))
    row[0], row[1:3] = DIRECTION, angles
    for k, (key, turn) in enumerate((("yaw_rad", within.yaw), ("pitch_rad", within.pitch)), start=1):
        if not turn.low <= row[k] <= turn.high:
            raise BehaviourError(
                ("gaze", key),
                f"{row[k]:.2f} rad is further than '{robot.name}' can look; "
                f"ask for {turn.low:.2f} to {turn.high:.2f}",
            )
