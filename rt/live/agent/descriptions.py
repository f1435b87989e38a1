"""Descriptions of behaviours for clients: what they are, and the JSON schema of their parameters."""

from __future__ import annotations

import json

from kilohertz.controller.behaviours.registry import behaviours_of
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live.control_messages import LONGEST_DESCRIPTION


def described(robot: RobotModel, name: str) -> str | None:
    """Returns the JSON schema of the parameters of a behaviour; None if there is no such behaviour.

    Args:
        robot: the robot.
        name: name of the behaviour.
    """
    kind = behaviours_of(robot).get(name)
    if kind is None:
        return None
    schema = kind.Parameters.model_json_schema()
    schema["description"] = (kind.__doc__ or "").strip().partition("\n")[0]
    text = json.dumps(schema)
    return text if len(text) <= LONGEST_DESCRIPTION else json.dumps({"description": schema["description"]})
