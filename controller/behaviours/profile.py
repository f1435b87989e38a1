"""Smooth references: minimum-jerk moves, and switching from one motion to another without a step."""

from __future__ import annotations

import math

import numpy as np

from robots.rows import Vector


def minimum_jerk(s: float) -> tuple[float, float, float]:
    """Value, slope and curvature over s of the minimum-jerk step from 0 at s <= 0 to 1 at s >= 1.

    Source: Flash and Hogan, "The coordination of arm movements", 1985.
    """
    if s <= 0.0:
        return 0.0, 0.0, 0.0
    if s >= 1.0:
        return 1.0, 0.0, 0.0
    s2 = s * s
    return s2 * s * (10 - 15 * s + 6 * s2), 30 * s2 * (1 - s) ** 2, 60 * s * (1 - s) * (1 - 2 * s)


class Blend:
    """Takes a motion over to another one: their difference at the switch dies out along a quintic.

    Args:
        duration_s: of the transition.
        size: numbers in the motion.
    """

    def __init__(self, duration_s: float, size: int = 3) -> None:
        self._T = duration_s
        self._c = np.zeros((6, size))
        self._t = math.inf

    def start(self, dp: Vector, dv: Vector, da: Vector) -> None:
        """Begins: (dp, dv, da) is old motion less new motion now."""
        T, c = self._T, self._c
        c[0], c[1], c[2] = dp, dv, 0.5 * da
        # End at rest at zero: three conditions on the three highest coefficients.
        c[3] = -(10 * dp + 6 * dv * T + 1.5 * da * T * T) / T**3
        c[4] = (15 * dp + 8 * dv * T + 1.5 * da * T * T) / T**4
        c[5] = -(6 * dp + 3 * dv * T + 0.5 * da * T * T) / T**5
        self._t = 0.0

    def add(self, p: Vector, v: Vector, a: Vector, dt_s: float) -> None:
        """Moves on by dt_s and adds what is then left of the difference to (p, v, a), in place."""
        t = self._t = self._t + dt_s
        if t >= self._T:
            return
        c = self._c
        p += ((((c[5] * t + c[4]) * t + c[3]) * t + c[2]) * t + c[1]) * t + c[0]
        v += (((5 * c[5] * t + 4 * c[4]) * t + 3 * c[3]) * t + 2 * c[2]) * t + c[1]
        a += ((20 * c[5] * t + 12 * c[4]) * t + 6 * c[3]) * t + 2 * c[2]
