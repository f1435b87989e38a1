"""Compares the distance that a robot walks with its command, so that a walk on the spot is reported."""

from __future__ import annotations

import math

import numpy as np

_JUDGED_S = 4.0
"""Time with one command after which the walk is judged, and judged again [s]."""
_SETTLING_S = 2.0
"""Time after a new command in which the robot speeds up [s]."""
_SLOW = 0.6
"""A robot that walks more slowly than this fraction of the command is reported."""
_LEAST_M_S = 0.05
"""Slower commands are not judged [m/s]."""


class Pace:
    """The mean speed of a robot along the direction in which it was commanded to walk.

    Attributes:
        remark: sentence about a walk that is much slower than commanded; "" if there is nothing new to say.
            Whoever passes it on clears it.
        time_s: (1,) time since the command; whoever walks advances it [s].
    """

    def __init__(self) -> None:
        self.remark = ""
        self.time_s = np.zeros(1)
        self._asked = (0.0, 0.0)
        self._restart()

    def _restart(self) -> None:
        self.time_s[0], self._walked_m, self._from_s = 0.0, 0.0, 0.0
        self._last: tuple[float, float] | None = None
        self._told = False

    def ask(self, forward_m_s: float, left_m_s: float) -> None:
        """Sets the commanded velocity in the robot's heading."""
        if (forward_m_s, left_m_s) != self._asked:
            self._asked = (forward_m_s, left_m_s)
            self._restart()

    @property
    def t_s(self) -> float:
        """Time since the command [s]."""
        return float(self.time_s[0])

    def landed(self, x: float, y: float, yaw: float) -> None:
        """Adds a step.

        Args:
            x: middle of the feet in the world [m].
            y: middle of the feet in the world [m].
            yaw: heading of the feet [rad].
        """
        speed = math.hypot(*self._asked)
        if speed < _LEAST_M_S or self.t_s < _SETTLING_S:
            return
        if self._last is None:
            self._from_s = self.t_s
        else:
            c, s = math.cos(yaw), math.sin(yaw)
            forward, left = self._asked
            dx, dy = x - self._last[0], y - self._last[1]
            along = forward * (c * dx + s * dy) + left * (c * dy - s * dx)
            self._walked_m += along / speed
        self._last = (x, y)
        duration_s = self.t_s - self._from_s
        if duration_s < _JUDGED_S:
            return
        walked_m_s = self._walked_m / duration_s
        if walked_m_s < _SLOW * speed and not self._told:
            self.remark = (
                f"walks at {walked_m_s:.2f} m/s instead of {speed:.2f} m/s: its steps are cut short; check "
                "posture, torque limits and the friction of the ground"
            )
            self._told = True
        self._from_s, self._walked_m = self.t_s, 0.0
