"""Reference motion of a hand: hold a pose, reach along a straight line, or draw circles."""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin

from kilohertz.controller.motion.profile import Blend, minimum_jerk
from kilohertz.controller.tasks import frame_pose
from kilohertz.robots.model.rows import Vector

_PEAK_OF_MEAN = 1.875
"""Ratio of the peak speed of a minimum-jerk move to its mean speed."""
_TURN_M_PER_RAD = 0.3
"""A rotation by 1 rad takes as long as a translation of this length [m]."""
_SHORTEST_S = 0.5
_RAMP_S = 2.0
_SWITCH_S = 0.5


class HandMotion:
    """Reference motion of one hand in a frame F that the caller chooses; continuous from request to request.

    Args:
        speed_m_s: peak speed of a reach [m/s].

    Attributes:
        row: (24,) the values R to wdot below, laid out as the reference of a pose task.
        speed_m_s: peak speed of the next reach [m/s].
        at_rest: whether the hand's reference has reached its target.
        R, p, v, w, a, wdot: views of `row`: R_FH (3, 3), p_FH [m], v_FH [m/s], w_FH [rad/s] and the two
            accelerations [m/s^2, rad/s^2], each (3,) in the axes of F.
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
        """Sets the reference to this pose, at rest.

        Args:
            R: (3, 3) orientation R_FH.
            p: (3,) position p_FH [m].
        """
        self.R[:], self.p[:] = R, p
        self.row[frame_pose.V_WF :] = 0.0
        self.move(None, None)

    def circle(self, radius_m: float, omega_rad_s: float, axes: tuple[int, int]) -> None:
        """Draws circles around the present position.

        Args:
            radius_m: radius of the circle [m].
            omega_rad_s: angular frequency [rad/s].
            axes: indices of the two axes that span the circle's plane.
        """
        self.draws_in(omega_rad_s, axes)
        self.move(None, None, radius_m)

    def draws_in(self, omega_rad_s: float, axes: tuple[int, int]) -> None:
        """Sets how circles are drawn that a later `move` asks for; see `circle`."""
        self._omega, self._axes = omega_rad_s, axes

    def move(self, p: Vector | None, R: Vector | None, radius_m: float = 0.0) -> None:
        """Moves to a pose along a straight line, and draws circles around it if a radius is given.

        Args:
            p: (3,) target position p_FH [m]; None keeps the present one.
            R: (3, 3) target orientation R_FH; None keeps the present one.
            radius_m: radius of the circles [m]; 0 for none.
        """
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

    def follow_row(self) -> None:
        """Ends the own motion: from now on the caller writes `row`, until another motion begins."""
        self._radius, self.at_rest = 0.0, True

    @property
    def circles(self) -> bool:
        """Whether the hand draws circles."""
        return self._radius > 0.0

    @property
    def steady(self) -> bool:
        """Whether the reference rests, or draws whole circles: whether its motion has begun and not ended."""
        return self.at_rest or (self._radius > 0.0 and self._t > max(self._duration, _RAMP_S))

    def advance(self, dt_s: float) -> None:
        """Advances the reference by one tick."""
        if self.at_rest:
            return
        self._t += dt_s
        self._evaluate()
        self._blend.add(self.p, self.v, self.a, dt_s)
        if self._t < _SWITCH_S:
            self._blend_turn(dt_s)
        self.at_rest = self._t > self._duration and not self._radius

    def _blend_turn(self, dt_s: float) -> None:
        """Composes the remainder of the previous rotation, which fades out, with the new rotation."""
        phi, rate, accel = self._phi, self._dphi, self._ddphi
        phi[:] = rate[:] = accel[:] = 0.0
        self._turn_blend.add(phi, rate, accel, dt_s)
        before = pin.exp3(phi)
        self.R[:] = before @ self.R
        # Accurate to second order in the remaining rotation, which is a few hundredths of a radian.
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
        axis = self._R_from @ self._turn  # the rotation axis is constant during the move
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
