"""Given footsteps: the foothold of each step, in the order in which the steps are taken.

The footsteps are given relative to the middle of the soles at the start, so that they can be checked before
the robot walks. The height of each foothold is taken relative to the stance foot, whose height is measured.
Drift of the estimated height over the run therefore has no effect.
"""

from __future__ import annotations

import math

from kilohertz.controller.walking.footsteps import Foothold
from kilohertz.robots.model.rows import Vector

STEPS_SHOWN = 4
"""Number of coming footsteps that are shown to people."""
MOST_FOOTSTEPS = 40
"""Largest number of footsteps in a route."""
CONTACT, STEP_X, STEP_Y, STEP_Z, STEP_YAW, FOOTSTEP_SIZE = range(6)
"""Indices of a footstep: contact (index), x, y, z [m] and yaw [rad]. FOOTSTEP_SIZE is its size."""


class Route:
    """Footsteps in the world, preceded by the two initial footholds.

    Attributes:
        index: number of the next step or the step under way, from 0.
        first: index of the contact that moves first.
    """

    def __init__(self) -> None:
        self._feet: list[Foothold] = [(0.0, 0.0, 0.0)] * (MOST_FOOTSTEPS + 2)
        self._heights_m = [0.0] * (MOST_FOOTSTEPS + 2)
        self._count = 0
        self.index = 0
        self.first = 0

    def begin(self, footsteps: Vector, middle: Foothold, feet: list[Foothold]) -> None:
        """Starts a route on these footsteps.

        Args:
            footsteps: (n, 5) one footstep per row, relative to the middle of the soles; the feet alternate.
            middle: mean foothold of the two feet in the world.
            feet: present footholds of the two feet in the world.
        """
        self._count, self.index, self.first = len(footsteps), 0, int(footsteps[0, CONTACT])
        # The ground at the start is taken as level: footstep heights are relative to the middle of the soles.
        self._feet[0], self._feet[1] = feet[self.first], feet[1 - self.first]
        self._heights_m[0] = self._heights_m[1] = 0.0
        x0, y0, yaw0 = middle
        c, s = math.cos(yaw0), math.sin(yaw0)
        for i, (_, x, y, z, yaw) in enumerate(footsteps.tolist()):
            self._feet[i + 2] = (x0 + c * x - s * y, y0 + s * x + c * y, yaw0 + yaw)
            self._heights_m[i + 2] = z

    @property
    def last(self) -> bool:
        """True if the next step is the last of the route, or a step in place after it."""
        return self.index >= self._count - 1

    def foothold(self, ahead: int = 0) -> Foothold:
        """Returns a coming foothold; after the end of the route, the steps are in place.

        Args:
            ahead: number of steps after the next one.
        """
        return self._feet[self._place(self.index + ahead)]

    def rise_m(self, ahead: int = 0) -> float:
        """Returns the height of a coming foothold over the present stance foot [m].

        Args:
            ahead: number of steps after the next one.
        """
        return self._heights_m[self._place(self.index + ahead)] - self._heights_m[self._place(self.index - 1)]

    @property
    def steps_left(self) -> int:
        """Number of steps of the route that are not done yet, with the one under way."""
        return max(self._count - self.index, 0)

    def _place(self, step: int) -> int:
        beyond = step - self._count
        return step + 2 if beyond < 0 else self._count + beyond % 2

    def lay_out(self, stance: Foothold, feet: list[Foothold]) -> int:
        """Writes the stance foot and the coming footholds, up to the end of the list or of the route.

        Args:
            stance: foothold of the stance foot.
            feet: list that is written, from its start.

        Returns:
            Number of footholds written, at least two.
        """
        feet[0] = stance
        count = min(max(self._count - self.index, 1), len(feet) - 1)
        for i in range(count):
            feet[i + 1] = self.foothold(i)
        return count + 1
