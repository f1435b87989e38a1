"""Swing-foot reference, replanned every tick from its own state: target and time may change during the step.

Each axis follows the quintic from the present reference to rest at the target (Flash and Hogan's minimum jerk
for moving ends). Touch-down is exactly at the planned time and at the planned height: with a target 5 mm too
low, the DCM error of a walk in place is ten times as large. A foot that finds no ground at that time moves on
down at a constant speed.

The foot leaves the ground heel first: the ankle of a trailing leg is close to its limit, and a sole that
stayed level in the air would need an ankle angle beyond it.

On a step up the foot rises before it moves ahead, and on a step down it moves ahead before it sinks. It thus
passes an edge between the two footholds at the height of the higher one. The foot turns from the slope at
lift-off to the slope at landing.

An edge that is not in the plan may still hold the foot back. The foot is then raised further before it moves
on, as people do when they trip (the elevating strategy: Eng, Winter, Patla, "Strategies for recovery from a
trip in early and late swing during human walking", Experimental Brain Research 1994).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kilohertz.controller.motion.profile import minimum_jerk
from kilohertz.controller.walking.footsteps import Foothold
from kilohertz.robots.compile.kernels import exact_kernel, kernel
from kilohertz.robots.model.kin import Floats

State = tuple[float, float, float]
"""Position, velocity and acceleration of one axis."""

_RISE = 0.45
"""Fraction of the step time up to which the target height is the apex."""
_TIPTOE_RAD_M, _MOST_TIPTOE_RAD = 0.7, 0.4
"""Pitch of the foot (toe down) per distance ahead [rad/m], and its largest value [rad]."""
_TIPTOE_UP_RAD_M, _MOST_TIPTOE_UP_RAD = 2.0, 0.6
"""Additional pitch (toe down) per height of a step up [rad/m], and the largest pitch there [rad]: no ankle
can bend up far enough to keep the sole level."""
_TIPTOE_UP, _TIPTOE_DOWN = 0.3, 0.85
"""Fractions of the step time at which the pitch is largest, and at which it is back at zero."""
_WAIT = 0.28
"""Largest fraction of the step time by which the horizontal motion starts late on a step up, or ends early on
a step down; it is reached at a height difference of one clearance."""
_EARLY_UP = 0.25
"""On a step up the horizontal motion also ends early, by this fraction of the delay at its start, so that the
heel too passes the edge before the foot sinks."""
_GOES_ON_M_S, _HELD_M_S, _BEHIND = 0.3, 0.1, 0.4
"""A foot counts as held back if its reference is at least as fast as the first value [m/s], the foot is
slower than the second [m/s], and it lags behind by at least the third, in clearances."""
_BACK, _OVER, _OVER_S, _ALMOST = 0.8, 0.8, 0.10, 0.2
"""A foot that is held back is drawn back by _BACK and raised by _OVER, both in clearances, within _OVER_S
[s]. It moves on when it is raised to within _ALMOST, in clearances, of that height."""
_NO_LONGER = 0.6
"""Fraction of the step time after which a foot that is held back is not raised any more."""
_STOPPED = 0.08
"""A sinking foot that is more than this above its reference, in clearances, has met the ground."""
SETTLE_S = 0.02
"""Time before landing at which the foot has reached its target horizontally [s]."""
_LAST_S = 0.01
"""No quintic to a moving target is planned with less time than this [s]."""
_FADE = 0.9
"""Factor per tick on the horizontal velocity of the reference once that time is over."""

X, Y, Z, YAW, PITCH, NOSE, ROLL = range(7)
"""Axes of a foot: position, yaw, its own pitch (toe down), and the ground's pitch (NOSE) and roll."""
AXES = 7
"""Number of axes."""
FROM_M, LIFT_M, HIGHER_M, CLIMB_M, OVER_M, OVER_S = range(6)
"""Indices of the state of a swing. FROM_M: highest known ground. LIFT_M: height at lift-off. HIGHER_M:
additional clearance. CLIMB_M: height of the landing over the lift-off. OVER_M: height to which the foot is
raised over an edge that has held it back. OVER_S: time since lift-off until which it is raised [s]."""
FLIGHT = 6
"""Size of the state of a swing."""
CLEARANCE_M, STEP_S, DESCENT_M_S, TOE_M, WAIT, EDGES = range(6)
"""Indices of the parameters that all swings of a gait share; see `Swing`."""


class SwingArrays(NamedTuple):
    """Reference of a swing foot, and the state and parameters from which it is computed."""

    axes: Floats
    """(AXES, 3) position, velocity and acceleration of each axis, X to ROLL, in the world [m], [rad]."""
    flight: Floats
    """(FLIGHT,) state of the present swing, indexed by FROM_M to OVER_S."""
    shape: Floats
    """(6,) parameters of all swings, indexed by CLEARANCE_M to EDGES."""


