"""Prediction of where an arm will be when a later request begins, to plan its motion before."""

from __future__ import annotations

from collections.abc import Mapping

from kilohertz.controller.joint_motion.plan_row import START, JointState, PlanRow
from kilohertz.controller.joint_motion.trajectory import Trajectory
from kilohertz.controller.motion.motion_limits import MotionLimits
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector


def state_after(
    robot: RobotModel, payload: Mapping[str, Vector], before: JointState, after_s: float
) -> JointState:
    """Returns the state of an arm's joints a time after a request has begun.

    Args:
        robot: robot with a fixed base.
        payload: numbers of the request, by name of field.
        before: state when the request began.
        after_s: time since then [s].

    Returns:
        The state in the planned motion. After a request without one, such as to stand, the arm has come to
        rest near the state before.
    """
    trajectory = Trajectory(MotionLimits.of(robot))
    if START not in payload:
        trajectory.stop(before.q, before.v, before.a)
    elif not trajectory.begin(PlanRow.of(payload, robot.na), before.q, before.v, before.a):
        return JointState.at_rest(before.q)
    trajectory.at(after_s)
    return JointState(trajectory.q, trajectory.v, trajectory.a)
