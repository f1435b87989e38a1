"""The DCM along the coming steps, by closed-form recursion from the last of them back to now.

In single support the plan's centre of pressure (an eCMP: it includes what the swing leg does to the
angular momentum) rests in the stance foot, shifted back while the swing leg is accelerated and forward
while it is braked; in double support it moves on a straight line to the foot that has landed.
"""

from __future__ import annotations

import math

from kilohertz.controller.walking.footsteps import Foothold, next_foothold
from kilohertz.controller.walking.gait import Gait
from kilohertz.controller.walking.pendulum import dcm_before_hold, dcm_before_ramp, natural_frequency
from kilohertz.robots.compile.kernels import kernel

Point = tuple[float, float]

STEPS_AHEAD = 4


def leg_shift(leg_shift_s2: float, duration_s: float) -> float:
    """What the swing leg takes off the stance foot's middle while it is braked, per metre of its way.

    It gives as much while it is accelerated: by 4 D / T^2 in the mean, for a way D in T from rest to rest.

    Args:
        leg_shift_s2: as in `Gait`.
        duration_s: of the single support.
    """
    return 4.0 * leg_shift_s2 / (duration_s * duration_s)


class DcmPlan:
    """Plans over a fixed number of coming steps.

    Args:
        gait: the gait.

    Attributes:
        omega: natural frequency [1/s].
        follow: how far the DCM at touch-down moves with the foothold and all later ones, per metre.
        follow_alone: the same where the later ones are given, and stay.
    """

    def __init__(self, gait: Gait) -> None:
        self._gait = gait
        self._shift = leg_shift(gait.leg_shift_s2, gait.step_s)
        self._feet: list[Foothold] = [(0.0, 0.0, 0.0)] * (STEPS_AHEAD + 2)
        self._asked: tuple[object, ...] = ()
        self._answer: Point = (0.0, 0.0)
        self.set_height(gait.height_m)

    def set_height(self, height_m: float) -> None:
        """Plans for a pendulum of this height from now on: a load lifts the centre of mass."""
        self.omega = natural_frequency(height_m)
        self._asked = ()
        self._half_step_decay = math.exp(-0.5 * self.omega * self._gait.step_s)
        here, there = (0.0, 0.0, 0.0), (1.0, 0.0, 0.0)
        still = (0.0, 0.0, 0.0)
        self.follow = self.at_touchdown(here, there, 1.0, still)[0]
        self.follow_alone = self.along([here, there, *([here] * STEPS_AHEAD)], STEPS_AHEAD + 2)[0]

    def at_touchdown(
        self, leaving: Foothold, landing: Foothold, side: float, velocity: tuple[float, float, float]
    ) -> Point:
        """The DCM as a foot lands.

        Args:
            leaving: the foot that will swing next.
            landing: the foot that lands.
            side: of the landing foot, 1 where it is the left one.
            velocity: of the steps after this one, see `next_foothold`.
        """
        # Within a step the same is asked tick after tick: 0.3 us instead of 6.7.
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
        """The DCM as the second of these feet lands.

        Args:
            feet: the one that will swing next, the one that lands, and those after them.
            count: how many of them there are, >= 2.
        """
        gait = self._gait
        # Where the recursion starts matters little: each step shrinks its error by exp(-omega period).
        x = 0.5 * (feet[count - 2][0] + feet[count - 1][0])
        y = 0.5 * (feet[count - 2][1] + feet[count - 1][1])
        for i in range(count - 3, -1, -1):
            x, y = self.after_landing(feet[i], feet[i + 1], feet[i + 2], (x, y))
            x = dcm_before_ramp(x, feet[i][0], feet[i + 1][0], gait.double_support_s, self.omega)
            y = dcm_before_ramp(y, feet[i][1], feet[i + 1][1], gait.double_support_s, self.omega)
        return x, y

    def after_landing(self, leaving: Foothold, stance: Foothold, target: Foothold, xi_end: Point) -> Point:
        """The DCM at the start of a whole single support, from the one at its end."""
        decay = self._half_step_decay
        dx, dy = self._shift * (target[0] - leaving[0]), self._shift * (target[1] - leaving[1])
        x = dcm_before_hold(xi_end[0], stance[0] + dx, decay)
        y = dcm_before_hold(xi_end[1], stance[1] + dy, decay)
        return dcm_before_hold(x, stance[0] - dx, decay), dcm_before_hold(y, stance[1] - dy, decay)

    def in_transfer(self, z: Point, z_end: Point, left_s: float, xi_end: Point) -> Point:
        """The DCM within a double support, from the one at its end; z is the centre of pressure now."""
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
    """The DCM within a single support, from the one at its end.

    Args:
        stance: the stance foot [m].
        way: of the swing foot, from lift-off to target [m].
        t_s: since lift-off.
        duration_s: of the single support.
        end: the DCM at its end [m].
        omega: natural frequency [1/s].
        leg_shift_s2: as in `Gait`.
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