def quintic(state: State, target: float, duration_s: float, dt_s: float) -> State:
    """Returns the state after one tick along the quintic from a state to rest at a target.

    Args:
        state: present position, velocity and acceleration.
        target: position at which the motion comes to rest.
        duration_s: remaining time until then [s].
        dt_s: duration of the tick [s]; if the remaining time is less than 1.5 ticks, the target is returned.
    """
    T = duration_s
    if 1.5 * dt_s > T:
        return target, 0.0, 0.0
    p, v, a = state
    if p == target and v == a == 0.0:
        return state  # for example the tilt on level ground
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
    """Reference of the swing foot, which `swing_on` advances.

    Args:
        clearance_m: height of the foot's apex over the ground [m].
        step_s: planned duration of a step [s].
        descent_m_s: speed at which a foot moves down if it has found no ground in time [m/s].
        toe_m: distance from the middle of the sole to its toe [m]. The foot pitches about the toe, so the toe
            keeps its height and is not the first part to meet an edge that is not in the plan.
        edges: True if there may be edges, such as those of stairs, between lift-off and landing.

    Attributes:
        arrays: the arrays that compiled code takes.
        axes, flight, shape: fields of `arrays`; see `SwingArrays`.
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
        """Starts a swing at lift-off, from rest at the position of the foot.

        Args:
            x: x of the sole in the world [m].
            y: y of the sole in the world [m].
            z: z of the sole in the world [m].
            yaw: yaw of the sole [rad].
            ground_m: height of the highest known ground along the swing [m].
            tilt: pitch (toe down) and roll of the sole [rad].
            higher_m: additional clearance [m].
        """
        self.axes[:] = 0.0
        self.axes[:, 0] = x, y, z, yaw, 0.0, *tilt
        self.flight[:] = max(z, ground_m), z, higher_m, 0.0, -math.inf, 0.0


def foot_height(axes: Floats, toe_m: float) -> State:
    """Returns height, velocity and acceleration of the middle of the sole, with the pitch about the toe.

    Args:
        axes: (AXES, 3) as in `SwingArrays`.
        toe_m: distance from the middle of the sole to its toe [m].
    """
    p, rate, accel = axes[PITCH, 0], axes[PITCH, 1], axes[PITCH, 2]
    c, s = math.cos(p), math.sin(p)
    return (
        axes[Z, 0] + toe_m * s,
        axes[Z, 1] + toe_m * c * rate,
        axes[Z, 2] + toe_m * (c * accel - s * rate * rate),
    )


_quintic, _minimum_jerk = kernel(quintic), kernel(minimum_jerk)
_exact_foot_height = exact_kernel(foot_height)


@exact_kernel
def stopped(z: float, swing: SwingArrays) -> bool:
    """Returns whether the ground has stopped a foot at height z [m] whose reference sinks.

    The contact force alone is not sufficient: a foot whose toe has met an edge is loaded and lags behind its
    reference, but does not stand on the ground.
    """
    reference, speed, _ = _exact_foot_height(swing.axes, swing.shape[TOE_M])
    return speed < 0.0 and z > reference + _STOPPED * swing.shape[CLEARANCE_M]


@kernel
def _go(axes: Floats, axis: int, target: float, duration_s: float, dt_s: float) -> None:
    """Advances one axis along its quintic by one tick."""
    state = (axes[axis, 0], axes[axis, 1], axes[axis, 2])
    axes[axis, 0], axes[axis, 1], axes[axis, 2] = _quintic(state, target, duration_s, dt_s)


@kernel
def held_back(foot: Foothold, ahead_m_s: float, left_m_s: float, swing: SwingArrays) -> bool:
    """Returns whether something holds the foot back while its reference moves on.

    Args:
        foot: measured position and yaw of the foot.
        ahead_m_s: measured velocity of the foot along its heading [m/s].
        left_m_s: measured velocity of the foot to its left [m/s].
        swing: reference of the foot.
    """
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
    """Draws back a foot that an edge holds back, and raises it before it moves on.

    If its reference moved on as planned, the foot would press against the edge, and friction would keep it
    from rising.

    Args:
        x: measured x of the sole in the world [m].
        y: measured y of the sole in the world [m].
        t_s: time since lift-off [s].
        duration_s: duration of the step [s].
        swing: reference of the foot; it is changed.
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
    """Advances the reference of the swing foot by one tick.

    Args:
        target: foothold at which the foot lands: x, y [m], yaw [rad].
        ground_m: height at which the sole lands [m].
        tilt: pitch (toe down) and roll of the ground there [rad].
        t_s: time since lift-off [s].
        duration_s: duration of the step [s].
        dt_s: duration of the tick [s].
        swing: reference of the foot; it is advanced.
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
    """Advances the height of the foot's reference by one tick; the arguments are those of `swing_on`."""
    axes, flight, shape = swing.axes, swing.flight, swing.shape
    remaining = duration_s - t_s
    # A shortened step stays low: at full apex height the accelerations would grow like T^-2.
    hurry = min(duration_s / shape[STEP_S], 1.0)
    apex = max(flight[FROM_M], ground_m) + (shape[CLEARANCE_M] + flight[HIGHER_M]) * hurry * hurry
    # A foot above the apex of a step that has just been shortened comes down at once. A quintic to the apex
    # in the few milliseconds left until half time would throw the foot towards the ground.
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
    """Sets the pitch of the foot for a step of ahead_m [m] along its heading.

    The other arguments are those of `swing_on`.
    """
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
