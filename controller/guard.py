"""The last in the chain: whatever the controller decided, only this reaches the drives."""

from __future__ import annotations

import numpy as np

from controller.gains import GuardGains
from robots.model import RobotModel
from robots.rows import Vector

_BEYOND_RAD = 0.01
"""A joint this far beyond its limit takes torque inwards only."""


class Guard:
    """Clips torque and its rate, and pushes no joint further out of its range; in place, no allocation.

    Args:
        robot: the robot.
        gains: limits of the guard.
        dt_s: period [s].

    Attributes:
        clipped: ticks in which any torque was changed by more than rounding.
        refused: ticks in which a torque was not finite.
    """

    def __init__(self, robot: RobotModel, gains: GuardGains, dt_s: float) -> None:
        self._limit = robot.torque_limit_Nm.copy()
        self._step = self._limit * min(gains.torque_rate_per_s * dt_s, 2.0)
        self._low, self._high = robot.position_lower_rad - _BEYOND_RAD, robot.position_upper_rad + _BEYOND_RAD
        self._last = np.zeros(robot.na)
        self._wish = np.zeros(robot.na)
        self._bound = np.zeros(robot.na)
        self._beyond = np.zeros(robot.na, dtype=bool)
        self._first = True
        self.clipped = 0
        self.refused = 0

    def reset(self) -> None:
        """Lets the next torque start anywhere inside the limits: the rate is counted from there."""
        self._first = True
        self._last[:] = 0.0

    def apply(self, tau: Vector, q: Vector) -> bool:
        """Makes tau safe, in place.

        Args:
            tau: (na,) torque that was decided [Nm].
            q: (na,) joint positions [rad].

        Returns:
            False where tau was not finite; it is then last tick's torque.
        """
        finite = bool(np.isfinite(tau).all())
        if not finite:
            self.refused += 1
            tau[:] = self._last
        wish = self._wish
        wish[:] = tau
        np.minimum(tau, self._limit, out=tau)
        np.negative(self._limit, out=self._bound)
        np.maximum(tau, self._bound, out=tau)
        if not self._first:
            np.add(self._last, self._step, out=self._bound)
            np.minimum(tau, self._bound, out=tau)
            np.subtract(self._last, self._step, out=self._bound)
            np.maximum(tau, self._bound, out=tau)
        self._first = False
        np.greater(q, self._high, out=self._beyond)
        np.minimum(tau, 0.0, out=tau, where=self._beyond)
        np.less(q, self._low, out=self._beyond)
        np.maximum(tau, 0.0, out=tau, where=self._beyond)
        self._last[:] = tau
        wish -= tau
        np.abs(wish, out=wish)
        if wish.max() > 1e-3:
            self.clipped += 1
        return finite
