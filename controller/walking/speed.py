"""Largest walking speed that can be commanded for a robot of a given size."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kilohertz.controller.problem.soles import com_height
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_FORWARD, _BACKWARD, _SIDEWAYS = 0.33, 0.16, 0.11
"""Largest walking speed divided by sqrt(g h), where h is the nominal height of the centre of mass."""
_TURN = 0.27
"""Largest yaw rate divided by sqrt(g / h)."""


def walks(robot: RobotModel) -> bool:
    """Returns whether the robot has a floating base and exactly two contacts, so that it can walk."""
    return robot.floating and len(robot.contacts) == 2


def speed_limits(robot: RobotModel) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns the smallest and the largest walking velocity: forward, to the left [m/s], turning [rad/s]."""
    height = com_height(robot)
    speed, turn = math.sqrt(GRAVITY_M_S2 * height), _TURN * math.sqrt(GRAVITY_M_S2 / height)
    return (-_BACKWARD * speed, -_SIDEWAYS * speed, -turn), (_FORWARD * speed, _SIDEWAYS * speed, turn)


def check_speed(robot: RobotModel, velocity: Sequence[float] | Vector) -> None:
    """Raises an error if the robot cannot walk at this velocity.

    Args:
        robot: model of the robot.
        velocity: (3,) forward, to the left [m/s] and turning [rad/s].

    Raises:
        ValueError: if the velocity is too large, or the robot does not have two feet; the message gives the
            largest velocity.
    """
    if not walks(robot):
        raise ValueError(f"'{robot.name}' has {len(robot.contacts)} contacts: walking takes two feet")
    low, high = speed_limits(robot)
    for value, most, unit, way in (
        (velocity[0], high[0], "m/s", "forward"),
        (-velocity[0], -low[0], "m/s", "backward"),
        (abs(velocity[1]), high[1], "m/s", "sideways"),
        (abs(velocity[2]), high[2], "rad/s", "as a turn"),
    ):
        if not value <= most:
            raise ValueError(
                f"{value:.2f} {unit} {way} is faster than '{robot.name}' can walk; "
                f"ask for at most {most:.2f} {unit}"
            )
