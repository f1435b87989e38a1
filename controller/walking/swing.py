"""The swing foot, planned anew every tick from its own reference: target and time may change in flight.

Each axis is the quintic from the present reference to rest at the target (Flash and Hogan's minimum jerk
for moving ends). Touch-down comes exactly at the planned time and at the planned height: 5 mm of a too
low target cost ten times the DCM error of a walk in place. A foot that finds no ground then goes on down
at a steady speed.

The foot leaves the ground heel first: the ankle of a leg that trails behind is close to its limit, and a
sole that stayed level in the air would ask it to go further.

On the way up the foot rises before it goes ahead, on the way down it goes ahead before it sinks: whatever
edge lies between, the foot passes it at a height that both ends know. It turns from the slope that it
leaves to the slope that it lands on.

An edge that nobody knows of may still hold it back. A person who stumbles lifts the foot higher and goes on
(the elevating strategy: Eng, Winter, Patla, "Strategies for recovery from a trip in early and late swing
during human walking", Experimental Brain Research 1994); so does this one.
"""

from __future__ import annotations

import math

from controller.behaviours.profile import minimum_jerk
from controller.walking.footsteps import Foothold

State = tuple[float, float, float]
"""Position, velocity, acceleration of one axis."""

_RISE = 0.45
"""Part of the step in which the foot still aims for its apex."""
_TIPTOE_RAD_M, _MOST_TIPTOE_RAD = 0.7, 0.4
"""Pitch of the foot per way ahead, toe down, and its most."""
_TIPTOE_UP_RAD_M, _MOST_TIPTOE_UP_RAD = 2.0, 0.6
"""What the foot points down besides, and at most, per height that it climbs: so far no ankle bends up."""
_TIPTOE_UP, _TIPTOE_DOWN = 0.3, 0.85
"""Parts of the step in which the pitch is at its largest, and is gone."""
_WAIT = 0.28
"""Part of the step by which the foot waits to go ahead if it has to climb an edge, and by which it is ahead
early if it has to sink below one."""
_EARLY_UP = 0.25
"""On the way up it is early by this part of that: the heel too passes the edge before the foot sinks."""
_GOES_ON_M_S, _HELD_M_S, _BEHIND = 0.3, 0.1, 0.4
"""A foot is held back that is this slow and, in clearances, this far behind a reference this fast."""
_BACK, _OVER, _OVER_S, _ALMOST = 0.8, 0.8, 0.10, 0.2
"""It draws back and rises by these parts of the clearance in this time, and goes on when it almost has."""
_NO_LONGER = 0.6
"""Part of the step after which it does not try that."""
_STOPPED = 0.08
"""A foot this many clearances above where it is to be on its way down has met the ground."""
SETTLE_S = 0.02
"""The foot is over its target this long before it lands."""
_LAST_S = 0.01
_FADE = 0.9


def quintic(state: State, target: float, duration_s: float, dt_s: float) -> State:
    """One tick along the quintic from a state to rest at a target.

    Args:
        state: now.
        target: where to come to rest.
        duration_s: until then.
        dt_s: the tick; a duration that it fills ends at rest in the target.
    """
    T = duration_s
    if 1.5 * dt_s > T:
        return target, 0.0, 0.0
    p, v, a = state
    if p == target and v == a == 0.0:
        return state  # as the tilt on level ground
    d0, d1, d2 = target - p - v * T - 0.5 * a * T * T, -v - a * T, -a
    T2 = T * T
    c3 = (10.0 * d0 - 4.0 * d1 * T + 0.5 * d2 * T2) / (T2 * T)
    c4 = (-15.0 * d0 + 7.0 * d1 * T - d2 * T2) / (T2 * T2)
    c5 = (6.0 * d0 - 3.0 * d1 * T + 0.5 * d2 * T2) / (T2 * T2 * T)
    t = dt_s
    return (
        p + t * (v + t * (0.5 * a + t * (c3 + t * (c4 + t * c5)))),
        v + t * (a + t * (3.0 * c3 + t * (4.0 * c4 + t * 5.0 * c5))),
        a + t * (6.0 * c3 + t * (12.0 * c4 + t * 20.0 * c5)),
    )


