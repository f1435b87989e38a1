"""Limits of planned motions on the speed, acceleration and jerk of the joints."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

SPEED_SHARE, ACCEL_SHARE, JERK_SHARE = 0.905, 0.975, 0.3
"""Parts of the limits that a motion uses.

The envelope of the robot's side lets no torque drive a joint at more than 92 % of its speed limit, and less
and less torque from 82 % on. What is left of acceleration is for the control error. With more jerk, the limit
on the rate of torque, which changes by the torque limit in 10 ms, would delay motions. Both cost 1 to 2 % of
the time of ways of 1 rad.
"""


class MotionLimits(NamedTuple):
    """Limits of a motion on the derivatives of the joint positions."""

    speed: Vector
    """(na,) [rad/s]."""
    accel: Vector
    """(na,) [rad/s^2]."""
    jerk: Vector
    """(na,) [rad/s^3]."""

    @classmethod
    def of(cls, robot: RobotModel) -> MotionLimits:
        """Returns the parts of a robot's limits that motions use."""
        return cls(
            SPEED_SHARE * robot.velocity_limit_rad_s,
            ACCEL_SHARE * robot.acceleration_limit_rad_s2,
            JERK_SHARE * robot.jerk_limit_rad_s3,
        )


def motion_rate_per_s(robot: RobotModel) -> float:
    """Returns the largest ratio of acceleration to what is left to the velocity limit, in motions [1/s].

    At constant jerk j the acceleration a fades out while the speed grows by a^2 / (2 j) up to a distance d
    from the limit. The ratio a / (a^2 / (2 j) + d) is largest at a^2 = 2 j d, where it is sqrt(j / (2 d)).
    """
    left = (1.0 - SPEED_SHARE) * robot.velocity_limit_rad_s
    return float(np.sqrt(JERK_SHARE * robot.jerk_limit_rad_s3 / (2.0 * left)).max())
