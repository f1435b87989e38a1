"""Default address of the command channel of a robot."""

from __future__ import annotations

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.endpoint import default_endpoint


def default_control(robot: str) -> str:
    """Returns the default ipc endpoint at which the controller of a robot takes commands.

    Args:
        robot: name or folder of the robot.

    Raises:
        ConfigError: the robot cannot be loaded, or the folder of the endpoint cannot be used.
    """
    return default_endpoint(f"{RobotModel.load(robot).name}-control")
