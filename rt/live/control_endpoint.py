"""Default control endpoint: where the running controller of a robot is commanded."""

from __future__ import annotations

from pathlib import Path

from kilohertz.robots.wire.endpoint import default_endpoint


def control_endpoint(robot: str) -> str:
    """Returns the default ipc endpoint at which the controller of a robot takes commands, for this user only.

    Args:
        robot: name or folder of the robot.

    Raises:
        ConfigError: the robot in the folder cannot be loaded, or the folder of the endpoint cannot be used.
    """
    if Path(robot).is_dir():
        # A client needs no model otherwise, which takes its time to load.
        from kilohertz.robots.model.robot_model import RobotModel

        robot = RobotModel.load(robot).name
    return default_endpoint(f"{robot}-control")
