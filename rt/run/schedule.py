"""Conversion of the commands of a scenario to requests to the controller."""

from __future__ import annotations

from kilohertz.controller.joint_motion.plan_row import MOST_JOINTS, JointState
from kilohertz.controller.joint_motion.prediction import state_after
from kilohertz.controller.motion.behaviour_error import BehaviourError
from kilohertz.controller.supervision.request import RequestRow, make_request
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.yaml_file import Positions
from kilohertz.robots.model.period import period_s
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario_schema import Scenario


def schedule_of(
    robot: RobotModel, scenario: Scenario, positions: Positions, start: JointState | None = None
) -> list[tuple[int, RequestRow]]:
    """Converts the commands of a scenario to requests, each with the tick at which it begins.

    Args:
        robot: the robot that executes the commands.
        scenario: scenario from `kilohertz.sim.scenario.load_scenario_located`.
        positions: line of each key in the scenario file, from the same function.
        start: state of an arm's joints at the first command; None for rest at the nominal posture.

    Returns:
        (tick, request) pairs in the order of their ticks.

    Raises:
        ConfigError: the robot cannot execute a command; one line per command.
    """
    schedule = []
    problems = []
    before: tuple[float, RequestRow] | None = None
    plans = not robot.floating and robot.na <= MOST_JOINTS
    state = start or (JointState.at_rest(robot.q_nominal) if plans else None)
    lines = {command["at_s"]: i for i, command in enumerate(positions.value(("commands",)) or ())}
    for command in scenario.commands:
        if before is not None and state is not None:
            state = state_after(robot, before[1].payload, state, command.at_s - before[0])
        try:
            request = make_request(robot, command.kind, command.params, command.at_s, start=state)
        except BehaviourError as error:
            loc = ("commands", lines.get(command.at_s, 0), command.kind, *error.loc)
            problems.append(positions.problem(loc, str(error)))
            before = None
            continue
        before = command.at_s, request
        schedule.append((round(command.at_s / period_s(robot)), request))
    if problems:
        raise ConfigError(*problems)
    return schedule
