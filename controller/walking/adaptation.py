"""Where and when to land so that the next steps go on as planned: foothold and step time follow the DCM.

An error of the DCM that the stance foot cannot take back before touch-down grows by exp(omega t) until
then; the foot lands that much further. Where it cannot reach, the step becomes shorter in time instead
(Khadiv, Herzog, Moosavian, Righetti, "Walking control based on step timing adaptation", T-RO 2020; here a
search by two neighbours a tick, as every tick asks again), but never so short that the foot cannot get
there: a leg at its torque limits lands late, somewhere else, and hits the ground on the way.
"""

from __future__ import annotations

import math

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


class Adaptation:
    """Foothold and duration of the present step, as `adapt` makes them.

    Args:
        gait: the gait.
        leeway_m: how far a foothold may be from its plan, ahead and sideways.

    Attributes:
        step: (STEP,) the step as planned.
        adapted: (ADAPTED,) the step as adapted.
        leeway_m: (1,) as given.
    """

    def __init__(self, gait: Gait, leeway_m: float = math.inf) -> None:
        self._gait = gait
        self.step, self.adapted, self.leeway_m = np.zeros(STEP), np.zeros(ADAPTED), np.array([leeway_m])
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
def within_reach(
    stance_x: float, stance_y: float, stance_yaw: float, side: float, x: float, y: float, gait: Floats
) -> tuple[float, float, float]:
    """The nearest foothold inside reach, on the swing foot's side of the stance foot.

    Args:
        stance_x: the stance foot [m], [rad], as stance_y and stance_yaw.
        stance_y: see stance_x.
        stance_yaw: see stance_x.
        side: 1 where that is the left one.
        x: wanted [m].
        y: wanted [m].
        gait: as `gait_row` gives it.

    Returns:
        x, y, and how far the wanted one was out of reach [m].
    """
    c, s = math.cos(stance_yaw), math.sin(stance_yaw)
    dx, dy = x - stance_x, y - stance_y
    ahead, outward = c * dx + s * dy, side * (s * dx - c * dy)
    a = min(max(ahead, -gait[LONGEST_M]), gait[LONGEST_M])
    o = min(max(outward, gait[LEAST_WIDTH_M]), gait[WIDEST_M])
    left = -side * o
    return stance_x + c * a - s * left, stance_y + s * a + c * left, math.hypot(ahead - a, outward - o)


def _fastest_s(way_m: float) -> float:
    """In how little time a foot gets this far, rest to rest on a quintic, and settles."""
    return SETTLE_S + math.sqrt(_PEAK * way_m / _MOST_M_S2)


_fastest = kernel(_fastest_s)


@kernel
def adapt(
    xi_x: float,
    xi_y: float,
    foot_x: float,
    foot_y: float,
    t_s: float,
    dt_s: float,
    omega: float,
    gait: Floats,
    leeway_m: Floats,
    step: Floats,
    adapted: Floats,
) -> None:
    """Adapts a step to this tick's DCM.

    Args:
        xi_x: the DCM [m], as xi_y.
        xi_y: see xi_x.
        foot_x: where the swing foot is [m], as foot_y.
        foot_y: see foot_x.
        t_s: since lift-off.
        dt_s: since the last tick.
        omega: natural frequency [1/s].
        gait: as `gait_row` gives it.
        leeway_m: (1,) how far a foothold may be from its plan, ahead and sideways.
        step: (STEP,) as planned.
        adapted: (ADAPTED,) written.
    """
    duration = adapted[DURATION_S]
    if duration - t_s <= _LATEST_S:
        return
    x, y, cost, shift = _try(xi_x, xi_y, t_s, duration, omega, gait, leeway_m, step)
    if shift > _NOTEWORTHY_M:
        best = duration
        way = math.hypot(adapted[TARGET_X] - foot_x, adapted[TARGET_Y] - foot_y)
        earliest = max(gait[SHORTEST_STEP_S], t_s + max(_LEAST_SWING_S, _fastest(way)))
        for i in range(2):
            other_s = min(max(duration + (2 * i - 1) * _TRY_S, earliest), gait[LONGEST_STEP_S])
            other_x, other_y, other, _ = _try(xi_x, xi_y, t_s, other_s, omega, gait, leeway_m, step)
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
    adapted[TARGET_YAW] = step[PLANNED_YAW]


@kernel
def _try(
    xi_x: float,
    xi_y: float,
    t_s: float,
    duration_s: float,
    omega: float,
    gait: Floats,
    leeway_m: Floats,
    step: Floats,
) -> tuple[float, float, float, float]:
    """Foothold for a step of this duration, its cost, and the shift that the DCM asks for [m]."""
    x, y, yaw = step[STANCE_X], step[STANCE_Y], step[STANCE_YAW]
    planned_x, planned_y = step[PLANNED_X], step[PLANNED_Y]
    ref_x, ref_y = dcm_in_swing(
        x,
        y,
        planned_x - step[OFF_X],
        planned_y - step[OFF_Y],
        t_s,
        duration_s,
        step[END_X],
        step[END_Y],
        omega,
        gait[LEG_SHIFT_S2],
    )
    c, s = math.cos(yaw), math.sin(yaw)
    ex, ey = xi_x - ref_x, xi_y - ref_y
    ahead, left = c * ex + s * ey, c * ey - s * ex
    remaining = duration_s - t_s
    share = _FOOT_SHARE * (1.0 - math.exp(-omega * remaining))
    most_ahead, most_left = share * gait[HALF_LENGTH_M], share * gait[HALF_WIDTH_M]
    growth = math.exp(omega * (remaining + 0.5 * gait[DOUBLE_SUPPORT_S]))
    ahead = growth * (ahead - min(max(ahead, -most_ahead), most_ahead))
    left = growth * (left - min(max(left, -most_left), most_left))
    shift = math.hypot(ahead, left)
    a = min(max(ahead, -leeway_m[0]), leeway_m[0])
    b = min(max(left, -leeway_m[0]), leeway_m[0])
    to_x, to_y, out = within_reach(
        x, y, yaw, step[SIDE], planned_x + c * a - s * b, planned_y + s * a + c * b, gait
    )
    out += math.hypot(ahead - a, left - b)
    return to_x, to_y, _UNREACHABLE * out + shift, shift
