"""The robot of a run: simulated in this process, or behind the wire protocol."""

from __future__ import annotations

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.link import RobotLink
from kilohertz.rt.doctor.fitness import require_fit_host
from kilohertz.rt.host.realtime import default_core
from kilohertz.rt.run.lockstep_link import SteppedLink
from kilohertz.rt.run.plan import RunPlan
from kilohertz.rt.run.remote_robot import RemoteRobot
from kilohertz.sim.scenario_schema import Scenario


def link_to(plan: RunPlan, robot: RobotModel, scenario: Scenario) -> RobotLink:
    """The link to the robot of a plan; it is connected, and not armed.

    Raises:
        ConfigError: the robot cannot be simulated, the one at the endpoint is another, or the endpoint or a
            key cannot be used.
        LinkLostError: no robot answers at the endpoint.
    """
    if plan.endpoint is None:
        # Here, so that hardware is controlled without MuJoCo.
        from kilohertz.sim.simulated_robot import SimulatedRobot

        return SteppedLink(SimulatedRobot(robot, scenario, plan.seed), robot.na)
    return RemoteRobot(
        robot,
        plan.endpoint,
        lockstep=plan.lockstep,
        key=plan.key,
        robot_key=plan.robot_key,
        slow_motion=plan.slow_motion,
        core=default_core(),
    )


def judge_host(plan: RunPlan, link: RobotLink) -> str | None:
    """Why this host should not command the robot, one sentence; None where it may.

    Raises:
        ConfigError: the robot is hardware, and the host is not fit for it.
    """
    return require_fit_host(plan.allow_no_rt) if link.hardware else None
