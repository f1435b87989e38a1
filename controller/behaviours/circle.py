"""Behaviour `circle`: a hand draws circles."""

from __future__ import annotations

import math
from typing import Any, Literal

from kilohertz.controller.behaviours.base import (
    Behaviour,
    BehaviourError,
    BehaviourParameters,
    Legs,
    Payload,
    Positive,
)
from kilohertz.controller.behaviours.reach import hand_index
from kilohertz.controller.motion.sine import check_period
from kilohertz.controller.upper_body.reach import arm_length_m
from kilohertz.robots.model.robot_model import RobotModel

PLANES = {"xy": (0, 1), "xz": (0, 2), "yz": (1, 2)}
LARGEST_ACCEL_G = 2.0
"""Largest acceleration that may be requested, in units of gravity; few arms can reach more."""


class Circle(Behaviour):
    """Draw circles with a hand around its present position."""

    name = "circle"
    legs = Legs.KEEP
    fixed_base = True
    fields = (("hand", 1), ("radius_m", 1), ("period_s", 1), ("axes", 2))

    class Parameters(BehaviourParameters):
        """Parameters of `circle`.

        Attributes:
            hand: name of the hand; may be left out on a robot with one hand.
            radius_m: radius of the circle [m].
            period_s: time for one turn [s].
            plane: two axes of the world that span the circle's plane.
        """

        hand: str | None = None
        radius_m: Positive
        period_s: Positive
        plane: Literal["xy", "xz", "yz"] = "yz"

    @classmethod
    def check(cls, robot: RobotModel, parameters: Any) -> None:
        """Raises BehaviourError for a circle that is larger than the arm, or too fast."""
        i = hand_index(robot, parameters.hand)
        what, length_m = f"a circle of {parameters.radius_m:.2f} m", arm_length_m(robot, robot.hands[i])
        check_period(what, parameters.period_s, parameters.radius_m, LARGEST_ACCEL_G)
        if parameters.radius_m > length_m:
            raise BehaviourError(
                ("radius_m",),
                f"a circle of radius {parameters.radius_m:.2f} m is too large for {robot.hand_names[i]}, "
                f"whose arm is {length_m:.2f} m long",
            )

    @classmethod
    def write(cls, robot: RobotModel, parameters: Any, payload: Payload) -> None:
        """Writes the index of the hand, radius [m], period [s] and the indices of the plane's axes."""
        payload["hand"][0] = hand_index(robot, parameters.hand)
        payload["radius_m"][0], payload["period_s"][0] = parameters.radius_m, parameters.period_s
        payload["axes"][:] = PLANES[parameters.plane]

    def start(self, payload: Payload) -> None:
        """Begins to draw circles around the present position of the hand."""
        motion = self.context.hands.lead(int(payload["hand"][0]))
        axes = int(payload["axes"][0]), int(payload["axes"][1])
        motion.circle(float(payload["radius_m"][0]), 2.0 * math.pi / float(payload["period_s"][0]), axes)
