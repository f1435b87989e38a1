"""Reference motion of two hands that hold one thing: the thing moves, and the hands keep their poses on it.

O is the frame of the thing: midway between the hands, and with the axes of the world when the motion begins.
With the pose of a hand in O kept, its velocity and its acceleration are those of a point of a rigid body,

    v_WH = v_WO + w x r,   a_WH = a_WO + wdot x r + w x (w x r),   r = R_WO p_OH.
"""

from __future__ import annotations

import numpy as np

from kilohertz.controller.upper_body.hand_motion import HandMotion
from kilohertz.controller.upper_body.hands import Hands
from kilohertz.robots.model.rows import Vector

HANDS = 2
"""Number of hands that move together."""


class PairMotion:
    """Leads both hands of an arm robot, so that they keep their relative pose.

    Args:
        hands: references of the hands.

    Attributes:
        thing: motion of the frame O in the world.
        holds: whether the hands are led; before, they come to rest, and they may be led by others later.
    """

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self.thing = HandMotion(hands.motion(0).speed_m_s)
        self.holds = self._waits = False
        self._motions: list[HandMotion] = []
        self._R_OH, self._p_OH = np.zeros((HANDS, 3, 3)), np.zeros((HANDS, 3))
        self._written = np.zeros((HANDS, len(self.thing.row)))
        self._target: tuple[Vector | None, Vector | None, float] = (None, None, 0.0)

    def start(
        self, p: Vector | None, R: Vector | None, radius_m: float, omega_rad_s: float, axes: tuple[int, int]
    ) -> None:
        """Begins a motion; hands that this motion leads already keep their poses on the thing.

        Args:
            p: (3,) target of the middle between the hands in the world [m]; None keeps the present one.
            R: (3, 3) target orientation relative to that at the beginning; None keeps the present one.
            radius_m: radius of circles around the target [m]; 0 for none.
            omega_rad_s: angular frequency of the circles [rad/s].
            axes: indices of the two axes of the world that span the plane of the circles.
        """
        self._target = (p, R, radius_m)
        self._omega, self._axes = omega_rad_s, axes
        if self.holds and self._leads():
            for motion in self._motions:
                motion.follow_row()
            self._move()
            return
        self._waits, self.holds = True, False
        self._motions = [self._hands.lead(i) for i in range(HANDS)]
        for motion in self._motions:
            motion.move(None, None)

    def _leads(self) -> bool:
        """Returns whether the references of the hands are still those that were written last."""
        rows = [motion.row for motion in self._motions]
        return bool(self._hands.active.all()) and all(map(np.array_equal, rows, self._written))

    def _move(self) -> None:
        thing, (p, R, radius_m) = self.thing, self._target
        thing.draws_in(self._omega, self._axes)
        thing.move(p, R, radius_m)

    def _take(self) -> None:
        """Takes the present references of the hands as their poses on the thing."""
        middle = 0.5 * (self._motions[0].p + self._motions[1].p)
        self.thing.speed_m_s = self._motions[0].speed_m_s
        self.thing.place(np.eye(3), middle)
        for i, motion in enumerate(self._motions):
            self._R_OH[i], self._p_OH[i] = motion.R, motion.p - middle
            motion.follow_row()
            self._written[i] = motion.row
        self._waits, self.holds = False, True
        self._move()

    @property
    def at_rest(self) -> bool:
        """Whether the hands are led, and have reached their target."""
        return self.holds and self.thing.at_rest

    def advance(self, dt_s: float) -> None:
        """Writes the references of the hands for this tick.

        Args:
            dt_s: time since the last tick [s].
        """
        if self._waits:
            if not all(motion.at_rest for motion in self._motions):
                return
            self._take()
        elif not self.holds or not self._leads():
            # Streams lead the hands now, or they were put down.
            self.holds = False
            return
        thing = self.thing
        thing.advance(dt_s)
        w = thing.w
        for i, motion in enumerate(self._motions):
            r = thing.R @ self._p_OH[i]
            motion.R[:] = thing.R @ self._R_OH[i]
            motion.p[:] = thing.p + r
            motion.w[:], motion.wdot[:] = w, thing.wdot
            turning = np.cross(w, r)
            motion.v[:] = thing.v + turning
            motion.a[:] = thing.a + np.cross(thing.wdot, r) + np.cross(w, turning)
            self._written[i] = motion.row
