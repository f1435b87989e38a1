"""Behaviour `hang`: the robot hangs from a gantry, and stands whenever its soles carry it."""

from __future__ import annotations

from typing import Any

from kilohertz.controller.behaviours.base import Behaviour, BehaviourError, BehaviourParameters
from kilohertz.robots.model.robot_model import RobotModel


class Hang(Behaviour):
    """Hang from a gantry: hold the nominal posture softly, and stand only while the soles carry the robot."""

    name = "hang"
    hangs = True

    class Parameters(BehaviourParameters):
        """Parameters of `hang`."""

    @classmethod
    def check(cls, robot: RobotModel, parameters: Any) -> None:
        """Raises BehaviourError for a robot that cannot feel whether its soles carry it."""
        feels = robot.description.torque_sensing or all(contact.force_sensor for contact in robot.contacts)
        if not feels:
            raise BehaviourError(
                (),
                f"'{robot.name}' cannot feel whether its soles carry it: it measures neither joint torques "
                "(torque_sensing) nor the force on every sole (force_sensor)",
            )
        if robot.servo is not None:
            raise BehaviourError(
                (), f"'{robot.name}' has position servos, which cannot hold a posture softly"
            )
