"""Links to the robot of a run: simulated in this process, or connected by the wire protocol."""

from __future__ import annotations

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.link import RobotLink
from kilohertz.rt.doctor.fitness import require_fit_host
from kilohertz.rt.host.realtime import default_core
from kilohertz.rt.run.lockstep_link import SteppedLink
from kilohertz.rt.run.plan import RunPlan
from kilohertz.rt.run.remote_robot import RemoteRobot
from kilohertz.rt.run.shadow_robot import ShadowRobot
from kilohertz.sim.push_mailbox import PushMailbox
from kilohertz.sim.scenario_schema import Scenario


def link_to(
    plan: RunPlan, robot: RobotModel, scenario: Scenario, mailbox: PushMailbox | None = None
) -> RobotLink:
    """Connects to the robot of a plan, without arming it.

    Args:
        plan: the plan of the run.
        robot: model of the robot.
        scenario: the scenario; used only if the robot is simulated in this process.
        mailbox: pushes from other programs on a robot that is simulated in this process; None for none.

    Returns:
        The connected link.

    Raises:
        ConfigError: the robot cannot be simulated, the robot at the endpoint is a different one, or the
            endpoint or a key cannot be used.
        LinkLostError: no robot answers at the endpoint.
    """
    if plan.endpoint is None:
        # Imported here, so that hardware can be controlled without MuJoCo.
        from kilohertz.sim.simulated_robot import SimulatedRobot

        return SteppedLink(SimulatedRobot(robot, scenario, plan.seed, mailbox), robot.na)
    return (ShadowRobot if plan.readonly else RemoteRobot)(
        robot,
        plan.endpoint,
        lockstep=plan.lockstep,
        key=plan.key,
        robot_key=plan.robot_key,
        slow_motion=plan.slow_motion,
        core=default_core(),
    )


def judge_host(plan: RunPlan, link: RobotLink) -> str | None:
    """Checks whether this host is fit to control the robot.

    Args:
        plan: the plan of the run; its `allow_no_rt` turns the error into a warning.
        link: link to the robot.

    Returns:
        A warning, in one sentence, if the robot is hardware and the host is unfit but allowed; else None.

    Raises:
        ConfigError: the robot is hardware, the host is not fit for it, and the plan does not allow this.
    """
    return require_fit_host(plan.allow_no_rt) if link.hardware else None
