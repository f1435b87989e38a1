"""State of the gait: phase, positions of the feet, and their positions when the phase began."""

from __future__ import annotations

from kilohertz.controller.walking.footsteps import Foothold

READY, DOUBLE_SUPPORT, SWING, SETTLE = range(4)
SETTLE_S = 0.8
"""Shortest duration of the phase SETTLE, in which a robot that has stopped comes to rest [s]."""


class GaitState:
    """Phase of the gait and positions of the feet.

    Args:
        left: index of the left foot's contact.

    Attributes:
        phase: READY, DOUBLE_SUPPORT, SWING or SETTLE.
        t_s: time since the phase began [s].
        feet, soles_z: estimated footholds of both feet, and their heights in the world [m].
        stance: index of the contact that carries the robot, or that will after the load transfer.
        side: 1 if the stance foot is the left one, -1 if it is the right one.
        standing, leaving: footholds of the stance foot and of the other foot when the phase began.
        standing_z, leaving_z: their heights when the phase began [m]; see also `sink`.
    """

    def __init__(self, left: int) -> None:
        self._left = left
        self.feet: list[Foothold] = [(0.0, 0.0, 0.0), (0.0, 0.0, 0.0)]
        self.soles_z = [0.0, 0.0]
        self.begin(READY, left)

    def begin(self, phase: int, stance: int) -> None:
        """Starts a phase.

        Args:
            phase: READY, DOUBLE_SUPPORT, SWING or SETTLE.
            stance: index of the contact that carries the robot in it, or that will after the load transfer.
        """
        self.phase, self.t_s = phase, 0.0
        self.stance, self.side = stance, 1.0 if stance == self._left else -1.0
        self.standing, self.leaving = self.feet[stance], self.feet[1 - stance]
        self.standing_z, self.leaving_z = self.soles_z[stance], self.soles_z[1 - stance]

    def sink(self) -> None:
        """Lowers `standing_z` to the present height of the stance sole, if that is lower."""
        self.standing_z = min(self.standing_z, self.soles_z[self.stance])

    @property
    def swing(self) -> int:
        """Index of the contact that is not the stance foot."""
        return 1 - self.stance

    @property
    def middle(self) -> Foothold:
        """Mean of the two footholds."""
        a, b = self.feet
        return 0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1]), 0.5 * (a[2] + b[2])

    @property
    def middle_z(self) -> float:
        """Mean height of the two soles in the world [m]."""
        return 0.5 * (self.soles_z[0] + self.soles_z[1])
