"""Targets of the hands during another behaviour, such as standing or walking, as rows of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pinocchio as pin

from kilohertz.controller.motion.behaviour_error import BehaviourError
from kilohertz.controller.streams.stream_row import MOST_HANDS
from kilohertz.controller.upper_body.reach import nearest_pose
from kilohertz.robots.clearance.clearance import clearance_of
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

FREE, BASE, WORLD = range(3)
"""Frame of a hand's target: FREE (no target), BASE (level frame of the robot) or WORLD."""
TARGET_FRAME, TARGET_P, TARGET_R, HAND_TARGET_SIZE = 0, 1, 4, 13
"""Layout of a target row: index of the frame, of the position (3 values) and of the orientation; row size.

The orientation is a rotation matrix row by row (9 values); NaN leaves it free.
"""


def write_hand_targets(
    robot: RobotModel, hands: Mapping[str, Mapping[str, Any]], hand_targets: Vector
) -> None:
    """Writes the target of every named hand.

    Args:
        robot: the robot.
        hands: target by name of the hand: `p_BH_m` with an optional `rpy_BH_rad`, or `p_WH_m` with an
            optional `rpy_WH_rad`.
        hand_targets: (MOST_HANDS, HAND_TARGET_SIZE) output; on entry every hand is free.

    Raises:
        BehaviourError: the robot has no hand of that name, or the hand cannot reach the pose.
    """
    for name, target in hands.items():
        if name not in robot.hand_names:
            has = f"it has {', '.join(robot.hand_names)}" if robot.hand_names else "it has none"
            raise BehaviourError(("hands", name), f"'{robot.name}' has no hand '{name}'; {has}")
        i = robot.hand_names.index(name)
        if i >= MOST_HANDS:
            raise BehaviourError(
                ("hands", name), f"only the first {MOST_HANDS} hands of a robot can be given targets"
            )
        frame = "B" if target.get("p_BH_m") is not None else "W"
        place = _three(target.get(f"p_{frame}H_m"), ("hands", name, f"p_{frame}H_m"))
        hand_targets[i, TARGET_FRAME] = BASE if frame == "B" else WORLD
        hand_targets[i, TARGET_P:TARGET_R] = place
        rpy = target.get(f"rpy_{frame}H_rad")
        hand_targets[i, TARGET_R:] = math.nan
        if rpy is not None:
            R = pin.rpy.rpyToMatrix(_three(rpy, ("hands", name, f"rpy_{frame}H_rad")))
            hand_targets[i, TARGET_R:] = R.ravel()
        if frame == "B":
            _check_reach(robot, i, hand_targets[i])


def _check_reach(robot: RobotModel, i: int, target: Vector) -> None:
    R_BH = target[TARGET_R:].reshape(3, 3) if math.isfinite(target[TARGET_R]) else None
    name = robot.hand_names[i]
    part = clearance_of(robot).inside(target[TARGET_P:TARGET_R], name)
    if part:
        raise BehaviourError(("hands", name, "p_BH_m"), f"{name} does not get there: that is inside {part}")
    nearest = nearest_pose(robot, robot.hands[i], target[TARGET_P:TARGET_R], R_BH)
    if nearest.found:
        return
    off = nearest.describe(R_BH is not None)
    raise BehaviourError(("hands", name, "p_BH_m"), f"{name} does not get there{off}")


def _three(value: Any, loc: tuple[str | int, ...]) -> Vector:
    given = np.array(math.nan if value is None else value, dtype=np.float64)
    if given.shape != (3,) or not np.isfinite(given).all():
        raise BehaviourError(loc, f"{loc[-1]} should be three numbers, not {value}")
    return given
