"""The step under way: its phase, where the feet are, and where they were as that phase began."""

from __future__ import annotations

from kilohertz.controller.walking.footsteps import Foothold

READY, DOUBLE_SUPPORT, SWING, SETTLE = range(4)
SETTLE_S = 0.8
"""It takes a robot that has stopped this long to come to rest."""


class GaitState:
    """Phase and feet.

    Args:
        left: contact of the left foot.

    Attributes:
        phase: READY, DOUBLE_SUPPORT, SWING or SETTLE.
        t_s: since it began.
        feet, soles_z: both feet as seen, and their height [m].
        stance: contact that carries the robot, or will after the transfer.
        side: 1 where that is the left one.
        standing, leaving: it and the other one, as the phase began.
        standing_z, leaving_z: their height then [m].
    """

    def __init__(self, left: int) -> None:
        self._left = left
        self.feet: list[Foothold] = [(0.0, 0.0, 0.0), (0.0, 0.0, 0.0)]
        self.soles_z = [0.0, 0.0]
        self.begin(READY, left)

    def begin(self, phase: int, stance: int) -> None:
        """Begins a phase on, or towards, this foot."""
        self.phase, self.t_s = phase, 0.0
        self.stance, self.side = stance, 1.0 if stance == self._left else -1.0
        self.standing, self.leaving = self.feet[stance], self.feet[1 - stance]
        self.standing_z, self.leaving_z = self.soles_z[stance], self.soles_z[1 - stance]

    @property
    def swing(self) -> int:
        """The other contact."""
        return 1 - self.stance

    @property
    def middle(self) -> Foothold:
        """Of the feet."""
        a, b = self.feet
        return 0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1]), 0.5 * (a[2] + b[2])

    @property
    def middle_z(self) -> float:
        """Height in the middle of the feet [m]."""
        return 0.5 * (self.soles_z[0] + self.soles_z[1])
