"""Commands to the controller, with the same checks as the commands of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kilohertz.arguments import LONGEST_RUN_S
from kilohertz.controller.behaviours.registry import behaviour_schemas
from kilohertz.controller.joint_motion.plan_row import JointState
from kilohertz.controller.problem.soles import can_rest
from kilohertz.controller.supervision.request import RequestRow
from kilohertz.refused import Refused
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.run.schedule import schedule_of
from kilohertz.sim.scenario import load_scenario_located

_OURS = "commands[0]"


def request_for(
    robot: RobotModel,
    behaviour: str,
    params: Mapping[str, Any],
    at_s: float = 0.0,
    start: JointState | None = None,
) -> RequestRow:
    """Builds the request for a command.

    Args:
        robot: the robot that executes the command.
        behaviour: name of the behaviour as in a scenario, such as "walk".
        params: parameters of the behaviour, named as in a scenario.
        at_s: time at which the behaviour begins [s].
        start: state of an arm's joints in which it begins; None for rest at the nominal posture.

    Raises:
        Refused: the behaviour or a parameter is unknown, or the robot cannot do it; one line per problem.
    """
    command = {"at_s": at_s, str(behaviour): dict(params)}
    content = {"name": "command", "duration_s": LONGEST_RUN_S, "commands": [command]}
    try:
        scenario, positions = load_scenario_located(content, robot, behaviour_schemas(robot))
        return schedule_of(robot, scenario, positions, start)[-1][1]
    except ConfigError as error:
        problems = [replace(one, key=one.key.removeprefix(_OURS).lstrip(".")) for one in error.problems]
        raise Refused("\n".join(str(problem) for problem in problems)) from None


def resting_command(robot: RobotModel) -> tuple[str, dict[str, Any]]:
    """Returns the default behaviour of a robot and its parameters.

    The robot stands; a robot with point feet, which cannot stand still, steps in place.
    """
    if robot.floating and not can_rest(robot):
        return "walk", {"velocity_m_s": (0.0, 0.0)}
    return "stand", {}
