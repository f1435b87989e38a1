"""Where a hand should be: hold, reach along a straight line, draw circles."""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin

from kilohertz.controller.motion.profile import Blend, minimum_jerk
from kilohertz.controller.tasks import frame_pose
from kilohertz.robots.model.rows import Vector

_PEAK_OF_MEAN = 1.875
"""Peak speed of a minimum-jerk move over its mean speed."""
_TURN_M_PER_RAD = 0.3
"""A turn takes as long as a way of this length."""
_SHORTEST_S = 0.5
_RAMP_S = 2.0
_SWITCH_S = 0.5


class HandMotion:
    """Reference of one hand in a frame of the caller's; each request begins with the motion that there is.

    Args:
        speed_m_s: peak speed of a reach.

    Attributes:
        row: (24,) all of the following, as the reference of a pose task.
        speed_m_s: peak speed of the next reach.
        at_rest: whether it has got where it was to go.
        R, p, v, w, a, wdot: R_FH (3, 3), p_FH, v_FH, w_FH, and their derivatives, the frame's axes.
    """

    def __init__(self, speed_m_s: float) -> None:
        self.speed_m_s = speed_m_s
        self.row = np.zeros(frame_pose.SIZE)
        self.R, self.p, self.v, self.w, self.a, self.wdot = frame_pose.views(self.row)
        self.R[:] = np.eye(3)
        self._from, self._to = np.zeros(3), np.zeros(3)
        self._R_from, self._turn = np.eye(3), np.zeros(3)
        self._duration = 1.0
        self._t = 0.0
        self._radius = 0.0
        self._omega = 0.0
        self._axes = (1, 2)
        self._blend, self._turn_blend = Blend(_SWITCH_S), Blend(_SWITCH_S)
        self._phi, self._dphi, self._ddphi = np.zeros(3), np.zeros(3), np.zeros(3)
        self.at_rest = True

    def place(self, R: Vector, p: Vector) -> None:
        """Rests at this pose."""
        self.R[:], self.p[:] = R, p
        self.row[frame_pose.V_WF :] = 0.0
        self.move(None, None)

    def circle(self, radius_m: float, omega_rad_s: float, axes: tuple[int, int]) -> None:
        """Draws circles around where it is now.

        Args:
            radius_m: radius [m].
            omega_rad_s: angular frequency [rad/s].
            axes: indices of the two axes that span the circle's plane.
        """
        self._omega, self._axes = omega_rad_s, axes
        self.move(None, None, radius_m)

    def move(self, p: Vector | None, R: Vector | None, radius_m: float = 0.0) -> None:
        """Goes to a place and an orientation, or stays where it is now; draws circles around that."""
        row = self.row.copy()
        before = frame_pose.views(row)
        self._from[:], self._R_from[:] = self.p, self.R
        self._to[:] = self.p if p is None else p
        self._turn[:] = 0.0 if R is None else pin.log3(self._R_from.T @ R)
        way = max(
            float(np.linalg.norm(self._to - self._from)), _TURN_M_PER_RAD * float(np.linalg.norm(self._turn))
        )
        self._duration = max(_PEAK_OF_MEAN * way / self.speed_m_s, _SHORTEST_S)
        self._t, self._radius, self.at_rest = 0.0, radius_m, False
        self._evaluate()
        self._blend.start(np.zeros(3), before.v - self.v, before.a - self.a)
        self._turn_blend.start(np.zeros(3), before.w, before.wdot)
        self.row[:] = row

    def advance(self, dt_s: float) -> None:
        """Moves on by one tick."""
        if self.at_rest:
            return
        self._t += dt_s
        self._evaluate()
        self._blend.add(self.p, self.v, self.a, dt_s)
        if self._t < _SWITCH_S:
            self._blend_turn(dt_s)
        self.at_rest = self._t > self._duration and not self._radius

    def _blend_turn(self, dt_s: float) -> None:
        """Turns on by what is left of the turn that was going on, before all of the new one."""
        phi, rate, accel = self._phi, self._dphi, self._ddphi
        phi[:] = rate[:] = accel[:] = 0.0
        self._turn_blend.add(phi, rate, accel, dt_s)
        before = pin.exp3(phi)
        self.R[:] = before @ self.R
        # Second order in what is left, which is a few hundredths of a radian.
        self.w[:] = before @ self.w + rate + 0.5 * np.cross(phi, rate)
        self.wdot[:] = before @ self.wdot + accel + 0.5 * np.cross(phi, accel) + np.cross(rate, self.w)

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
