"""The control period: one millisecond, or that of the rate at which a robot speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kilohertz.robots.model.robot_model import RobotModel

PERIOD_NS = 1_000_000
PERIOD_S = 1e-3
"""The usual control period, which is also the step of the simulation [ns], [s]."""


def period_steps(robot: RobotModel) -> int:
    """Returns the control period of a robot in steps of the simulation, from `rate_hz` of robot.yaml."""
    return round(1.0 / (robot.description.rate_hz * PERIOD_S))


def period_s(robot: RobotModel) -> float:
    """Returns the control period of a robot [s]: at 1000 Hz exactly PERIOD_S."""
    steps = period_steps(robot)
    return PERIOD_S if steps == 1 else steps / 1000.0


def period_ns(robot: RobotModel) -> int:
    """Returns the control period of a robot [ns]."""
    return period_steps(robot) * PERIOD_NS


def ticks_of(duration_s: float, dt_s: float) -> int:
    """Returns the number of periods in a duration, at least one.

    Args:
        duration_s: duration [s].
        dt_s: control period [s].
    """
    return max(1, round(duration_s / dt_s))
