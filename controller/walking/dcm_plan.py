"""Plan of the DCM over the coming steps, by closed-form recursion from the last step back to the present.

In single support, the planned centre of pressure rests in the stance foot. It is an eCMP: it includes the
effect of the swing leg on the angular momentum, and is shifted back while the swing leg is accelerated and
forward while it is braked. In double support, it moves on a straight line to the foot that has landed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kilohertz.controller.walking.footsteps import Foothold, next_foothold
from kilohertz.controller.walking.gait import Gait
from kilohertz.controller.walking.pendulum import dcm_before_hold, dcm_before_ramp, natural_frequency
from kilohertz.robots.compile.kernels import exact_kernel, kernel
from kilohertz.robots.model.kin import Floats

Point = tuple[float, float]
"""x, y of a point of the horizontal plane in the world [m]."""

STEPS_AHEAD = 4
"""Number of steps over which the DCM is planned, after the foot that lands."""

OMEGA, FOLLOW, HALF_STEP_DECAY, SHIFT, PERIOD_S, DOUBLE_SUPPORT_S, WIDTH_M, HEIGHT_M = range(8)
"""Indices of `PlanArrays.plan`."""


class PlanArrays(NamedTuple):
    """Parameters of the plan, for compiled code."""

    plan: Floats
    """(8,) parameters, indexed by OMEGA to HEIGHT_M: natural frequency [1/s]; `DcmPlan.follow`; factor by
    which an error decays in half a step; shift of the centre of pressure per metre of the swing; time from
    one step to the next and duration of double support [s]; sideways distance of the feet and height of the
    centre of mass over the soles without a load [m]."""
    feet: Floats
    """(STEPS_AHEAD + 2, 3) footholds, which are written by `touchdown_dcm`."""


def leg_shift(leg_shift_s2: float, duration_s: float) -> float:
    """Returns the shift of the centre of pressure from the stance foot's middle, per metre of the swing.

    The shift is forward while the swing leg is braked, and as large backward while it is accelerated. For a
    distance D in the time T from rest to rest, the mean acceleration is 4 D / T^2.

    Args:
        leg_shift_s2: shift per acceleration of the swing foot, see `Gait` [s^2].
        duration_s: duration of the single support [s].
    """
    return 4.0 * leg_shift_s2 / (duration_s * duration_s)


class DcmPlan:
    """Plans the DCM over a fixed number of coming steps.

    Args:
        gait: gait of the robot.

    Attributes:
        omega: natural frequency of the pendulum [1/s].
        follow: displacement of the DCM at touch-down per metre of foothold displacement, if all later
            footholds move with it.
        follow_alone: displacement of the DCM at touch-down per metre of foothold displacement, if the later
            footholds are given and stay where they are.
        arrays: parameters of the plan, for compiled code.
    """

    def __init__(self, gait: Gait) -> None:
        self._gait = gait
        self._shift = leg_shift(gait.leg_shift_s2, gait.step_s)
        self._feet: list[Foothold] = [(0.0, 0.0, 0.0)] * (STEPS_AHEAD + 2)
        self._asked: tuple[object, ...] = ()
        self._answer: Point = (0.0, 0.0)
        self.arrays = PlanArrays(np.zeros(HEIGHT_M + 1), np.zeros((STEPS_AHEAD + 2, 3)))
        self.set_height(gait.height_m)

    def set_height(self, height_m: float) -> None:
        """Sets the height of the pendulum [m], which changes when the robot carries a load."""
        self.omega = natural_frequency(height_m)
        self._asked = ()
        self._half_step_decay = math.exp(-0.5 * self.omega * self._gait.step_s)
        here, there = (0.0, 0.0, 0.0), (1.0, 0.0, 0.0)
        still = (0.0, 0.0, 0.0)
        self.follow = self.at_touchdown(here, there, 1.0, still)[0]
        self.follow_alone = self.along([here, there, *([here] * STEPS_AHEAD)], STEPS_AHEAD + 2)[0]
        gait = self._gait
        self.arrays.plan[:] = (
            self.omega,
            self.follow,
            self._half_step_decay,
            self._shift,
            gait.step_s + gait.double_support_s,
            gait.double_support_s,
            gait.width_m,
            gait.height_m,
        )

    def at_touchdown(
        self, leaving: Foothold, landing: Foothold, side: float, velocity: tuple[float, float, float]
    ) -> Point:
        """Returns the DCM at touch-down, for steps that follow a velocity [m].

        Args:
            leaving: foothold of the foot that will swing next.
            landing: foothold of the foot that lands.
            side: 1 if the landing foot is the left one, -1 if it is the right one.
            velocity: velocity of the steps after this one, see `next_foothold`.
        """
        # The arguments stay the same within a step: the stored result takes 0.3 us instead of 6.7.
        asked = (leaving, landing, side, velocity)
        if asked == self._asked:
            return self._answer
        gait, feet = self._gait, self._feet
        period = gait.step_s + gait.double_support_s
        feet[0], feet[1] = leaving, landing
        for i in range(2, STEPS_AHEAD + 2):
            feet[i] = next_foothold(feet[i - 1], side, velocity, period, gait.width_m)
            side = -side
        self._asked, self._answer = asked, self.along(feet, STEPS_AHEAD + 2)
        return self._answer

    def along(self, feet: list[Foothold], count: int) -> Point:
        """Returns the DCM at touch-down of the second of these footholds [m].

        Args:
            feet: foothold of the foot that swings next, foothold of the foot that lands, and the later ones.
            count: number of footholds in `feet`, >= 2.
        """
        gait = self._gait
        # The start of the recursion matters little: its error decays by exp(-omega period) per step.
        x = 0.5 * (feet[count - 2][0] + feet[count - 1][0])
        y = 0.5 * (feet[count - 2][1] + feet[count - 1][1])
        for i in range(count - 3, -1, -1):
            x, y = self.after_landing(feet[i], feet[i + 1], feet[i + 2], (x, y))
            x = dcm_before_ramp(x, feet[i][0], feet[i + 1][0], gait.double_support_s, self.omega)
            y = dcm_before_ramp(y, feet[i][1], feet[i + 1][1], gait.double_support_s, self.omega)
        return x, y

    def after_landing(self, leaving: Foothold, stance: Foothold, target: Foothold, xi_end: Point) -> Point:
        """Returns the DCM at the start of a planned single support, from the DCM at its end [m].

        Args:
            leaving: foothold that the swing foot leaves.
            stance: foothold of the stance foot.
            target: foothold at which the swing foot lands.
            xi_end: DCM at the end of the single support [m].
        """
        decay = self._half_step_decay
        dx, dy = self._shift * (target[0] - leaving[0]), self._shift * (target[1] - leaving[1])
        x = dcm_before_hold(xi_end[0], stance[0] + dx, decay)
        y = dcm_before_hold(xi_end[1], stance[1] + dy, decay)
        return dcm_before_hold(x, stance[0] - dx, decay), dcm_before_hold(y, stance[1] - dy, decay)

    def in_transfer(self, z: Point, z_end: Point, left_s: float, xi_end: Point) -> Point:
        """Returns the planned DCM within a double support, from the DCM at its end [m].

        Args:
            z: planned centre of pressure now [m].
            z_end: planned centre of pressure at the end of the double support [m].
            left_s: remaining time [s].
            xi_end: DCM at the end of the double support [m].
        """
        if left_s <= 0.0:
            return xi_end
        return (
            dcm_before_ramp(xi_end[0], z[0], z_end[0], left_s, self.omega),
            dcm_before_ramp(xi_end[1], z[1], z_end[1], left_s, self.omega),
        )


_before_hold, _leg_shift = kernel(dcm_before_hold), kernel(leg_shift)


@kernel
def dcm_in_swing(
    stance: Point,
    way: Point,
    t_s: float,
    duration_s: float,
    end: Point,
    omega: float,
    leg_shift_s2: float,
) -> Point:
    """Returns the planned DCM within a single support, from the DCM at its end [m].

    Args:
        stance: position of the stance foot [m].
        way: displacement of the swing foot from lift-off to its target [m].
        t_s: time since lift-off [s].
        duration_s: duration of the single support [s].
        end: DCM at the end of the single support [m].
        omega: natural frequency [1/s].
        leg_shift_s2: shift per acceleration of the swing foot, see `Gait` [s^2].
    """
    left, half = duration_s - t_s, 0.5 * duration_s
    if left <= 0.0:
        return end
    k = _leg_shift(leg_shift_s2, duration_s)
    dx, dy = k * way[0], k * way[1]
    decay = math.exp(-omega * min(left, half))
    x, y = _before_hold(end[0], stance[0] + dx, decay), _before_hold(end[1], stance[1] + dy, decay)
    if left > half:
        decay = math.exp(-omega * (left - half))
        x, y = _before_hold(x, stance[0] - dx, decay), _before_hold(y, stance[1] - dy, decay)
    return x, y


_next_foothold = exact_kernel(next_foothold)
_exact_hold, _exact_ramp = exact_kernel(dcm_before_hold), exact_kernel(dcm_before_ramp)


@exact_kernel
def touchdown_dcm(
    leaving: Foothold,
    landing: Foothold,
    side: float,
    velocity: tuple[float, float, float],
    plan: PlanArrays,
) -> Point:
    """Returns the DCM at touch-down, for steps that follow a velocity [m].

    The compiled twin of `DcmPlan.at_touchdown`, for the tick.

    Args:
        leaving: foothold of the foot that will swing next.
        landing: foothold of the foot that lands.
        side: 1 if the landing foot is the left one, -1 if it is the right one.
        velocity: velocity of the steps after this one, see `next_foothold`.
        plan: parameters of the plan; its `feet` are overwritten.

    Source: Englsberger, Ott, Albu-Schaeffer, T-RO 2015, eq. 18, from the last planned step backwards.
    """
    p, feet, last = plan.plan, plan.feet, STEPS_AHEAD + 1
    feet[0, 0], feet[0, 1] = leaving[0], leaving[1]
    feet[1, 0], feet[1, 1] = landing[0], landing[1]
    foot = landing
    for i in range(2, STEPS_AHEAD + 2):
        foot = _next_foothold(foot, side, velocity, p[PERIOD_S], p[WIDTH_M])
        feet[i, 0], feet[i, 1] = foot[0], foot[1]
        side = -side
    x, y = 0.5 * (feet[last - 1, 0] + feet[last, 0]), 0.5 * (feet[last - 1, 1] + feet[last, 1])
    for i in range(STEPS_AHEAD - 1, -1, -1):
        x = _before_step(x, feet[i, 0], feet[i + 1, 0], feet[i + 2, 0], p)
        y = _before_step(y, feet[i, 1], feet[i + 1, 1], feet[i + 2, 1], p)
    return x, y


@exact_kernel
def _before_step(xi_end: float, leaving: float, stance: float, target: float, p: Floats) -> float:
    """Returns the DCM along one axis before a double support and a step, from the DCM at its end [m]."""
    shift, decay = p[SHIFT] * (target - leaving), p[HALF_STEP_DECAY]
    xi = _exact_hold(xi_end, stance + shift, decay)
    xi = _exact_hold(xi, stance - shift, decay)
    return float(_exact_ramp(xi, leaving, stance, p[DOUBLE_SUPPORT_S], p[OMEGA]))
