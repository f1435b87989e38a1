"""Given footsteps: where each foot goes, one after the other, in the order in which they are taken.

They are given from the middle of the soles as the robot stands when it begins, so that what can be walked
can be told before. Each step lands as much above the foot that it leaves as the footsteps say: the height
of the stance foot is felt, whatever the estimator has lost of the height over the run.
"""

from __future__ import annotations

import math

from kilohertz.controller.walking.footsteps import Foothold
from kilohertz.robots.model.rows import Vector

MOST_FOOTSTEPS = 40
CONTACT, STEP_X, STEP_Y, STEP_Z, STEP_YAW, FOOTSTEP_SIZE = range(6)
"""Contact (index), x, y, z [m] and yaw [rad] of a footstep, and how many numbers that are."""


class Route:
    """Footsteps in the world, with the two feet that they start from before them.

    Attributes:
        index: of the step that is next, or under way.
        first: contact that moves first.
    """

    def __init__(self) -> None:
        self._feet: list[Foothold] = [(0.0, 0.0, 0.0)] * (MOST_FOOTSTEPS + 2)
        self._heights_m = [0.0] * (MOST_FOOTSTEPS + 2)
        self._count = 0
        self.index = 0
        self.first = 0

    def begin(self, footsteps: Vector, middle: Foothold, feet: list[Foothold]) -> None:
        """Takes a list of footsteps.

        Args:
            footsteps: (n, 5) rows of FOOTSTEP_SIZE numbers, from the middle of the soles; feet alternate.
            middle: of the soles.
            feet: where the two feet stand.
        """
        self._count, self.index, self.first = len(footsteps), 0, int(footsteps[0, CONTACT])
        # The start counts as level: the footsteps' heights are from the middle of the soles.
        self._feet[0], self._feet[1] = feet[self.first], feet[1 - self.first]
        self._heights_m[0] = self._heights_m[1] = 0.0
        x0, y0, yaw0 = middle
        c, s = math.cos(yaw0), math.sin(yaw0)
        for i, (_, x, y, z, yaw) in enumerate(footsteps.tolist()):
            self._feet[i + 2] = (x0 + c * x - s * y, y0 + s * x + c * y, yaw0 + yaw)
            self._heights_m[i + 2] = z

    @property
    def last(self) -> bool:
        """Whether the next step is the last one that is given, or one on the spot after it."""
        return self.index >= self._count - 1

    def foothold(self, ahead: int = 0) -> Foothold:
        """Of the next step, or of one after it; beyond the last the feet stay where they are."""
        return self._feet[self._place(self.index + ahead)]

    def rise_m(self) -> float:
        """What the next step lands above its stance foot."""
        return self._heights_m[self._place(self.index)] - self._heights_m[self._place(self.index - 1)]

    def _place(self, step: int) -> int:
        beyond = step - self._count
        return step + 2 if beyond < 0 else self._count + beyond % 2

    def lay_out(self, stance: Foothold, feet: list[Foothold]) -> int:
        """Writes the stance foot and the coming footholds into a list, as many as fit and as there are.

        Returns:
            How many were written, at least two.
        """
        feet[0] = stance
        count = min(max(self._count - self.index, 1), len(feet) - 1)
        for i in range(count):
            feet[i + 1] = self.foothold(i)
        return count + 1
