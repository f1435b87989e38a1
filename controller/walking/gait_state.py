"""State of the gait: phase, positions of the feet, and their positions when the phase began."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.controller.walking.footsteps import Foothold
from kilohertz.robots.model.kin import Floats, Ints

READY, DOUBLE_SUPPORT, SWING, SETTLE = range(4)
SETTLE_S = 0.8
"""Shortest duration of the phase SETTLE, in which a robot that has stopped comes to rest [s]."""

PHASE, STANCE = range(2)
"""Indices of `GaitArrays.phase`."""
T_S, SIDE, STANDING_X, STANDING_Y, STANDING_YAW, STANDING_Z, SLOPE_X, SLOPE_Y, LAST = range(9)
"""Indices of `GaitArrays.now`: the attributes of `GaitState`; and of the step under way: slope of the ground
where it lands, and whether it is the last one (1) or not (0)."""


class GaitArrays(NamedTuple):
    """State of the gait, for compiled code."""

    phase: Ints
    """(2,) phase and stance foot, indexed by PHASE and STANCE."""
    now: Floats
    """(9,) time, stance foothold and step under way, indexed by T_S to LAST."""


class GaitState:
    """Phase of the gait and positions of the feet.

    Args:
        left: index of the left foot's contact.
        feet: persistent (2, 3) estimated footholds of both feet, updated each tick; None for its own.
        soles_z: persistent (2,) heights of the feet in the world, updated each tick [m]; None for its own.

    Attributes:
        phase: READY, DOUBLE_SUPPORT, SWING or SETTLE.
        feet, soles_z: as in the arguments.
        stance: index of the contact that carries the robot, or that will after the load transfer.
        swing: index of the contact that is not the stance foot.
        side: 1 if the stance foot is the left one, -1 if it is the right one.
        standing, leaving: footholds of the stance foot and of the other foot when the phase began.
        leaving_z: height of the other foot when the phase began [m].
        arrays: the state that compiled code reads.
    """

    def __init__(self, left: int, feet: Floats | None = None, soles_z: Floats | None = None) -> None:
        self._left = left
        self.feet = np.zeros((2, 3)) if feet is None else feet
        self.soles_z = np.zeros(2) if soles_z is None else soles_z
        self.arrays = GaitArrays(np.zeros(2, np.int64), np.zeros(LAST + 1))
        self.begin(READY, left)

    def begin(self, phase: int, stance: int) -> None:
        """Starts a phase.

        Args:
            phase: READY, DOUBLE_SUPPORT, SWING or SETTLE.
            stance: index of the contact that carries the robot in it, or that will after the load transfer.
        """
        self.phase, self.stance, self.swing = phase, stance, 1 - stance
        self.side = 1.0 if stance == self._left else -1.0
        self.standing, self.leaving = self.foot(stance), self.foot(1 - stance)
        self.leaving_z = float(self.soles_z[1 - stance])
        self.arrays.phase[:] = phase, stance
        self.arrays.now[: STANDING_Z + 1] = 0.0, self.side, *self.standing, self.soles_z[stance]

    @property
    def t_s(self) -> float:
        """Time since the phase began [s]."""
        return float(self.arrays.now[T_S])

    @t_s.setter
    def t_s(self, t_s: float) -> None:
        self.arrays.now[T_S] = t_s

    @property
    def standing_z(self) -> float:
        """Height of the stance foot when the phase began, or later if it has sunk to the ground since [m]."""
        return float(self.arrays.now[STANDING_Z])

    def foot(self, foot: int) -> Foothold:
        """Returns the estimated foothold of a foot."""
        x, y, yaw = self.feet[foot].tolist()
        return x, y, yaw

    @property
    def middle(self) -> Foothold:
        """Mean of the two footholds."""
        a, b = self.feet.tolist()
        return 0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1]), 0.5 * (a[2] + b[2])

    @property
    def middle_z(self) -> float:
        """Mean height of the two soles in the world [m]."""
        a, b = self.soles_z.tolist()
        return 0.5 * (float(a) + float(b))
