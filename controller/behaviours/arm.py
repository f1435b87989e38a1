"""A fixed-base robot: hold the posture, reach, draw circles."""

from __future__ import annotations

import numpy as np

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.motion.remarks import Remarks
from kilohertz.controller.request import RequestRow
from kilohertz.controller.upper_body.hands import Hands, hand_tasks
from kilohertz.controller.whole_body.whole_body import Task, WholeBody
from kilohertz.robots.model.robot_model import RobotModel

_HELD_POSTURE_WEIGHT = 0.01
"""Relative weight of the posture while a hand leads: it decides the null space and nothing else."""


def arm_tasks(robot: RobotModel, gains: Gains) -> list[Task]:
    """Every task that an arm may enable."""
    posture = Task("posture", "posture", 1.0, [gains.hand.kp_per_s2, gains.hand.kd_per_s])
    return [posture, *hand_tasks(robot, gains)]


class Arm:
    """References of a robot that is fixed to the ground.

    Args:
        robot: the robot.
        gains: its gains.
        body: the whole-body controller, with `arm_tasks` declared.

    Attributes:
        hands: what they do; from the start they hold where they are.
        remarks: what could not be done.
    """

    def __init__(self, robot: RobotModel, gains: Gains, body: WholeBody) -> None:
        self.robot = robot
        self._body = body
        self.remarks = Remarks()
        self.hands = Hands(robot, gains, body, self.remarks)
        self._posture = body.reference("posture")
        self._posture[: robot.na] = robot.q_nominal
        self._heading = np.eye(3)
        body.prepare((), ("posture",))
        self.retune(gains)

    def retune(self, gains: Gains) -> None:
        """Takes the numbers of these gains."""
        self._posture[self.robot.na :] = gains.posture.weight * (
            _HELD_POSTURE_WEIGHT if self.robot.hands else 1.0
        )
        self.hands.retune(gains)

    def start(self) -> None:
        """Holds the robot where it is now."""
        self._posture[: self.robot.na] = self._body.arrays.kin.q
        self.hands.start(stay=True)
        self._body.set_mode((), ("posture",))

    def take(self, request: RequestRow) -> None:
        """Switches to a new request."""
        self.hands.take(request, self._heading)

    def advance(self, dt_s: float) -> None:
        """Writes this tick's references."""
        self.hands.advance(dt_s, self._heading)
