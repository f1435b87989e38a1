"""Where and when to land so that the next steps go on as planned: foothold and step time follow the DCM.

An error of the DCM that the stance foot cannot take back before touch-down grows by exp(omega t) until
then; the foot lands that much further. Where it cannot reach, the step becomes shorter in time instead
(Khadiv, Herzog, Moosavian, Righetti, "Walking control based on step timing adaptation", T-RO 2020; here a
search by two neighbours a tick, as every tick asks again), but never so short that the foot cannot get
there: a leg at its torque limits lands late, somewhere else, and hits the ground on the way.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kilohertz.controller.walking.dcm_plan import Point, dcm_in_swing
from kilohertz.controller.walking.footsteps import Foothold
from kilohertz.controller.walking.gait import (
    DOUBLE_SUPPORT_S,
    HALF_LENGTH_M,
    HALF_WIDTH_M,
    LEAST_WIDTH_M,
    LEG_SHIFT_S2,
    LONGEST_M,
    LONGEST_STEP_S,
    SHORTEST_STEP_S,
    WIDEST_M,
    Gait,
    gait_row,
)
from kilohertz.controller.walking.swing import SETTLE_S
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats

_FOOT_SHARE = 0.7
"""Part of the sole that the feedback may spend on the error; the rest is for what comes."""
_FOOTHOLD_M_S = 8.0
_TIME_SLEW = 6.0
_LATEST_S = 0.07
"""Nothing changes this close to touch-down: a foot whose target still moves lands at speed, and slides on."""
_LEAST_SWING_S = 0.10
_MOST_M_S2 = 80.0
"""Acceleration that a swing foot is asked for at most; where it cannot follow it lands anywhere."""
_PEAK = 10.0 / math.sqrt(3.0)
"""Largest acceleration of a quintic from rest to rest, times its time squared, over its way."""
_TRY_S = 0.02
_NOTEWORTHY_M = 0.03
_UNREACHABLE = 10.0
"""A metre out of reach costs as much as this many metres of shift."""
_WORTH_M = 0.002

STANCE_X, STANCE_Y, STANCE_YAW, SIDE, OFF_X, OFF_Y = range(6)
PLANNED_X, PLANNED_Y, PLANNED_YAW, END_X, END_Y = range(6, 11)
"""A step as planned: stance foot, 1 where that is the left one, where the swing foot started, its foothold,
and the DCM at touch-down."""
STEP = 11

TARGET_X, TARGET_Y, TARGET_YAW, DURATION_S = range(4)
"""The step as adapted."""
ADAPTED = 4


class StepArrays(NamedTuple):
    """The present step."""

    gait: Floats
    """The gait, as `gait_row` gives it."""
    leeway_m: Floats
    """(1,) how far a foothold may be from its plan, ahead and sideways."""
    plan: Floats
    """(STEP,) the step as planned, STANCE_X to END_Y."""
    adapted: Floats
    """(ADAPTED,) the step as adapted, TARGET_X to DURATION_S."""


class Adaptation:
    """Foothold and duration of the present step, as `adapt` makes them.

    Args:
        gait: the gait.
        leeway_m: how far a foothold may be from its plan, ahead and sideways.

    Attributes:
        arrays: the step, as compiled code knows it.
        step, adapted: (STEP,), (ADAPTED,) of these.
    """

    def __init__(self, gait: Gait, leeway_m: float = math.inf) -> None:
        self._gait = gait
        self.step, self.adapted = np.zeros(STEP), np.zeros(ADAPTED)
        self.arrays = StepArrays(gait_row(gait), np.array([leeway_m]), self.step, self.adapted)
        self.adapted[DURATION_S] = gait.step_s

    @property
    def target(self) -> Foothold:
        """Foothold of the present step."""
        x, y, yaw, _ = self.adapted.tolist()
        return x, y, yaw

    @property
    def duration_s(self) -> float:
        """Of its single support."""
        return float(self.adapted[DURATION_S])

    def begin(self, stance: Foothold, side: float, lift_off: Point, target: Foothold) -> None:
        """At lift-off: the step as planned.

        Args:
            stance: the stance foot.
            side: 1 where that is the left one.
            lift_off: where the swing foot is.
            target: its foothold.
        """
        self.step[:PLANNED_X] = *stance, side, *lift_off
        self.adapted[:] = *target, self._gait.step_s


@kernel
def within_reach(stance: Foothold, side: float, wanted: Point, gait: Floats) -> tuple[float, float, float]:
    """The nearest foothold inside reach, on the swing foot's side of the stance foot.

    Args:
        stance: the stance foot.
        side: 1 where that is the left one.
        wanted: x, y [m].
        gait: as `gait_row` gives it.

    Returns:
        x, y, and how far the wanted one was out of reach [m].
    """
    x, y, yaw = stance
    c, s = math.cos(yaw), math.sin(yaw)
    dx, dy = wanted[0] - x, wanted[1] - y
    ahead, outward = c * dx + s * dy, side * (s * dx - c * dy)
    a = min(max(ahead, -gait[LONGEST_M]), gait[LONGEST_M])
    o = min(max(outward, gait[LEAST_WIDTH_M]), gait[WIDEST_M])
    left = -side * o
    return x + c * a - s * left, y + s * a + c * left, math.hypot(ahead - a, outward - o)


def _fastest_s(way_m: float) -> float:
    """In how little time a foot gets this far, rest to rest on a quintic, and settles."""
    return SETTLE_S + math.sqrt(_PEAK * way_m / _MOST_M_S2)


_fastest = kernel(_fastest_s)


@kernel
def adapt(xi: Point, foot: Point, t_s: float, dt_s: float, omega: float, step: StepArrays) -> None:
    """Adapts a step to this tick's DCM.

    Args:
        xi: the DCM [m].
        foot: where the swing foot is [m].
        t_s: since lift-off.
        dt_s: since the last tick.
        omega: natural frequency [1/s].
        step: its `adapted` is written.
    """
    gait, adapted = step.gait, step.adapted
    duration = adapted[DURATION_S]
    if duration - t_s <= _LATEST_S:
        return
    x, y, cost, shift = _try(xi, t_s, duration, omega, step)
    if shift > _NOTEWORTHY_M:
        best = duration
        way = math.hypot(adapted[TARGET_X] - foot[0], adapted[TARGET_Y] - foot[1])
        earliest = max(gait[SHORTEST_STEP_S], t_s + max(_LEAST_SWING_S, _fastest(way)))
        for i in range(2):
            other_s = min(max(duration + (2 * i - 1) * _TRY_S, earliest), gait[LONGEST_STEP_S])
            other_x, other_y, other, _ = _try(xi, t_s, other_s, omega, step)
            if other < cost - _WORTH_M:
                x, y, cost, best = other_x, other_y, other, other_s
        slew = _TIME_SLEW * dt_s
        adapted[DURATION_S] = duration + min(max(best - duration, -slew), dt_s)
    dx, dy = x - adapted[TARGET_X], y - adapted[TARGET_Y]
    way, most = math.hypot(dx, dy), _FOOTHOLD_M_S * dt_s
    if way > most:
        dx, dy = dx * most / way, dy * most / way
    adapted[TARGET_X] += dx
    adapted[TARGET_Y] += dy
    adapted[TARGET_YAW] = step.plan[PLANNED_YAW]


@kernel
def _try(
    xi: Point, t_s: float, duration_s: float, omega: float, step: StepArrays
) -> tuple[float, float, float, float]:
    """Foothold for a step of this duration, its cost, and the shift that the DCM asks for [m]."""
    plan, gait, leeway_m = step.plan, step.gait, step.leeway_m[0]
    x, y, yaw = plan[STANCE_X], plan[STANCE_Y], plan[STANCE_YAW]
    planned_x, planned_y = plan[PLANNED_X], plan[PLANNED_Y]
    way = (planned_x - plan[OFF_X], planned_y - plan[OFF_Y])
    end = (plan[END_X], plan[END_Y])
    ref_x, ref_y = dcm_in_swing((x, y), way, t_s, duration_s, end, omega, gait[LEG_SHIFT_S2])
    c, s = math.cos(yaw), math.sin(yaw)
    ex, ey = xi[0] - ref_x, xi[1] - ref_y
    ahead, left = c * ex + s * ey, c * ey - s * ex
    remaining = duration_s - t_s
    share = _FOOT_SHARE * (1.0 - math.exp(-omega * remaining))
    most_ahead, most_left = share * gait[HALF_LENGTH_M], share * gait[HALF_WIDTH_M]
    growth = math.exp(omega * (remaining + 0.5 * gait[DOUBLE_SUPPORT_S]))
    ahead = growth * (ahead - min(max(ahead, -most_ahead), most_ahead))
    left = growth * (left - min(max(left, -most_left), most_left))
    shift = math.hypot(ahead, left)
    a = min(max(ahead, -leeway_m), leeway_m)
    b = min(max(left, -leeway_m), leeway_m)
    wanted = (planned_x + c * a - s * b, planned_y + s * a + c * b)
    to_x, to_y, out = within_reach((x, y, yaw), plan[SIDE], wanted, gait)
    out += math.hypot(ahead - a, left - b)
    return to_x, to_y, _UNREACHABLE * out + shift, shift
