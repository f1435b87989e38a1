"""Default control endpoints: where a running controller is commanded."""

from __future__ import annotations

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire.endpoint import check_endpoint, default_endpoint

MOST_DEFAULTS = 9


def control_endpoint(robot: str) -> str:
    """Returns the default control endpoint of a robot's controller: ipc, for this user only.

    Args:
        robot: name of the robot.

    Raises:
        ConfigError: the folder for it cannot be created, or other users can access it.
    """
    return f"{default_endpoint(robot)}-control"


def free_control_endpoint(robot: str) -> str:
    """Returns the default control endpoint, with a number if another controller of this robot has it already.

    Args:
        robot: name of the robot.

    Raises:
        ConfigError: as for `control_endpoint`, or all numbers are in use.
    """
    endpoint = control_endpoint(robot)
    for number in range(2, MOST_DEFAULTS + 1):
        try:
            check_endpoint(endpoint, keys=False, bind=True)
        except ConfigError:
            endpoint = f"{control_endpoint(robot)}-{number}"
        else:
            break
    return endpoint
