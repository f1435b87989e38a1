"""What hands are to hold and where the robot is to look while it does something else, as rows of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pinocchio as pin

from kilohertz.controller.motion.behaviour_error import BehaviourError
from kilohertz.controller.upper_body.reach import nearest_pose
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

FREE, BASE, WORLD = range(3)
"""Frame of a hand's target; a free hand has no target."""
TARGET_FRAME, TARGET_P, TARGET_R, HAND_TARGET_SIZE = 0, 1, 4, 13
"""Where each part of a target begins: frame, position (3), orientation by rows (9; NaN: free); its size."""
MOST_HANDS = 4


def write_hand_targets(
    robot: RobotModel, hands: Mapping[str, Mapping[str, Any]], hand_targets: Vector
) -> None:
    """Writes the target of every hand that is named.

    Args:
        robot: the robot.
        hands: by name: p_BH_m and perhaps rpy_BH_rad, or p_WH_m and perhaps rpy_WH_rad.
        hand_targets: (MOST_HANDS, HAND_TARGET_SIZE) the rows, of free hands.

    Raises:
        BehaviourError: for a hand that there is not, and for a place that it does not get to.
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
    nearest = nearest_pose(robot, robot.hands[i], target[TARGET_P:TARGET_R], R_BH)
    if nearest.found:
        return
    name = robot.hand_names[i]
    off = nearest.describe(R_BH is not None)
    raise BehaviourError(("hands", name, "p_BH_m"), f"{name} does not get there{off}")


def _three(value: Any, loc: tuple[str | int, ...]) -> Vector:
    given = np.array(math.nan if value is None else value, dtype=np.float64)
    if given.shape != (3,) or not np.isfinite(given).all():
        raise BehaviourError(loc, f"{loc[-1]} should be three numbers, not {value}")
    return given
