"""Scales the commands and events of a scenario down to a robot that is smaller than that of the scenario.

Lengths scale with the size of the robot, velocities with the square root of it (equal Froude number), and
impulses with mass times velocity, so that a push changes the capture point by an equal fraction of the feet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import pinocchio as pin

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import ROOT_JOINT, RobotModel
from kilohertz.sim.scenario_schema import Scenario

SMALLEST = 1e-3
"""Smallest scale of a robot to that of a scenario; below, the motion is no motion."""


def size_m(robot: RobotModel) -> float:
    """Returns the size of a robot [m]: nominal height of its centre of mass, or length of its longest arm.

    The length of an arm is the sum of the distances between its joints and to its hand.
    """
    if robot.floating:
        data = robot.pin_model.createData()
        return float(pin.centerOfMass(robot.pin_model, data, robot.q_nominal)[2])
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    lengths = [0.0]
    for hand in robot.hands:
        frame = robot.pin_model.frames[hand.frame_id]
        joint, end, length = int(frame.parentJoint), data.oMf[hand.frame_id].translation, 0.0
        while joint >= ROOT_JOINT:
            length += float(np.linalg.norm(end - data.oMi[joint].translation))
            joint, end = int(robot.pin_model.parents[joint]), data.oMi[joint].translation
        lengths.append(length)
    return max(lengths)


def scaled_to(scenario: Scenario, robot: RobotModel) -> Scenario:
    """Returns the scenario for a robot; unchanged if it names no size, or the robot is not smaller.

    Args:
        scenario: a scenario whose `sized_for` names the robot for which its numbers are meant.
        robot: the robot that is to run it.

    Raises:
        ConfigError: the robot is too small for its motion to be scaled.
    """
    sized_for = scenario.sized_for
    if sized_for is None:
        return scenario
    length = min(1.0, size_m(robot) / sized_for.size_m)
    if length < SMALLEST:
        raise ConfigError(
            f"scenario '{scenario.name}' is meant for a robot of {sized_for.size_m:g} m, and the hands of "
            f"'{robot.name}' are {size_m(robot):g} m from its joints: set their p_LH_m in robot.yaml, or "
            "give another scenario"
        )
    velocity = math.sqrt(length)
    impulse = min(1.0, robot.mass_kg / sized_for.mass_kg) * velocity
    if length == 1.0 and impulse == 1.0:
        return scenario
    (command_type, _) = get_args(type(scenario).model_fields["commands"].annotation)
    commands = tuple(
        command_type.model_validate(
            {"at_s": command.at_s, command.kind: _scaled(command.params, length, velocity)}
        )
        for command in scenario.commands
    )
    events = []
    for event in scenario.events:
        if event.push is not None:
            x, y, z = (impulse * value for value in event.push.impulse_Ns)
            event = event.model_copy(update={"push": event.push.model_copy(update={"impulse_Ns": (x, y, z)})})
        events.append(event)
    # Without its size it is not scaled again if it is written and read.
    return scenario.model_copy(update={"commands": commands, "events": tuple(events), "sized_for": None})


def _scaled(parameters: Mapping[str, Any], length: float, velocity: float) -> dict[str, Any]:
    """Scales the lengths and velocities of a command, which their names end in."""
    return {
        name: _times(value, velocity)
        if name.endswith("_m_s")
        else _times(value, length)
        if name.endswith("_m")
        else value
        for name, value in parameters.items()
    }


def _times(value: Any, factor: float) -> Any:
    return [_times(each, factor) for each in value] if isinstance(value, (list, tuple)) else factor * value
