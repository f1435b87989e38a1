"""Where and when to land so that the next steps go on as planned: foothold and step time follow the DCM.

An error of the DCM that the stance foot cannot take back before touch-down grows by exp(omega t) until
then; the foot lands that much further. Where it cannot reach, the step becomes shorter in time instead
(Khadiv, Herzog, Moosavian, Righetti, "Walking control based on step timing adaptation", T-RO 2020; here a
search by two neighbours a tick, as every tick asks again), but never so short that the foot cannot get
there: a leg at its torque limits lands late, somewhere else, and hits the ground on the way.
"""

from __future__ import annotations

import math

from controller.walking.dcm_plan import DcmPlan, Point
from controller.walking.footsteps import Foothold
from controller.walking.gait import Gait
from controller.walking.swing import SETTLE_S

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


def within_reach(stance: Foothold, side: float, x: float, y: float, gait: Gait) -> tuple[float, float, float]:
    """The nearest foothold inside reach, on the swing foot's side of the stance foot.

    Args:
        stance: the stance foot.
        side: 1 where it is the left one.
        x: wanted [m].
        y: wanted [m].
        gait: its reach.

    Returns:
        x, y, and how far the wanted one was out of reach [m].
    """
    c, s = math.cos(stance[2]), math.sin(stance[2])
    dx, dy = x - stance[0], y - stance[1]
    ahead, outward = c * dx + s * dy, side * (s * dx - c * dy)
    a = min(max(ahead, -gait.longest_m), gait.longest_m)
    o = min(max(outward, gait.least_width_m), gait.widest_m)
    left = -side * o
    return stance[0] + c * a - s * left, stance[1] + s * a + c * left, math.hypot(ahead - a, outward - o)


def _fastest_s(way_m: float) -> float:
    """In how little time a foot gets this far, rest to rest on a quintic, and settles."""
    return SETTLE_S + math.sqrt(_PEAK * way_m / _MOST_M_S2)


class Adaptation:
    """Foothold and duration of the present step.

    Args:
        gait: the gait.
        plan: of the DCM.
        leeway_m: how far a foothold may be from its plan, ahead and sideways.

    Attributes:
        target: foothold of the present step.
        duration_s: of its single support.
    """

    def __init__(self, gait: Gait, plan: DcmPlan, leeway_m: float = math.inf) -> None:
        self._gait, self._plan, self._leeway = gait, plan, leeway_m
        self.target: Foothold = (0.0, 0.0, 0.0)
        self.duration_s = gait.step_s

    def begin(self, target: Foothold) -> None:
        """At lift-off: the step as planned."""
        self.target, self.duration_s = target, self._gait.step_s

    def advance(
        self,
        xi: Point,
        stance: Foothold,
        side: float,
        lift_off: Point,
        foot: Point,
        planned: Foothold,
        xi_end: Point,
        t_s: float,
        dt_s: float,
    ) -> None:
        """Adapts to this tick's DCM.

        Args:
            xi: the DCM.
            stance: the stance foot.
            side: 1 where that is the left one.
            lift_off: where the swing foot started.
            foot: where it is.
            planned: the foothold as planned.
            xi_end: the DCM at touch-down as planned.
            t_s: since lift-off.
            dt_s: since the last tick.
        """
        gait = self._gait
        if self.duration_s - t_s <= _LATEST_S:
            return
        x, y, cost, shift = self._try(xi, stance, side, lift_off, planned, xi_end, t_s, self.duration_s)
        if shift > _NOTEWORTHY_M:
            best = self.duration_s
            way = math.hypot(self.target[0] - foot[0], self.target[1] - foot[1])
            earliest = max(gait.shortest_step_s, t_s + max(_LEAST_SWING_S, _fastest_s(way)))
            for try_s in (-_TRY_S, _TRY_S):
                duration = min(max(self.duration_s + try_s, earliest), gait.longest_step_s)
                other = self._try(xi, stance, side, lift_off, planned, xi_end, t_s, duration)
                if other[2] < cost - _WORTH_M:
                    x, y, cost, _ = other
                    best = duration
            slew = _TIME_SLEW * dt_s
            self.duration_s += min(max(best - self.duration_s, -slew), dt_s)
        dx, dy = x - self.target[0], y - self.target[1]
        way, most = math.hypot(dx, dy), _FOOTHOLD_M_S * dt_s
        if way > most:
            dx, dy = dx * most / way, dy * most / way
        self.target = (self.target[0] + dx, self.target[1] + dy, planned[2])

    def _try(
        self,
        xi: Point,
        stance: Foothold,
        side: float,
        lift_off: Point,
        planned: Foothold,
        xi_end: Point,
        t_s: float,
        duration_s: float,
    ) -> tuple[float, float, float, float]:
        """Foothold for a step of this duration, its cost, and the shift that the DCM asks for [m]."""
        gait = self._gait
        way = (planned[0] - lift_off[0], planned[1] - lift_off[1])
        ref = self._plan.in_swing(stance, way, t_s, duration_s, xi_end)
        c, s = math.cos(stance[2]), math.sin(stance[2])
        ex, ey = xi[0] - ref[0], xi[1] - ref[1]
        ahead, left = c * ex + s * ey, c * ey - s * ex
        remaining = duration_s - t_s
        share = _FOOT_SHARE * (1.0 - math.exp(-self._plan.omega * remaining))
        most_ahead, most_left = share * gait.half_length_m, share * gait.half_width_m
        growth = math.exp(self._plan.omega * (remaining + 0.5 * gait.double_support_s))
        ahead = growth * (ahead - min(max(ahead, -most_ahead), most_ahead))
        left = growth * (left - min(max(left, -most_left), most_left))
        shift = math.hypot(ahead, left)
        a = min(max(ahead, -self._leeway), self._leeway)
        b = min(max(left, -self._leeway), self._leeway)
        x, y, out = within_reach(stance, side, planned[0] + c * a - s * b, planned[1] + s * a + c * b, gait)
        out += math.hypot(ahead - a, left - b)
        return x, y, _UNREACHABLE * out + shift, shift
