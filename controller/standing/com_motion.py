"""Where the centre of mass should be from its nominal place over the soles: stand, sway, squat, sit."""

from __future__ import annotations

import math

import numpy as np

from kilohertz.controller.motion.profile import Blend, minimum_jerk
from kilohertz.controller.request import SIT, SQUAT, SWAY, RequestRow
from kilohertz.robots.model.rows import Vector

_SWITCH_S = 1.0
_RAMP_S = 1.0


class ComMotion:
    """Reference offset of the centre of mass, its velocity and acceleration; continuous across requests.

    Attributes:
        p, v, a: (3,) offset [m] and its derivatives, in the heading frame of the soles.
    """

    def __init__(self) -> None:
        self.p, self.v, self.a = np.zeros(3), np.zeros(3), np.zeros(3)
        self._blend = Blend(_SWITCH_S)
        self._behaviour = -1
        self._amplitude = 0.0
        self._omega = 0.0
        self._axis = 2
        self._t = 0.0

    def start_from(self, p: Vector) -> None:
        """Begins at rest at the offset p instead of at the nominal place."""
        self.p[:], self.v[:], self.a[:] = p, 0.0, 0.0
        self._blend.start(self.p.copy(), self.v, self.a)

    def take(self, request: RequestRow) -> None:
        """Switches to a new request."""
        before = self.p.copy(), self.v.copy(), self.a.copy()
        self._behaviour = int(request.behaviour[0])
        self._amplitude = float(request.amplitude_m[0])
        self._axis = int(request.axes[0]) if self._behaviour == SWAY else 2
        period = float(request.period_s[0])
        self._omega = 2.0 * math.pi / period if period > 0.0 else 0.0
        self._t = 0.0
        self._evaluate()
        self._blend.start(before[0] - self.p, before[1] - self.v, before[2] - self.a)

    def advance(self, dt_s: float) -> None:
        """Moves on by one tick."""
        self._t += dt_s
        self._evaluate()
        self._blend.add(self.p, self.v, self.a, dt_s)

    def _evaluate(self) -> None:
        p, v, a = self.p, self.v, self.a
        p[:], v[:], a[:] = 0.0, 0.0, 0.0
        if self._behaviour == SIT:  # down, as the switch to it goes, and there to stay
            p[2] = -self._amplitude
        if self._behaviour not in (SWAY, SQUAT):
            return
        w, t, axis = self._omega, self._t, self._axis
        ramp, slope, curvature = minimum_jerk(t / _RAMP_S)
        slope, curvature = slope / _RAMP_S, curvature / _RAMP_S**2
        if self._behaviour == SWAY:
            f, df, ddf = math.sin(w * t), w * math.cos(w * t), -w * w * math.sin(w * t)
        else:  # down by the full depth and up again
            f, df, ddf = (
                0.5 * (math.cos(w * t) - 1),
                -0.5 * w * math.sin(w * t),
                -0.5 * w * w * math.cos(w * t),
            )
        p[axis] = self._amplitude * ramp * f
        v[axis] = self._amplitude * (ramp * df + slope * f)
        a[axis] = self._amplitude * (ramp * ddf + 2 * slope * df + curvature * f)
