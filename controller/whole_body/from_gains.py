"""Builds a whole-body controller with the contact, barrier and inequality settings from a robot's gains."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kilohertz.controller.gains.bounds import inequalities
from kilohertz.controller.gains.names import frame_names
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.whole_body.whole_body import BarrierSettings, ContactSettings, Task, WholeBody
from kilohertz.robots.clearance.clearance import clearance_of
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel


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
        barrier_settings(gains),
        solver,
        inequalities=inequalities(gains.inequalities, frame_names(robot)),
        optional=[task.name for task in tasks if task.name in (*robot.hand_names, *optional)],
        clearance=clearance_of(robot),
    )


def contact_settings(robot: RobotModel, gains: Gains) -> ContactSettings:
    """Returns the contact settings, with force limits scaled by the robot's weight."""
    contact, weight_N = gains.contact, robot.mass_kg * GRAVITY_M_S2
    return ContactSettings(
        contact.damping_per_s, contact.least_load * weight_N, contact.largest_load * weight_N
    )


def barrier_settings(gains: Gains) -> BarrierSettings:
    """Returns the settings of the joint barriers."""
    limits = gains.limits
    return BarrierSettings(
        limits.position_per_s2, limits.damping_per_s, limits.velocity_per_s, limits.largest_rad_s2
    )
