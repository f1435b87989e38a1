"""Steps on given footsteps, which may be on stairs."""

from __future__ import annotations

import math
from collections.abc import Iterator

from kilohertz.controller.walking.dcm_plan import STEPS_AHEAD, Point
from kilohertz.controller.walking.footsteps import Foothold
from kilohertz.controller.walking.gait_state import DOUBLE_SUPPORT, SWING, GaitState
from kilohertz.controller.walking.route import Route
from kilohertz.controller.walking.single_support import SingleSupport
from kilohertz.controller.walking.steps import Plane, Steps
from kilohertz.robots.model.kin import Floats
from kilohertz.robots.model.rows import Vector

_LEAST_WAY_M = 0.05
"""Feet with less distance than this along the heading count as side by side [m]."""


class GivenSteps(Steps):
    """Steps on the footsteps of a route.

    Args:
        single: single support of these steps.
        p_WC: (3,) centre of mass in the world [m]; the array is updated in place each tick.

    Attributes:
        route: given footsteps.
    """

    def __init__(self, single: SingleSupport, p_WC: Floats) -> None:
        super().__init__(single)
        self.route = Route()
        self._p_WC = p_WC
        self._ahead: list[Foothold] = [(0.0, 0.0, 0.0)] * (STEPS_AHEAD + 2)

    def begin(self, footsteps: Vector, gait_state: GaitState) -> None:
        """Starts a route, with both soles on the ground.

        Args:
            footsteps: (n, 5) footsteps as for `Route.begin`.
            gait_state: present positions of the feet.
        """
        self.route.begin(footsteps, gait_state.middle, [gait_state.foot(0), gait_state.foot(1)])

    def first_stance(self) -> int:
        """See `Steps.first_stance`."""
        return 1 - self.route.first

    def is_last(self, stop: bool) -> bool:
        """See `Steps.is_last`; a route is walked to its end, even after a stop command."""
        return self.route.last

    def foothold(self, gait_state: GaitState, last: bool) -> Foothold:
        """See `Steps.foothold`."""
        return self.route.foothold()

    def after(self, most: int) -> Iterator[tuple[Foothold, float]]:
        """See `Steps.after`."""
        for ahead in range(1, min(self.route.steps_left, most + 1)):
            yield self.route.foothold(ahead), self.route.rise_m(ahead)

    def touchdown(self, gait_state: GaitState, foothold: Foothold, last: bool) -> tuple[Point, float]:
        """See `Steps.touchdown`."""
        end = self.plan.along(self._ahead, self.route.lay_out(gait_state.standing, self._ahead))
        return end, 0.5 if last else self.plan.follow_alone

    def landed(self) -> None:
        """See `Steps.landed`."""
        self.route.index += 1

    def landing(self, gait_state: GaitState) -> tuple[float, float, float]:
        """See `Steps.landing`."""
        return gait_state.standing_z + self.route.rise_m(), 0.0, 0.0

    def under(self, gait_state: GaitState) -> Plane:
        """See `Steps.under`; the plane follows a line from foot to foot, which rises evenly over stairs.

        On the way down the line is a parabola that starts level: the ankle of the upper foot limits a step
        down, and it bends less if the leg stays long.
        """
        if gait_state.phase not in (SWING, DOUBLE_SUPPORT):
            x, y, _ = gait_state.middle
            return x, y, gait_state.middle_z, 0.0, 0.0
        swinging, foot = gait_state.phase == SWING, gait_state.standing
        z = gait_state.standing_z if swinging else float(gait_state.soles_z[gait_state.stance])
        x, y, _ = self._p_WC.tolist()
        c, s = math.cos(foot[2]), math.sin(foot[2])
        ahead = c * (x - foot[0]) + s * (y - foot[1])
        if ahead > 0.0:
            other, rise = self.route.foothold(), self.route.rise_m()
        else:
            other = gait_state.leaving
            rise = (gait_state.leaving_z if swinging else float(gait_state.soles_z[gait_state.swing])) - z
        way = c * (other[0] - foot[0]) + s * (other[1] - foot[1])
        apart = way * ahead > 0.0 and abs(way) >= _LEAST_WAY_M
        if not apart or abs(ahead) > abs(way):
            return x, y, z + (rise if apart else 0.0), 0.0, 0.0
        part = ahead / way
        if rise * way > 0.0:
            steepness = rise / way
        elif way > 0.0:
            steepness, rise = 2.0 * part * rise / way, part * rise
        else:
            steepness, rise = 2.0 * (1.0 - part) * rise / way, (2.0 - part) * rise
        return x, y, z + part * rise, c * steepness, s * steepness
