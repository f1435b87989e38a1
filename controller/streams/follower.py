"""Pursuit of a streamed target with limited speed, acceleration and jerk.

Close to the target, a critically damped filter of third order follows it; the velocity and the acceleration
of the target are fed forward, so that a target which moves steadily is followed without an error. After a
jump of the target the fastest motion within the limits leads back to it, which Ruckig plans anew in each
tick. The filter takes over before the end, and overshoots by less than 1 % of the jump.

Ruckig alone does not follow a moving target: each of its plans ends where the target was, so that it arrives
late, and its acceleration swings from limit to limit.

Source of the planned motions: Berscheid and Kroeger, "Jerk-limited Real-time Trajectory Generation with
Arbitrary Target States", RSS 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import ruckig

from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.rows import Vector

RATE_PER_S = 40.0
"""Triple pole of the filter [1/s]."""
_FAR = 3.0
"""A target is far if reaching it takes more than this many times the largest acceleration of the filter."""
_BEYOND = 1e9
_SLOWER = 0.98
"""Largest speed of a target, relative to the limit: Ruckig refuses a target that is as fast as its limit."""


class Pursuit(NamedTuple):
    """State, target and limits of a pursuit in n coordinates."""

    x: Vector
    v: Vector
    a: Vector
    """(n,) state and its two derivatives."""
    p_des: Vector
    v_des: Vector
    a_des: Vector
    """(n,) target and its two derivatives."""
    most_v: Vector
    most_a: Vector
    most_j: Vector
    """(n,) limits on speed, acceleration and jerk."""
    chases: Vector
    """(1,) 1 while the planned motion leads, 0 while the filter does."""


@kernel
def is_known(value: float) -> bool:
    """Returns whether a value is a number, and not beyond all bounds.

    Fast math folds isfinite(x), which is compiled to x - x == 0, to true.
    """
    return bool(abs(value) < _BEYOND)


@kernel
def pursue(dt_s: float, s: Pursuit) -> float:
    """Advances the state with the filter; returns 1.0 and changes no state where the plan has to lead.

    A target that is not finite is replaced by the state.
    """
    w = RATE_PER_S
    smooth, far = True, False
    for i in range(len(s.x)):
        if not (is_known(s.p_des[i]) and is_known(s.v_des[i]) and is_known(s.a_des[i])):
            s.p_des[i], s.v_des[i], s.a_des[i] = s.x[i], 0.0, 0.0
        s.v_des[i] = min(max(s.v_des[i], -_SLOWER * s.most_v[i]), _SLOWER * s.most_v[i])
        e = s.p_des[i] - s.x[i]
        jerk = w * w * w * e + 3.0 * w * w * (s.v_des[i] - s.v[i]) + 3.0 * w * (s.a_des[i] - s.a[i])
        a = s.a[i] + jerk * dt_s
        # The speed at which the acceleration would have come back to zero.
        v = s.v[i] + 0.5 * (s.a[i] + a) * dt_s + 0.5 * a * abs(a) / s.most_j[i]
        fast = abs(v) > s.most_v[i]
        smooth = smooth and abs(jerk) <= s.most_j[i] and abs(a) <= s.most_a[i] and not fast
        far = far or fast or abs(e) > _FAR * s.most_a[i] / (w * w)
    if s.chases[0] and smooth:
        s.chases[0] = 0.0
    elif far and not smooth:
        s.chases[0] = 1.0
    if s.chases[0]:
        return 1.0
    for i in range(len(s.x)):
        e = s.p_des[i] - s.x[i]
        jerk = w * w * w * e + 3.0 * w * w * (s.v_des[i] - s.v[i]) + 3.0 * w * (s.a_des[i] - s.a[i])
        jerk = min(max(jerk, -s.most_j[i]), s.most_j[i])
        a = min(max(s.a[i] + jerk * dt_s, -s.most_a[i]), s.most_a[i])
        mean = 0.5 * (s.a[i] + a)
        s.x[i] += s.v[i] * dt_s + 0.5 * mean * dt_s * dt_s
        s.v[i] += mean * dt_s
        s.a[i] = a
    return 0.0


class Follower:
    """Follows a target in n coordinates; all arrays keep their memory.

    Args:
        speed, accel, jerk: (n,) limits on the derivatives of the state.
        dt_s: nominal control period [s].

    Attributes:
        x, v, a: (n,) state and its derivatives.
        p_des, v_des, a_des: (n,) target and its derivatives, to be written before `advance`.
        state: the same arrays and the limits as a struct for compiled code.
    """

    def __init__(
        self, speed: Sequence[float], accel: Sequence[float], jerk: Sequence[float], dt_s: float
    ) -> None:
        n = len(speed)
        self.x, self.v, self.a = np.zeros((3, n))
        self.p_des, self.v_des, self.a_des = np.zeros((3, n))
        limits = [np.array(limit, dtype=np.float64) for limit in (speed, accel, jerk)]
        self.state = Pursuit(
            x=self.x,
            v=self.v,
            a=self.a,
            p_des=self.p_des,
            v_des=self.v_des,
            a_des=self.a_des,
            most_v=limits[0],
            most_a=limits[1],
            most_j=limits[2],
            chases=np.zeros(1),
        )
        self._pursue = bind("pursuit", [pursue], call={"dt_s": "f8"}, structs={"s": self.state}, returns="f8")
        self._planner = ruckig.Ruckig(n, dt_s)
        self._given, self._planned = ruckig.InputParameter(n), ruckig.OutputParameter(n)
        given = self._given
        # To end all coordinates at the same time takes a second step, which fails for some states.
        given.synchronization = ruckig.Synchronization.No
        given.max_velocity, given.max_acceleration, given.max_jerk = (limit.tolist() for limit in limits)

    def place(self, x: Vector, v: Vector, a: Vector) -> None:
        """Sets the state; a speed or an acceleration beyond its limit is reduced by the next ticks."""
        self.x[:], self.v[:], self.a[:] = x, v, a
        self.state.chases[0] = 0.0

    def advance(self, dt_s: float) -> None:
        """Advances the state by one tick of dt_s [s]. Hot path."""
        if not self._pursue(dt_s):
            return
        given, planned, planner = self._given, self._planned, self._planner
        if planner.delta_time != dt_s:
            planner.delta_time = dt_s
        given.max_velocity = self.state.most_v.tolist()
        given.current_position, given.current_velocity = self.x.tolist(), self.v.tolist()
        given.current_acceleration = self.a.tolist()
        given.target_position, given.target_velocity = self.p_des.tolist(), self.v_des.tolist()
        try:
            planner.update(given, planned)
        except ruckig.RuckigError:
            # No state is known for which this happens; the filter then brakes at the present place.
            self.p_des[:], self.v_des[:], self.state.chases[0] = self.x, 0.0, 0.0
            self._pursue(dt_s)
            return
        self.x[:], self.v[:] = planned.new_position, planned.new_velocity
        self.a[:] = planned.new_acceleration
