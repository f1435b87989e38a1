"""Motor constants of a robot: the electrical loss of each joint's motor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector


def copper_loss_W_Nm2(robot: RobotModel) -> Vector:
    """Returns the loss in the windings of each joint's motor over the squared torque of the joint.

    With winding resistance R, torque constant Kt and gear ratio N it is R / (N Kt)^2, because the current of
    a torque tau at the joint is tau / (N Kt).

    Args:
        robot: model of the robot.

    Returns:
        (na,) losses [W/Nm^2]; NaN for a joint without a value in robot.yaml.
    """
    given = robot.description.copper_loss_W_Nm2
    if isinstance(given, Mapping):
        return np.array([given.get(name, np.nan) for name in robot.joint_names])
    return np.full(robot.na, given)
