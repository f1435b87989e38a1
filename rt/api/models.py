"""Loading of robots, and the names of the robots and scenarios that ship with Kilohertz."""

from __future__ import annotations

from pathlib import Path

from kilohertz.arguments import robot_model
from kilohertz.robots.model.description import shipped_robots
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario import shipped_scenarios


def load_robot(name_or_path: str | Path) -> RobotModel:
    """Loads a robot.

    Args:
        name_or_path: one of `robot_names()`, or the path of a folder that holds a robot.yaml.

    Returns:
        The robot's kinematics, dynamics, limits, contacts and hands.

    Raises:
        Refused: there is no such robot, or its files cannot be used; one line per problem.

    Example::

        import kilohertz as khz

        robot = khz.load_robot("panda")
        print(robot.joint_names, robot.torque_limit_Nm)
    """
    return robot_model(name_or_path)


def robot_names() -> list[str]:
    """Returns the names of the robots that ship with Kilohertz, in alphabetical order."""
    return shipped_robots()


def scenario_names() -> list[str]:
    """Returns the names of the scenarios that ship with Kilohertz, in alphabetical order."""
    return shipped_scenarios()