class Swing:
    """Reference of the swing foot.

    Args:
        clearance_m: height of the foot's apex.
        step_s: duration of a step as planned.
        descent_m_s: speed of a foot that has found no ground in time.
        toe_m: from the middle of the sole to its toe, about which the foot turns as it points down: the toe
            so keeps its height, and is not the first to meet an edge that nobody knows of.
        edges: whether there are edges, as of stairs, between where the foot leaves and where it lands.

    Attributes:
        x, y, z, yaw: position, velocity and acceleration of each axis, in the world.
        higher_m: what the foot clears besides the clearance.
        pitch: the same of the foot's pitch, toe down.
        nose_down, roll: the same of the ground's tilt, as the foot follows it.
    """

    def __init__(
        self,
        clearance_m: float,
        step_s: float,
        descent_m_s: float,
        *,
        toe_m: float = 0.0,
        edges: bool = False,
    ) -> None:
        self._clearance = clearance_m
        self._edges, self._wait = edges, _WAIT if edges else 0.0
        self._toe, self._climb_m = toe_m, 0.0
        self._step_s = step_s
        self._descent = descent_m_s
        self._from_m = self._lift_m = self.higher_m = 0.0
        self._over_m, self._over_s = -math.inf, 0.0
        self.x: State = (0.0, 0.0, 0.0)
        self.y: State = (0.0, 0.0, 0.0)
        self.z: State = (0.0, 0.0, 0.0)
        self.yaw: State = (0.0, 0.0, 0.0)
        self.pitch: State = (0.0, 0.0, 0.0)
        self.nose_down: State = (0.0, 0.0, 0.0)
        self.roll: State = (0.0, 0.0, 0.0)

    def begin(
        self,
        x: float,
        y: float,
        z: float,
        yaw: float,
        ground_m: float,
        tilt: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """At lift-off, from rest where the foot is.

        Args:
            x: of the sole [m].
            y: of the sole [m].
            z: of the sole [m].
            yaw: of the sole [rad].
            ground_m: the highest ground that is known of on the way.
            tilt: pitch (toe down) and roll of the sole [rad].
        """
        self.x, self.y, self.z, self.yaw = (x, 0.0, 0.0), (y, 0.0, 0.0), (z, 0.0, 0.0), (yaw, 0.0, 0.0)
        self.nose_down, self.roll = (tilt[0], 0.0, 0.0), (tilt[1], 0.0, 0.0)
        self._lift_m, self._from_m = z, max(z, ground_m)
        self._over_m, self._over_s = -math.inf, 0.0

    def stopped(self, z: float) -> bool:
        """Whether a foot at this height, that is to sink, does not.

        One that has met an edge with its toe hangs behind its reference, and feels a force, on no ground.
        """
        reference, speed, _ = self.height()
        return speed < 0.0 and z > reference + _STOPPED * self._clearance

    def held_back(self, foot: Foothold, ahead_m_s: float, left_m_s: float) -> bool:
        """Whether a foot with this velocity in its own heading rests behind its reference, which goes on."""
        (px, vx, _), (py, vy, _) = self.x, self.y
        speed = math.hypot(vx, vy)
        if speed < _GOES_ON_M_S:
            return False
        x, y, yaw = foot
        if vx * (px - x) + vy * (py - y) < _BEHIND * self._clearance * speed:
            return False
        c, s = math.cos(yaw), math.sin(yaw)
        along = vx * (c * ahead_m_s - s * left_m_s) + vy * (s * ahead_m_s + c * left_m_s)
        return along < _HELD_M_S * speed

    def climb(self, x: float, y: float, t_s: float, duration_s: float) -> None:
        """An edge holds the foot back: it draws back a little, and rises before it goes on.

        Pulled on as planned it would press against the edge, and could not even rise for friction.

        Args:
            x: of the sole, where it is [m].
            y: of the sole, where it is [m].
            t_s: since lift-off.
            duration_s: of the step.
        """
        if t_s > _NO_LONGER * duration_s or self.z[0] < self._over_m:
            return
        back = _BACK * self._clearance / math.hypot(self.x[1], self.y[1])
        self.x, self.y = (x - back * self.x[1], 0.0, 0.0), (y - back * self.y[1], 0.0, 0.0)
        self._over_m, self._over_s = self.z[0] + _OVER * self._clearance, t_s + _OVER_S

    def advance(
        self,
        target: Foothold,
        ground_m: float,
        t_s: float,
        duration_s: float,
        dt_s: float,
        tilt: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Moves on by one tick.

        Args:
            target: foothold.
            ground_m: height at which the sole is to land.
            t_s: since lift-off.
            duration_s: of the step.
            dt_s: the tick.
            tilt: pitch (toe down) and roll of the ground [rad].
        """
        remaining = duration_s - t_s
        self._climb_m = ground_m - self._lift_m
        climb = self._wait * duration_s * self._climb_m / self._clearance
        most = self._wait * duration_s
        early = SETTLE_S + min(max(-climb, _EARLY_UP * climb), most)
        rises = t_s < self._over_s and self.z[0] < self._over_m - _ALMOST * self._clearance
        if rises or t_s < min(climb, most):
            pass
        elif remaining > early + _LAST_S:
            settle = remaining - early
            self.x = quintic(self.x, target[0], settle, dt_s)
            self.y = quintic(self.y, target[1], settle, dt_s)
            self.yaw = quintic(self.yaw, target[2], settle, dt_s)
            self.nose_down = quintic(self.nose_down, tilt[0], settle, dt_s)
            self.roll = quintic(self.roll, tilt[1], settle, dt_s)
        else:
            self.x = (self.x[0] + self.x[1] * dt_s, _FADE * self.x[1], 0.0)
            self.y = (self.y[0] + self.y[1] * dt_s, _FADE * self.y[1], 0.0)
            self.yaw = (self.yaw[0] + self.yaw[1] * dt_s, _FADE * self.yaw[1], 0.0)
            self.nose_down, self.roll = (self.nose_down[0], 0.0, 0.0), (self.roll[0], 0.0, 0.0)
        # A hurried step stays low: an apex at full height would take accelerations like T^-2.
        hurry = min(duration_s / self._step_s, 1.0)
        apex = max(self._from_m, ground_m) + (self._clearance + self.higher_m) * hurry * hurry
        # Above its apex a step that has just become hurried comes down at once. Its apex is no place to be
        # at in the few milliseconds left until half time: on the way there it would be thrown at the ground.
        if t_s < self._over_s - _LAST_S:
            self.z = quintic(self.z, max(self._over_m, apex), self._over_s - t_s, dt_s)
        elif t_s < _RISE * duration_s and self.z[0] < apex:
            self.z = quintic(self.z, apex, 0.5 * duration_s - t_s, dt_s)
        elif remaining > 0.0:
            self.z = quintic(self.z, ground_m, max(remaining, dt_s), dt_s)
        else:
            self.z = (self.z[0] - self._descent * dt_s, -self._descent, 0.0)

    def tiptoe(self, ahead_m: float, t_s: float, duration_s: float) -> None:
        """Sets the pitch of a foot that covers this way ahead; arguments as for `advance`."""
        top = min(_TIPTOE_RAD_M * max(ahead_m, 0.0), _MOST_TIPTOE_RAD)
        if self._edges:
            top = min(top + _TIPTOE_UP_RAD_M * max(self._climb_m, 0.0), _MOST_TIPTOE_UP_RAD)
        up, down = _TIPTOE_UP * duration_s, (_TIPTOE_DOWN - _TIPTOE_UP) * duration_s
        if t_s < up:
            p, v, a = minimum_jerk(t_s / up)
            self.pitch = (top * p, top * v / up, top * a / (up * up))
        else:
            p, v, a = minimum_jerk((t_s - up) / down)
            self.pitch = (top * (1.0 - p), -top * v / down, -top * a / (down * down))

    def height(self) -> State:
        """Of the middle of the sole, that of a foot on tiptoe about its toe included."""
        z, v, a = self.z
        p, rate, accel = self.pitch
        c, s, toe = math.cos(p), math.sin(p), self._toe
        return z + toe * s, v + toe * c * rate, a + toe * (c * accel - s * rate * rate)
