"""Where a hand should be: hold, reach along a straight line, draw circles."""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin

from controller.behaviours.profile import Blend, minimum_jerk
from controller.request import CIRCLE, REACH, RequestRow
from robots.rows import Vector

_PEAK_OF_MEAN = 1.875
"""Peak speed of a minimum-jerk move over its mean speed."""
_RAMP_S = 2.0
_SWITCH_S = 0.5


class HandMotion:
    """Reference of one hand in the world; at rest where the hand is when it becomes active.

    Args:
        speed_m_s: peak speed of a reach.

    Attributes:
        active: whether anything was asked of this hand.
        R, p, v, w, a, wdot: R_WH (3, 3), p_WH, v_WH, w_WH, and their derivatives, world axes.
    """

    def __init__(self, speed_m_s: float) -> None:
        self._speed = speed_m_s
        self.active = False
        self.R = np.eye(3)
        self.p, self.v, self.w, self.a, self.wdot = (np.zeros(3) for _ in range(5))
        self.p_start, self.R_start = np.zeros(3), np.eye(3)
        self._from, self._to = np.zeros(3), np.zeros(3)
        self._R_from, self._turn = np.eye(3), np.zeros(3)
        self._duration = 1.0
        self._t = 0.0
        self._radius = 0.0
        self._omega = 0.0
        self._axes = (1, 2)
        self._blend = Blend(_SWITCH_S)

    def place(self, R: Vector, p: Vector) -> None:
        """Says where the hand is at the start of the run; offsets are relative to that."""
        self.R_start[:], self.p_start[:] = R, p
        self.active = False
        self._radius = 0.0

    def stay(self) -> None:
        """Becomes active, at rest where `place` said the hand is."""
        self.R[:], self.p[:] = self.R_start, self.p_start
        self.active = True
        self.hold()

    def take(self, request: RequestRow, R: Vector, p: Vector) -> None:
        """Switches to a new request; (R, p) is where the hand is now, used while it has no reference yet."""
        if not self.active:
            self.R[:], self.p[:] = R, p
            self.active = True
        v, a = self.v.copy(), self.a.copy()
        self._from[:], self._R_from[:] = self.p, self.R
        self._to[:] = self.p
        if np.isfinite(request.p_WH[0]):
            self._to[:] = request.p_WH
        elif np.isfinite(request.offset[0]):
            self._to[:] = self.p_start + request.offset
        target = request.R_WH.reshape(3, 3) if np.isfinite(request.R_WH[0]) else self._R_from
        self._turn[:] = pin.log3(self._R_from.T @ target)
        way = max(float(np.linalg.norm(self._to - self._from)), 0.3 * float(np.linalg.norm(self._turn)))
        self._duration = max(_PEAK_OF_MEAN * way / self._speed, 0.5)
        self._t = 0.0
        self._radius = float(request.amplitude_m[0]) if int(request.behaviour[0]) == CIRCLE else 0.0
        if self._radius:
            self._omega = 2.0 * math.pi / float(request.period_s[0])
            self._axes = (int(request.axes[0]), int(request.axes[1]))
        self._evaluate()
        self._blend.start(np.zeros(3), v - self.v, a - self.a)

    def hold(self) -> None:
        """Stops where the reference is now."""
        if self.active:
            still = RequestRow()
            still.behaviour[0] = REACH
            still.p_WH[:], still.R_WH[:] = self.p, self.R.ravel()
            self.take(still, self.R, self.p)

    def advance(self, dt_s: float) -> None:
        """Moves on by one tick."""
        self._t += dt_s
        self._evaluate()
        self._blend.add(self.p, self.v, self.a, dt_s)

    def _evaluate(self) -> None:
        s, ds, dds = minimum_jerk(self._t / self._duration)
        ds, dds = ds / self._duration, dds / self._duration**2
        way = self._to - self._from
        self.p[:] = self._from + s * way
        self.v[:] = ds * way
        self.a[:] = dds * way
        self.R[:] = self._R_from @ pin.exp3(s * self._turn)
        axis = self._R_from @ self._turn  # the turn's axis is the same before, during and after it
        self.w[:] = ds * axis
        self.wdot[:] = dds * axis
        if self._radius:
            self._add_circle()

    def _add_circle(self) -> None:
        r, w, t = self._radius, self._omega, self._t
        ramp, slope, curvature = minimum_jerk(t / _RAMP_S)
        slope, curvature = slope / _RAMP_S, curvature / _RAMP_S**2
        for axis, phase in zip(self._axes, (0.0, -0.5 * math.pi), strict=True):
            f, df = math.cos(w * t + phase), -w * math.sin(w * t + phase)
            self.p[axis] += r * ramp * f
            self.v[axis] += r * (ramp * df + slope * f)
            self.a[axis] += r * (-ramp * w * w * f + 2 * slope * df + curvature * f)
