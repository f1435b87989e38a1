"""Behaviour `calibrate`: an arm learns what its model leaves out, with an empty hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import Field

from kilohertz.controller.behaviours.base import (
    Behaviour,
    BehaviourError,
    BehaviourParameters,
    Context,
    Legs,
    Payload,
)
from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.controller.motion.profile import minimum_jerk
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_RAMP_S = 1.0
"""Time in which the motion begins, and in which it ends [s]."""
_SWINGS, _MORE_SWINGS = 2.0, 0.5
"""Number of swings of the first joint, and how many more each further joint makes: all are different, so that
the torques of the joints can be distinguished."""
_OF_SPEED_LIMIT = 0.2
"""Largest speed of a joint, relative to its speed limit."""
_MARGIN_RAD = 0.02
"""Distance that a joint keeps from its position limits [rad]."""


class Calibrate(Behaviour):
    """Swing all joints around the present posture, to calibrate the load of the hand, which must be empty."""

    name = "calibrate"
    legs = Legs.KEEP
    fixed_base = True
    fields = (("amplitude_rad", 1), ("duration_s", 1))

    class Parameters(BehaviourParameters):
        """Parameters of `calibrate`.

        Attributes:
            amplitude_rad: largest distance of a joint from its present position [rad].
            duration_s: time that it takes [s].
        """

        amplitude_rad: float = Field(default=0.2, gt=0, le=1)
        duration_s: float = Field(default=12.0, ge=4, le=60)

    @classmethod
    def check(cls, robot: RobotModel, parameters: Any) -> None:
        """Raises BehaviourError for a robot whose hand's load is not estimated."""
        if robot.floating or len(robot.hands) != 1:
            raise BehaviourError((), f"'{robot.name}' is not an arm with one hand, whose load is calibrated")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        n = context.robot.na
        self._start, self._size, self._omega = np.zeros(n), np.zeros(n), np.zeros(n)
        self._phase, self._duration_s = np.zeros(n), 1.0
        self._reference: Vector = np.zeros(n)

    def start(self, payload: Payload) -> None:
        """Begins to swing the joints around their present positions."""
        calibration, robot = self.context.calibration, self.context.robot
        assert calibration is not None
        self._reference = calibration.begin()
        self._start[:] = self._reference
        self._duration_s = float(payload["duration_s"][0])
        self._omega[:] = 2.0 * math.pi * (_SWINGS + _MORE_SWINGS * np.arange(robot.na)) / self._duration_s
        room = np.minimum(robot.position_upper_rad - self._start, self._start - robot.position_lower_rad)
        slow = _OF_SPEED_LIMIT * robot.velocity_limit_rad_s / self._omega
        self._size[:] = np.minimum(float(payload["amplitude_rad"][0]), slow)
        np.clip(self._size, 0.0, np.maximum(room - _MARGIN_RAD, 0.0), out=self._size)

    def advance(self, t_s: float, reference: PostureReference) -> None:
        """Moves the joints, until the time is over."""
        calibration = self.context.calibration
        if self.done or calibration is None:
            return
        if t_s >= self._duration_s:
            self.done = True
            calibration.end(completed=True)
            return
        ramp = minimum_jerk(min(t_s, self._duration_s - t_s) / _RAMP_S)[0]
        np.multiply(self._omega, t_s, out=self._phase)
        np.sin(self._phase, out=self._phase)
        np.multiply(self._phase, self._size, out=self._phase)
        np.multiply(self._phase, ramp, out=self._phase)
        np.add(self._start, self._phase, out=self._reference)
