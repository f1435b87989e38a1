"""Recognises measured values in a wrong unit or with a wrong sign, for arming and for logs from elsewhere.

Each function judges plain numbers and returns what they look like; the caller words the sentence.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel

Array = NDArray[np.float64]

DEGREE = math.pi / 180.0
SLACK_RAD = 0.5
"""Distance outside its limits up to which a joint is taken for one whose zero is a little wrong [rad]."""
FASTEST_TURN_RAD_S = 12.0
"""Angular velocity that no robot keeps up; a higher one is taken for deg/s [rad/s]."""
UPSIDE_DOWN = -0.7
"""Cosine between the specific force and the upward direction below which the sign is taken to be wrong."""
_LEAST_GRAVITY = 0.3
_TIME_UNITS = (("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9))
_ACCELERATION_UNITS = (("g", GRAVITY_M_S2), ("mg", 1e-3 * GRAVITY_M_S2))


def beyond_limits_rad(robot: RobotModel, q: Array) -> Array:
    """Returns by how much joint positions are outside their limits; negative inside [rad].

    Args:
        robot: model with the limits, which are infinite for a continuous joint.
        q: (na,) or (n, na) joint positions [rad].
    """
    beyond: Array = np.maximum(robot.position_lower_rad - q, q - robot.position_upper_rad)
    return beyond


def in_degrees(robot: RobotModel, q: Array) -> bool:
    """Returns whether joint positions, (na,) or (n, na), are as if in degrees and not in rad.

    This is so if a joint is far outside its limits or beyond two turns, and if as degrees all of them would
    be within their limits.
    """
    far = np.abs(q).max()
    if not far > 4.0 * math.pi and not (far > math.pi and beyond_limits_rad(robot, q).max() > SLACK_RAD):
        return False
    return bool(beyond_limits_rad(robot, DEGREE * q).max() < SLACK_RAD)


def time_unit(period: float, shortest_s: float, longest_s: float) -> tuple[str, float] | None:
    """Returns the unit in which a period lies within a range, and that unit in seconds; None for no unit.

    Args:
        period: difference of two time stamps, in the unknown unit.
        shortest_s: shortest true period [s].
        longest_s: longest true period [s].
    """
    fits = (unit for unit in _TIME_UNITS if shortest_s < period * unit[1] <= longest_s)
    return next(fits, None)


def acceleration_unit(length: float) -> tuple[str, float] | None:
    """Returns the unit of a specific force of this length at rest and its value in m/s^2, or None."""
    for unit, factor in _ACCELERATION_UNITS:
        if 0.7 < length * factor / GRAVITY_M_S2 < 1.4:
            return unit, factor
    return None


def lacks_gravity(length_m_s2: float) -> bool:
    """Returns whether a specific force of this length at rest is as if gravity had been removed [m/s^2]."""
    return length_m_s2 < _LEAST_GRAVITY * GRAVITY_M_S2
