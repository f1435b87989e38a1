"""Behaviour `walk`: the robot walks with a given velocity."""

from __future__ import annotations

from typing import Any

from kilohertz.controller.behaviours.base import Behaviour, BehaviourError, Legs, Payload, UpperBodyParameters
from kilohertz.controller.walking.speed import check_speed
from kilohertz.robots.model.robot_model import RobotModel


class Walk(Behaviour):
    """Walk with a velocity in the robot's own heading frame."""

    name = "walk"
    legs = Legs.STEP
    fields = (("velocity", 3),)
    works_on_points = True
    joins_walk = True
    frees_hands = True

    class Parameters(UpperBodyParameters):
        """Parameters of `walk`.

        Attributes:
            velocity_m_s: velocity forward and to the left [m/s].
            yaw_rate_rad_s: turning rate, positive to the left [rad/s].
        """

        velocity_m_s: tuple[float, float]
        yaw_rate_rad_s: float = 0.0

    @classmethod
    def check(cls, robot: RobotModel, parameters: Any) -> None:
        """Raises BehaviourError for a walk that is too fast for the robot's legs."""
        try:
            check_speed(robot, (*parameters.velocity_m_s, parameters.yaw_rate_rad_s))
        except ValueError as error:
            raise BehaviourError((), str(error)) from None

    @classmethod
    def write(cls, robot: RobotModel, parameters: Any, payload: Payload) -> None:
        """Writes the velocity forward and to the left [m/s], and the turning rate [rad/s]."""
        payload["velocity"][:2] = parameters.velocity_m_s
        payload["velocity"][2] = parameters.yaw_rate_rad_s

    def start(self, payload: Payload) -> None:
        """Begins to walk, or changes the velocity of a walk."""
        walking = self.context.walking
        if walking is None:
            return
        self.context.begin_walk(None)
        forward, left, turn = payload["velocity"].tolist()
        walking.ask(forward, left, turn)
