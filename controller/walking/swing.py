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
from typing import NamedTuple

import numpy as np

from kilohertz.controller.motion.profile import minimum_jerk
from kilohertz.controller.walking.footsteps import Foothold
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats

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

X, Y, Z, YAW, PITCH, NOSE, ROLL = range(7)
"""Axes of a foot: its place, its yaw, its own pitch (toe down), and pitch and roll of the ground as it
follows them."""
AXES = 7
FROM_M, LIFT_M, HIGHER_M, CLIMB_M, OVER_M, OVER_S = range(6)
"""What a flight remembers: the highest ground known of, where it began, what it clears besides, what it
climbs, and how high, until when, it rises over an edge that has held it back."""
FLIGHT = 6
CLEARANCE_M, STEP_S, DESCENT_M_S, TOE_M, WAIT, EDGES = range(6)
"""What all flights of a gait have in common; see `Swing`."""


class SwingArrays(NamedTuple):
    """The reference of a swing foot, and what it is made of."""

    axes: Floats
    """(AXES, 3) position, velocity and acceleration of each axis, X to ROLL, in the world."""
    flight: Floats
    """(FLIGHT,) what this flight remembers, FROM_M to OVER_S."""
    shape: Floats
    """What all flights have in common, CLEARANCE_M to EDGES."""


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
    """Reference of the swing foot, as `swing_on` moves it.

    Args:
        clearance_m: height of the foot's apex.
        step_s: duration of a step as planned.
        descent_m_s: speed of a foot that has found no ground in time.
        toe_m: from the middle of the sole to its toe, about which the foot turns as it points down: the toe
            so keeps its height, and is not the first to meet an edge that nobody knows of.
        edges: whether there are edges, as of stairs, between where the foot leaves and where it lands.

    Attributes:
        arrays: all of it.
        axes, flight, shape: the same one by one, see `SwingArrays`.
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
        self.axes, self.flight = np.zeros((AXES, 3)), np.zeros(FLIGHT)
        wait = _WAIT if edges else 0.0
        self.shape = np.array([clearance_m, step_s, descent_m_s, toe_m, wait, float(edges)])
        self.arrays = SwingArrays(self.axes, self.flight, self.shape)

    def begin(
        self,
        x: float,
        y: float,
        z: float,
        yaw: float,
        ground_m: float,
        tilt: tuple[float, float] = (0.0, 0.0),
        higher_m: float = 0.0,
    ) -> None:
        """At lift-off, from rest where the foot is.

        Args:
            x: of the sole [m].
            y: of the sole [m].
            z: of the sole [m].
            yaw: of the sole [rad].
            ground_m: the highest ground that is known of on the way.
            tilt: pitch (toe down) and roll of the sole [rad].
            higher_m: what the foot clears besides the clearance.
        """
        self.axes[:] = 0.0
        self.axes[:, 0] = x, y, z, yaw, 0.0, *tilt
        self.flight[:] = max(z, ground_m), z, higher_m, 0.0, -math.inf, 0.0

    def stopped(self, z: float) -> bool:
        """Whether a foot at this height, that is to sink, does not.

        One that has met an edge with its toe hangs behind its reference, and feels a force, on no ground.
        """
        reference, speed, _ = foot_height(self.axes, self.shape[TOE_M])
        return bool(speed < 0.0 and z > reference + _STOPPED * self.shape[CLEARANCE_M])


def foot_height(axes: Floats, toe_m: float) -> State:
    """Of the middle of the sole, that of a foot on tiptoe about its toe included."""
    p, rate, accel = axes[PITCH, 0], axes[PITCH, 1], axes[PITCH, 2]
    c, s = math.cos(p), math.sin(p)
    return (
        axes[Z, 0] + toe_m * s,
        axes[Z, 1] + toe_m * c * rate,
        axes[Z, 2] + toe_m * (c * accel - s * rate * rate),
    )


_quintic, _minimum_jerk = kernel(quintic), kernel(minimum_jerk)


@kernel
def _go(axes: Floats, axis: int, target: float, duration_s: float, dt_s: float) -> None:
    """Moves one axis on along its quintic."""
    state = (axes[axis, 0], axes[axis, 1], axes[axis, 2])
    axes[axis, 0], axes[axis, 1], axes[axis, 2] = _quintic(state, target, duration_s, dt_s)


@kernel
def held_back(foot: Foothold, ahead_m_s: float, left_m_s: float, swing: SwingArrays) -> bool:
    """Whether a foot with this velocity in its own heading rests behind its reference, which goes on."""
    axes, (x, y, yaw) = swing.axes, foot
    vx, vy = axes[X, 1], axes[Y, 1]
    speed = math.hypot(vx, vy)
    if speed < _GOES_ON_M_S:
        return False
    if vx * (axes[X, 0] - x) + vy * (axes[Y, 0] - y) < _BEHIND * swing.shape[CLEARANCE_M] * speed:
        return False
    c, s = math.cos(yaw), math.sin(yaw)
    along = vx * (c * ahead_m_s - s * left_m_s) + vy * (s * ahead_m_s + c * left_m_s)
    return bool(along < _HELD_M_S * speed)


@kernel
def climb(x: float, y: float, t_s: float, duration_s: float, swing: SwingArrays) -> None:
    """An edge holds the foot back: it draws back a little, and rises before it goes on.

    Pulled on as planned it would press against the edge, and could not even rise for friction.

    Args:
        x: of the sole, where it is [m].
        y: of the sole, where it is [m].
        t_s: since lift-off.
        duration_s: of the step.
        swing: its reference.
    """
    axes, flight, clearance = swing.axes, swing.flight, swing.shape[CLEARANCE_M]
    if t_s > _NO_LONGER * duration_s or axes[Z, 0] < flight[OVER_M]:
        return
    back = _BACK * clearance / math.hypot(axes[X, 1], axes[Y, 1])
    axes[X, 0], axes[Y, 0] = x - back * axes[X, 1], y - back * axes[Y, 1]
    axes[X, 1] = axes[X, 2] = axes[Y, 1] = axes[Y, 2] = 0.0
    flight[OVER_M] = axes[Z, 0] + _OVER * clearance
    flight[OVER_S] = t_s + _OVER_S


@kernel
def swing_on(
    target: Foothold,
    ground_m: float,
    tilt: tuple[float, float],
    t_s: float,
    duration_s: float,
    dt_s: float,
    swing: SwingArrays,
) -> None:
    """Moves the foot on by one tick.

    Args:
        target: foothold: x, y [m], yaw [rad].
        ground_m: height at which the sole is to land.
        tilt: pitch of the ground, toe down, and its roll [rad].
        t_s: since lift-off.
        duration_s: of the step.
        dt_s: the tick.
        swing: its reference.
    """
    axes, flight, shape = swing.axes, swing.flight, swing.shape
    clearance, remaining = shape[CLEARANCE_M], duration_s - t_s
    flight[CLIMB_M] = ground_m - flight[LIFT_M]
    most = shape[WAIT] * duration_s
    wait = most * flight[CLIMB_M] / clearance
    early = SETTLE_S + min(max(-wait, _EARLY_UP * wait), most)
    rises = t_s < flight[OVER_S] and axes[Z, 0] < flight[OVER_M] - _ALMOST * clearance
    if not rises and t_s >= min(wait, most):
        if remaining > early + _LAST_S:
            settle = remaining - early
            for axis, goal in (
                (X, target[0]),
                (Y, target[1]),
                (YAW, target[2]),
                (NOSE, tilt[0]),
                (ROLL, tilt[1]),
            ):
                _go(axes, axis, goal, settle, dt_s)
        else:
            for axis in (X, Y, YAW):
                axes[axis, 0] += axes[axis, 1] * dt_s
                axes[axis, 1] *= _FADE
                axes[axis, 2] = 0.0
            axes[NOSE, 1] = axes[NOSE, 2] = axes[ROLL, 1] = axes[ROLL, 2] = 0.0
    rise_and_sink(ground_m, t_s, duration_s, dt_s, swing)


@kernel
def rise_and_sink(ground_m: float, t_s: float, duration_s: float, dt_s: float, swing: SwingArrays) -> None:
    """Moves the foot's height on by one tick; arguments as for `swing_on`."""
    axes, flight, shape = swing.axes, swing.flight, swing.shape
    remaining = duration_s - t_s
    # A hurried step stays low: an apex at full height would take accelerations like T^-2.
    hurry = min(duration_s / shape[STEP_S], 1.0)
    apex = max(flight[FROM_M], ground_m) + (shape[CLEARANCE_M] + flight[HIGHER_M]) * hurry * hurry
    # Above its apex a step that has just become hurried comes down at once. Its apex is no place to be
    # at in the few milliseconds left until half time: on the way there it would be thrown at the ground.
    if t_s < flight[OVER_S] - _LAST_S:
        height, within_s = max(flight[OVER_M], apex), flight[OVER_S] - t_s
    elif t_s < _RISE * duration_s and axes[Z, 0] < apex:
        height, within_s = apex, 0.5 * duration_s - t_s
    elif remaining > 0.0:
        height, within_s = ground_m, max(remaining, dt_s)
    else:
        axes[Z, 0] -= shape[DESCENT_M_S] * dt_s
        axes[Z, 1], axes[Z, 2] = -shape[DESCENT_M_S], 0.0
        return
    _go(axes, Z, height, within_s, dt_s)


@kernel
def tiptoe(ahead_m: float, t_s: float, duration_s: float, swing: SwingArrays) -> None:
    """Sets the pitch of a foot that covers this way ahead; arguments as for `swing_on`."""
    axes = swing.axes
    top = min(_TIPTOE_RAD_M * max(ahead_m, 0.0), _MOST_TIPTOE_RAD)
    if swing.shape[EDGES] > 0.0:
        top = min(top + _TIPTOE_UP_RAD_M * max(swing.flight[CLIMB_M], 0.0), _MOST_TIPTOE_UP_RAD)
    up, down = _TIPTOE_UP * duration_s, (_TIPTOE_DOWN - _TIPTOE_UP) * duration_s
    if t_s < up:
        p, v, a = _minimum_jerk(t_s / up)
        axes[PITCH, 0], axes[PITCH, 1], axes[PITCH, 2] = top * p, top * v / up, top * a / (up * up)
    else:
        p, v, a = _minimum_jerk((t_s - up) / down)
        axes[PITCH, 0] = top * (1.0 - p)
        axes[PITCH, 1], axes[PITCH, 2] = -top * v / down, -top * a / (down * down)
