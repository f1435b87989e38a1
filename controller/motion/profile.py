"""Smooth references: minimum-jerk moves, and transitions between motions without a jump."""

from __future__ import annotations

import math

import numpy as np

from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.rows import Vector


def minimum_jerk(s: float) -> tuple[float, float, float]:
    """Returns the minimum-jerk step from 0 at s <= 0 to 1 at s >= 1: its value, slope and curvature over s.

    Source: Flash and Hogan, "The coordination of arm movements", 1985.
    """
    if s <= 0.0:
        return 0.0, 0.0, 0.0
    if s >= 1.0:
        return 1.0, 0.0, 0.0
    s2 = s * s
    return s2 * s * (10 - 15 * s + 6 * s2), 30 * s2 * (1 - s) ** 2, 60 * s * (1 - s) * (1 - 2 * s)


class Blend:
    """Transition from one motion to another: their difference at the switch fades out along a quintic.

    Args:
        duration_s: duration of the transition [s].
        size: number of coordinates of the motion.
    """

    def __init__(self, duration_s: float, size: int = 3) -> None:
        self._T = duration_s
        self._c = np.zeros((6, size))
        self._t = math.inf
        vector = "f8[::1]"
        self._add = bind(
            "blend_kernel",
            [add_quintic],
            call={"t": "f8", "p": vector, "v": vector, "a": vector},
            persistent={"coefficients": self._c},
        )

    def start(self, dp: Vector, dv: Vector, da: Vector) -> None:
        """Starts a transition.

        Args:
            dp: (size,) old position minus new position, now.
            dv: (size,) old velocity minus new velocity.
            da: (size,) old acceleration minus new acceleration.
        """
        T, c = self._T, self._c
        c[0], c[1], c[2] = dp, dv, 0.5 * da
        # The difference ends at rest at zero: three conditions on the three highest coefficients.
        c[3] = -(10 * dp + 6 * dv * T + 1.5 * da * T * T) / T**3
        c[4] = (15 * dp + 8 * dv * T + 1.5 * da * T * T) / T**4
        c[5] = -(6 * dp + 3 * dv * T + 0.5 * da * T * T) / T**5
        self._t = 0.0

    def add(self, p: Vector, v: Vector, a: Vector, dt_s: float) -> None:
        """Advances by dt_s [s] and adds the remaining difference to (p, v, a) in place."""
        self._t += dt_s
        if self._t < self._T:
            self._add(self._t, p, v, a)


@kernel
def add_quintic(t: float, p: Vector, v: Vector, a: Vector, coefficients: Vector) -> None:
    """Adds a quintic at t and its two derivatives to p, v and a, in place; in NumPy this took 9 us."""
    for i in range(len(p)):
        c0, c1, c2 = coefficients[0, i], coefficients[1, i], coefficients[2, i]
        c3, c4, c5 = coefficients[3, i], coefficients[4, i], coefficients[5, i]
        p[i] += ((((c5 * t + c4) * t + c3) * t + c2) * t + c1) * t + c0
        v[i] += (((5 * c5 * t + 4 * c4) * t + 3 * c3) * t + 2 * c2) * t + c1
        a[i] += ((20 * c5 * t + 12 * c4) * t + 6 * c3) * t + 2 * c2
