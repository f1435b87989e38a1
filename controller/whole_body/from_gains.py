"""Builds a whole-body controller with the contact, barrier and inequality settings from a robot's gains."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kilohertz.controller.gains.bounds import inequalities
from kilohertz.controller.gains.names import frame_names
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.motion.motion_limits import motion_rate_per_s
from kilohertz.controller.whole_body.whole_body import BarrierSettings, ContactSettings, Task, WholeBody
from kilohertz.robots.clearance.clearance import clearance_of
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel

_MARGIN, _STEEPEST_PER_S = 1.3, 350.0
"""Factor on the steepness that planned motions need of the velocity barrier, for noise, and its largest value
[1/s], at which a delay of 2 ms does not make it oscillate."""


def whole_body(
    robot: RobotModel, gains: Gains, tasks: Sequence[Task], solver: str, optional: Collection[str] = ()
) -> WholeBody:
    """Returns the whole-body controller of a robot, which keeps clear of its own body.

    The tasks of its hands can be switched on in every mode.

    Args:
        robot: the robot.
        gains: gains of the robot; the limits on contact forces scale with its weight.
        tasks: all tasks that any behaviour uses.
        solver: "osqp" or "exact".
        optional: names of further tasks that can be switched on in every mode.
    """
    return WholeBody(
        robot,
        tasks,
        contact_settings(robot, gains),
        barrier_settings(robot, gains),
        solver,
        inequalities=inequalities(gains.inequalities, frame_names(robot)),
        optional=[task.name for task in tasks if task.name in (*robot.hand_names, *optional)],
        clearance=clearance_of(robot),
    )


def contact_settings(robot: RobotModel, gains: Gains) -> ContactSettings:
    """Returns the contact settings, with force limits scaled by the robot's weight."""
    contact, weight_N = gains.contact, robot.mass_kg * GRAVITY_M_S2
    return ContactSettings(
        contact.damping_per_s, contact.least_load * weight_N, contact.largest_load * weight_N, rolls=True
    )


def barrier_settings(robot: RobotModel, gains: Gains) -> BarrierSettings:
    """Returns the settings of the joint barriers.

    The barrier on the velocity of an arm is at least as steep as its planned motions need, which accelerate
    up to 99 % of the velocity limit.
    """
    limits, velocity_per_s = gains.limits, gains.limits.velocity_per_s
    if not robot.floating:
        velocity_per_s = max(velocity_per_s, min(_MARGIN * motion_rate_per_s(robot), _STEEPEST_PER_S))
    return BarrierSettings(
        limits.position_per_s2, limits.damping_per_s, velocity_per_s, limits.largest_rad_s2
    )
