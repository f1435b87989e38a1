"""Detection of whether a robot has come to rest."""

from __future__ import annotations

import math

from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.model.period import PERIOD_S, ticks_of

_BASE_M_S, _JOINTS_RAD_S = 0.03, 0.08
"""Largest velocities at rest: of the centre of mass [m/s], and root mean square of the joints [rad/s]."""
_FOR_S = 0.05
"""Time below these velocities after which the robot counts as at rest [s]."""


class RestDetector:
    """Detects rest from the estimated velocities.

    Args:
        body: the whole-body controller with this tick's kinematics.
        dt_s: nominal control period [s].
    """

    def __init__(self, body: WholeBody, dt_s: float = PERIOD_S) -> None:
        self._for_ticks = ticks_of(_FOR_S, dt_s)
        self._kin, self._n_base = body.arrays.kin, body.robot.n_base
        self._ticks = 0

    def reset(self) -> None:
        """Starts counting anew."""
        self._ticks = 0

    def update(self) -> bool:
        """Evaluates the velocities of one tick.

        Returns:
            Whether the robot has been at rest for 50 ms.
        """
        v = self._kin.v[self._n_base :]
        slow = float(v @ v) < _JOINTS_RAD_S * _JOINTS_RAD_S * len(v)
        if self._n_base:
            x, y, z = self._kin.v_WC.tolist()
            slow = slow and math.sqrt(x * x + y * y + z * z) < _BASE_M_S
        self._ticks = self._ticks + 1 if slow else 0
        return self._ticks >= self._for_ticks
