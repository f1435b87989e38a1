"""Adaptation of foothold and step time to the DCM error, so that the next steps can go on as planned.

A DCM error that the stance foot cannot correct before touch-down grows by exp(omega t) until then, and the
foothold moves by the grown error. If the foot cannot reach that foothold, the step time is reduced instead
(Khadiv, Herzog, Moosavian, Righetti, "Walking control based on step timing adaptation", T-RO 2020). Here two
neighbouring step times are tried per tick, because the search is repeated every tick. The step is never made
so short that the foot cannot get to its target: a leg at its torque limits lands late, in another place, and
hits the ground on the way.
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
"""Fraction of the sole that the feedback may use for the present error; the rest is kept for later errors."""
_FOOTHOLD_M_S = 8.0
"""Largest speed at which the target foothold moves [m/s]."""
_TIME_SLEW = 12.0
"""Largest rate at which the step time is reduced [s/s]."""
_LATEST_S = 0.07
"""The step is not changed in this time before touch-down [s]: a foot whose target still moves lands with a
horizontal velocity and slides."""
_LEAST_SWING_S = 0.10
"""Shortest remaining swing time to which a step may be shortened [s]."""
_MOST_M_S2 = 100.0
"""Largest acceleration commanded to a swing foot [m/s^2]; a foot that cannot follow its reference misses its
foothold."""
_PEAK = 10.0 / math.sqrt(3.0)
"""Peak acceleration of a quintic from rest to rest, times its duration squared, divided by its distance."""
_TRY_S = 0.02
"""Difference between the present step time and the two that are tried [s]."""
_NOTEWORTHY_M = 0.03
"""The step time is adapted only if the DCM error asks for a larger shift of the foothold than this [m]."""
_UNREACHABLE = 10.0
"""Cost of a metre out of reach, relative to a metre of foothold shift."""
_WORTH_M = 0.002
"""Another step time is taken only if it reduces the cost by more than this [m]."""

STANCE_X, STANCE_Y, STANCE_YAW, SIDE, OFF_X, OFF_Y = range(6)
PLANNED_X, PLANNED_Y, PLANNED_YAW, END_X, END_Y = range(6, 11)
"""Indices of a planned step: the foothold of the stance foot, its side (1 for left, -1 for right), the
position of the swing foot at lift-off, its planned foothold, and the DCM at touch-down."""
STEP = 11
"""Size of a planned step."""

TARGET_X, TARGET_Y, TARGET_YAW, DURATION_S = range(4)
"""Indices of an adapted step: the target foothold and the duration of the single support [s]."""
ADAPTED = 4
"""Size of an adapted step."""


class StepArrays(NamedTuple):
    """The step under way, as planned and as adapted."""

    gait: Floats
    """The gait, as returned by `gait_row`."""
    leeway_m: Floats
    """(1,) largest deviation of a foothold from its plan, ahead and sideways [m]."""
    plan: Floats
    """(STEP,) planned step, indexed by STANCE_X to END_Y."""
    adapted: Floats
    """(ADAPTED,) adapted step, indexed by TARGET_X to DURATION_S."""


class Adaptation:
    """Foothold and duration of the step under way, as computed by `adapt`.

    Args:
        gait: gait of the robot.
        leeway_m: largest deviation of a foothold from its plan, ahead and sideways [m].

    Attributes:
        arrays: the step as the arrays that compiled code takes.
        step, adapted: (STEP,) planned and (ADAPTED,) adapted step; the same memory as in `arrays`.
    """

    def __init__(self, gait: Gait, leeway_m: float = math.inf) -> None:
        self._gait = gait
        self.step, self.adapted = np.zeros(STEP), np.zeros(ADAPTED)
        self.arrays = StepArrays(gait_row(gait), np.array([leeway_m]), self.step, self.adapted)
        self.adapted[DURATION_S] = gait.step_s

    @property
    def target(self) -> Foothold:
        """Adapted foothold of the step under way."""
        x, y, yaw, _ = self.adapted.tolist()
        return x, y, yaw

    @property
    def duration_s(self) -> float:
        """Adapted duration of its single support [s]."""
        return float(self.adapted[DURATION_S])

    def begin(self, stance: Foothold, side: float, lift_off: Point, target: Foothold) -> None:
        """Sets the planned step at lift-off; the adapted step starts equal to it.

        Args:
            stance: foothold of the stance foot.
            side: 1 if the stance foot is the left one, -1 if it is the right one.
            lift_off: position of the swing foot [m].
            target: planned foothold of the swing foot.
        """
        self.step[:PLANNED_X] = *stance, side, *lift_off
        self.adapted[:] = *target, self._gait.step_s


@kernel
def within_reach(stance: Foothold, side: float, wanted: Point, gait: Floats) -> tuple[float, float, float]:
    """Returns the nearest foothold within reach, on the swing foot's side of the stance foot.

    Args:
        stance: foothold of the stance foot.
        side: 1 if the stance foot is the left one, -1 if it is the right one.
        wanted: desired position x, y of the foothold [m].
        gait: the gait, as returned by `gait_row`.

    Returns:
        x and y of the foothold, and the distance of the desired position from it [m].
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
    """Returns the shortest time in which a foot moves way_m [m], rest to rest, and settles [s]."""
    return SETTLE_S + math.sqrt(_PEAK * way_m / _MOST_M_S2)


_fastest = kernel(_fastest_s)


@kernel
def adapt(xi: Point, foot: Point, t_s: float, dt_s: float, omega: float, step: StepArrays) -> None:
    """Adapts the foothold and duration of a step to the DCM of this tick.

    Args:
        xi: measured DCM [m].
        foot: position of the swing foot's reference [m].
        t_s: time since lift-off [s].
        dt_s: time since the last tick [s].
        omega: natural frequency [1/s].
        step: the step; its `adapted` is written.
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
    """Returns the foothold for this duration, its cost, and the foothold shift for the DCM error [m]."""
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
