"""A scenario's commands as requests to the controller."""

from __future__ import annotations

from kilohertz.controller.motion.behaviour_error import BehaviourError
from kilohertz.controller.supervision.request import RequestRow, make_request
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.yaml_file import Positions
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario_schema import Scenario


def schedule_of(robot: RobotModel, scenario: Scenario, positions: Positions) -> list[tuple[int, RequestRow]]:
    """The requests of a scenario's commands, each with the tick at which it begins.

    Args:
        robot: the robot that is to do it.
        scenario: as `kilohertz.sim.scenario.load_scenario_located` gives it.
        positions: where each of its keys stands.

    Returns:
        (tick, request) pairs in order of their ticks.

    Raises:
        ConfigError: what the robot cannot do; one line per command.
    """
    schedule = []
    problems = []
    lines = {command["at_s"]: i for i, command in enumerate(positions.value(("commands",)) or ())}
    for command in scenario.commands:
        try:
            request = make_request(robot, command.kind, command.params, command.at_s)
        except BehaviourError as error:
            loc = ("commands", lines.get(command.at_s, 0), command.kind, *error.loc)
            problems.append(positions.problem(loc, str(error)))
            continue
        schedule.append((round(command.at_s / PERIOD_S), request))
    if problems:
        raise ConfigError(*problems)
    return schedule
