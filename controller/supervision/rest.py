"""Whether a robot has come to rest."""

from __future__ import annotations

import math

from kilohertz.controller.whole_body.whole_body import WholeBody

_BASE_M_S, _JOINTS_RAD_S = 0.03, 0.08
"""A robot at rest moves no faster than this: its centre of mass, and the root mean square of its joints."""
_FOR_TICKS = 50


class RestDetector:
    """Detects rest from the estimated velocities.

    Args:
        body: the whole-body controller with this tick's kinematics.
    """

    def __init__(self, body: WholeBody) -> None:
        self._kin, self._n_base = body.arrays.kin, body.robot.n_base
        self._ticks = 0

    def reset(self) -> None:
        """Forgets what was before."""
        self._ticks = 0

    def update(self) -> bool:
        """Takes a tick.

        Returns:
            Whether the robot has rested for some ticks in a row.
        """
        v = self._kin.v[self._n_base :]
        slow = float(v @ v) < _JOINTS_RAD_S * _JOINTS_RAD_S * len(v)
        if self._n_base:
            x, y, z = self._kin.v_WC.tolist()
            slow = slow and math.sqrt(x * x + y * y + z * z) < _BASE_M_S
        self._ticks = self._ticks + 1 if slow else 0
        return self._ticks >= _FOR_TICKS
