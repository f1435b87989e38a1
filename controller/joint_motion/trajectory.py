"""Evaluation of a planned motion of all joints over time, with Ruckig; the same in the plan and in the tick.

Source: Berscheid and Kroeger, "Jerk-limited Real-time Trajectory Generation with Arbitrary Target States",
RSS 2021.
"""

from __future__ import annotations

import numpy as np
import ruckig
from scipy.interpolate import CubicSpline

from kilohertz.controller.joint_motion.plan_row import CURVE, FREE_SPEED, KIND, SLOW, STRAIGHT, PlanRow
from kilohertz.controller.motion.motion_limits import MotionLimits
from kilohertz.controller.motion.profile import Blend
from kilohertz.robots.model.rows import Vector

_FADE_S = 0.5
_LEAST_WAY_RAD = 1e-4
"""Smallest way of a joint in a straight motion, so that its limits are not zero."""


class Trajectory:
    """A motion of all joints over time; it is planned piece by piece, as time reaches the next point.

    Args:
        limits: limits of the motion.

    Attributes:
        q, v, a: (na,) positions, velocities and accelerations at the time of the last evaluation.
        done: whether the motion has ended.
    """

    def __init__(self, limits: MotionLimits) -> None:
        self._limits, n = limits, len(limits.speed)
        self.q, self.v, self.a = np.zeros((3, n))
        self.done = True
        self._planner, self._piece = ruckig.Ruckig(n), ruckig.Trajectory(n)
        self._given = ruckig.InputParameter(n)
        # Straight where the limits allow it without a loss of time.
        self._given.synchronization = ruckig.Synchronization.Phase
        self._most = tuple(limits)
        self._straight = False
        self._stop = ruckig.InputParameter(n)
        self._stop.control_interface = ruckig.ControlInterface.Velocity
        self._stop.synchronization = ruckig.Synchronization.No
        self._stop.max_velocity = limits.speed.tolist()
        self._stop.max_acceleration, self._stop.max_jerk = limits.accel.tolist(), limits.jerk.tolist()
        self._along, self._way = ruckig.Ruckig(1), ruckig.Trajectory(1)
        self._points: list[tuple[list[float], list[float]]] = []
        self._curve: tuple[CubicSpline, CubicSpline, CubicSpline] | None = None
        self._fade = Blend(_FADE_S, size=n)
        self._began_s = self._last_s = 0.0

    def rest(self, q: Vector) -> None:
        """Stays at rest at the (na,) positions q [rad]."""
        self.q[:], self.v[:], self.a[:] = q, 0.0, 0.0
        self.done = True

    def begin(self, plan: PlanRow, q: Vector, v: Vector, a: Vector) -> bool:
        """Begins a motion at time 0.

        Args:
            plan: the motion.
            q: (na,) positions from which it begins [rad].
            v: (na,) velocities there [rad/s].
            a: (na,) accelerations there [rad/s^2].

        Returns:
            False if there is no such motion; the state does not change then.
        """
        n = plan.points
        if plan.head[KIND] == CURVE:
            return self._begin_curve(plan, q, v, a)
        limits, slow = self._limits, float(plan.head[SLOW])
        # A motion that is slower by a time scale follows the same way.
        self._most = (slow * limits.speed, slow**2 * limits.accel, slow**3 * limits.jerk)
        self._straight = bool(plan.head[STRAIGHT])
        self._limit(*self._most)
        points = [(plan.q[i].tolist(), plan.v[i].tolist()) for i in range(n)]
        if not points or not self._plan_piece(points[0], q.tolist(), v.tolist(), a.tolist()):
            return False
        self._points, self._curve = points[1:], None
        self._started(q, v, a)
        return True

    def stop(self, q: Vector, v: Vector, a: Vector) -> None:
        """Begins to bring every joint to rest as fast as its limits allow.

        Args:
            q: (na,) positions from which the motion begins [rad].
            v: (na,) velocities there [rad/s].
            a: (na,) accelerations there [rad/s^2].
        """
        given = self._stop
        given.current_position, given.current_velocity = q.tolist(), v.tolist()
        given.current_acceleration = a.tolist()
        if not self._calculate(self._planner, given, self._piece):
            self.rest(q)
            return
        self._points, self._curve = [], None
        self._started(q, v, a)

    def at(self, t_s: float) -> None:
        """Evaluates the motion; t_s must not decrease from call to call [s]. Hot path."""
        if self.done:
            return
        if self._curve is not None:
            self._at_curve(t_s)
            return
        left = t_s - self._began_s
        while left >= self._piece.duration and self._points:
            left -= self._piece.duration
            q, v, a = self._piece.at_time(self._piece.duration)
            if not self._plan_piece(self._points.pop(0), q, v, a):
                self.rest(np.array(q))
                return
            self._began_s = t_s - left
        q, v, a = self._piece.at_time(min(left, self._piece.duration))
        self.q[:], self.v[:], self.a[:] = q, v, a
        if left >= self._piece.duration:
            self.rest(self.q)

    def _started(self, q: Vector, v: Vector, a: Vector) -> None:
        self.q[:], self.v[:], self.a[:] = q, v, a
        self._began_s = self._last_s = 0.0
        self.done = False

    def _plan_piece(
        self, point: tuple[list[float], list[float]], q: list[float], v: list[float], a: list[float]
    ) -> bool:
        given = self._given
        if self._straight:
            # Limits in proportion to the way let all joints move in proportion.
            way = np.maximum(np.abs(np.array(point[0]) - q), _LEAST_WAY_RAD)
            self._limit(*(way * float((most / way).min()) for most in self._most))
        given.current_position, given.current_velocity, given.current_acceleration = q, v, a
        given.target_position, given.target_velocity = point
        return self._calculate(self._planner, given, self._piece)

    def _limit(self, speed: Vector, accel: Vector, jerk: Vector) -> None:
        given = self._given
        given.max_velocity, given.max_acceleration = speed.tolist(), accel.tolist()
        given.max_jerk = jerk.tolist()

    @staticmethod
    def _calculate(planner: ruckig.Ruckig, given: ruckig.InputParameter, into: ruckig.Trajectory) -> bool:
        try:
            result = planner.calculate(given, into)
        except ruckig.RuckigError:
            return False
        return bool(result in (ruckig.Result.Working, ruckig.Result.Finished))

    # Along a curve

    def _begin_curve(self, plan: PlanRow, q: Vector, v: Vector, a: Vector) -> bool:
        given, n = ruckig.InputParameter(1), plan.points
        given.current_position, given.target_position = [0.0], [1.0]
        limits = plan.head[FREE_SPEED:].tolist()
        given.max_velocity, given.max_acceleration, given.max_jerk = ([limit] for limit in limits)
        if n < 2 or not self._calculate(self._along, given, self._way):
            return False
        spline = curve_through(plan.q[:n])
        self._curve = (spline, spline.derivative(), spline.derivative(2))
        # A small difference from where the curve was planned to begin fades out.
        self._fade.start(q - plan.q[0], v, a)
        self._started(q, v, a)
        return True

    def _at_curve(self, t_s: float) -> None:
        assert self._curve is not None
        end = self._way.duration
        (s,), (ds,), (dds,) = self._way.at_time(min(t_s, end))
        first, second = self._curve[1](s), self._curve[2](s)
        self.q[:] = self._curve[0](s)
        self.v[:] = ds * first
        self.a[:] = dds * first + ds * ds * second
        self._fade.add(self.q, self.v, self.a, t_s - self._last_s)
        self._last_s = t_s
        if t_s >= max(end, _FADE_S):
            self.rest(self.q)


def curve_through(q: Vector) -> CubicSpline:
    """Returns the cubic spline through (n, na) evenly spaced points, over a parameter in [0, 1]."""
    return CubicSpline(np.linspace(0.0, 1.0, len(q)), q, bc_type="natural" if len(q) < 4 else "not-a-knot")
