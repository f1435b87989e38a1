"""Height of the centre of mass and support area of a robot that stands in its nominal posture."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.kin import Floats
from kilohertz.robots.model.robot_model import RobotModel

_THINNEST_SUPPORT_M = 0.01
"""If all sole corners lie closer than this to one line, the robot cannot stand still on them [m]."""


@lru_cache(maxsize=8)
def com_height(robot: RobotModel) -> float:
    """Returns the height of the centre of mass over the ground in the nominal posture [m]."""
    return float(pin.centerOfMass(robot.pin_model, robot.pin_model.createData(), robot.q_nominal)[2])


def sole_corners(robot: RobotModel) -> Floats:
    """Returns (k, 2) corners of all soles on the ground in the nominal posture, world axes [m]."""
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    return np.array([data.oMf[c.frame_id].act(p)[:2] for c in robot.contacts for p in c.corners_F])


def can_rest(robot: RobotModel) -> bool:
    """Returns True if the soles span an area on which the robot can stand still."""
    corners = sole_corners(robot)
    spread = np.linalg.svd(corners - corners.mean(axis=0), compute_uv=False)
    return len(spread) > 1 and bool(spread[1] > _THINNEST_SUPPORT_M)
