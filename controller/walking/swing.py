"""The swing foot, planned anew every tick from its own reference: target and time may change in flight.

Each axis is the quintic from the present reference to rest at the target (Flash and Hogan's minimum jerk
for moving ends). Touch-down comes exactly at the planned time and at the planned height: 5 mm of a too
low target cost ten times the DCM error of a walk in place. A foot that finds no ground then goes on down
at a steady speed.

The foot leaves the ground heel first: the ankle of a leg that trails behind is close to its limit, and a
sole that stayed level in the air would ask it to go further.
"""

from __future__ import annotations

from controller.behaviours.profile import minimum_jerk

State = tuple[float, float, float]
"""Position, velocity, acceleration of one axis."""

_RISE = 0.45
"""Part of the step in which the foot still aims for its apex."""
_TIPTOE_RAD_M, _MOST_TIPTOE_RAD = 0.7, 0.4
"""Pitch of the foot per way ahead, toe down, and its most."""
_TIPTOE_UP, _TIPTOE_DOWN = 0.3, 0.85
"""Parts of the step in which the pitch is at its largest, and is gone."""
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

    Attributes:
        x, y, z, yaw: position, velocity and acceleration of each axis, in the world.
        pitch: the same of the foot's pitch, toe down.
    """

    def __init__(self, clearance_m: float, step_s: float, descent_m_s: float) -> None:
        self._clearance = clearance_m
        self._step_s = step_s
        self._descent = descent_m_s
        self._from_m = 0.0
        self.x: State = (0.0, 0.0, 0.0)
        self.y: State = (0.0, 0.0, 0.0)
        self.z: State = (0.0, 0.0, 0.0)
        self.yaw: State = (0.0, 0.0, 0.0)
        self.pitch: State = (0.0, 0.0, 0.0)

    def begin(self, x: float, y: float, z: float, yaw: float, ground_m: float) -> None:
        """At lift-off, from rest where the foot is; ground_m is the height of the stance sole."""
        self.x, self.y, self.z, self.yaw = (x, 0.0, 0.0), (y, 0.0, 0.0), (z, 0.0, 0.0), (yaw, 0.0, 0.0)
        self._from_m = max(z, ground_m)

    def advance(
        self, target: tuple[float, float, float], ground_m: float, t_s: float, duration_s: float, dt_s: float
    ) -> None:
        """Moves on by one tick.

        Args:
            target: foothold.
            ground_m: height at which the sole is to land.
            t_s: since lift-off.
            duration_s: of the step.
            dt_s: the tick.
        """
        remaining = duration_s - t_s
        if remaining > SETTLE_S + _LAST_S:
            settle = remaining - SETTLE_S
            self.x = quintic(self.x, target[0], settle, dt_s)
            self.y = quintic(self.y, target[1], settle, dt_s)
            self.yaw = quintic(self.yaw, target[2], settle, dt_s)
        else:
            self.x = (self.x[0] + self.x[1] * dt_s, _FADE * self.x[1], 0.0)
            self.y = (self.y[0] + self.y[1] * dt_s, _FADE * self.y[1], 0.0)
            self.yaw = (self.yaw[0] + self.yaw[1] * dt_s, _FADE * self.yaw[1], 0.0)
        # A hurried step stays low: an apex at full height would take accelerations like T^-2.
        hurry = min(duration_s / self._step_s, 1.0)
        apex = self._from_m + self._clearance * hurry * hurry
        # Above its apex a step that has just become hurried comes down at once. Its apex is no place to be
        # at in the few milliseconds left until half time: on the way there it would be thrown at the ground.
        if t_s < _RISE * duration_s and self.z[0] < apex:
            self.z = quintic(self.z, apex, 0.5 * duration_s - t_s, dt_s)
        elif remaining > 0.0:
            self.z = quintic(self.z, ground_m, max(remaining, dt_s), dt_s)
        else:
            self.z = (self.z[0] - self._descent * dt_s, -self._descent, 0.0)

    def tiptoe(self, ahead_m: float, t_s: float, duration_s: float) -> None:
        """Sets the pitch of a foot that covers this way ahead; arguments as for `advance`."""
        top = min(_TIPTOE_RAD_M * max(ahead_m, 0.0), _MOST_TIPTOE_RAD)
        up, down = _TIPTOE_UP * duration_s, (_TIPTOE_DOWN - _TIPTOE_UP) * duration_s
        if t_s < up:
            p, v, a = minimum_jerk(t_s / up)
            self.pitch = (top * p, top * v / up, top * a / (up * up))
        else:
            p, v, a = minimum_jerk((t_s - up) / down)
            self.pitch = (top * (1.0 - p), -top * v / down, -top * a / (down * down))
