"""Reference of the centre of mass and the trunk, relative to their nominal position over the soles.

A behaviour writes it as a function of time. When the behaviour changes, the difference in position, velocity
and acceleration from the previous one fades out over a second, so the reference is continuous across
requests.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from kilohertz.controller.motion.profile import Blend
from kilohertz.robots.model.rows import Vector

_SWITCH_S = 1.0
"""Duration of the transition from one behaviour to the next [s]."""


class PostureMotion(Protocol):
    """Interface of a behaviour that writes the posture reference."""

    def advance(self, t_s: float, reference: PostureReference, /) -> None:
        """Adds the behaviour's offset and sets its lean, t_s after its start [s]."""
        ...


class PostureOffset(Protocol):
    """Offset that is added to the one of a behaviour, which its owner moves without jumps.

    Attributes:
        p, v, a: (3,) offset of the centre of mass in heading axes [m] and its derivatives.
        lean: (3,) pitch of the trunk [rad] and its derivatives.
        busy: whether it differs from zero.
    """

    p: Vector
    v: Vector
    a: Vector
    lean: Vector
    busy: bool


def _parts(extra: PostureOffset) -> tuple[Vector, Vector, Vector, Vector]:
    return extra.p, extra.v, extra.a, extra.lean


class PostureReference:
    """Offset of the centre of mass and lean of the trunk, continuous across requests.

    Attributes:
        p, v, a: (3,) offset of the centre of mass [m] and its time derivatives [m/s], [m/s^2], in the heading
            frame of the soles.
        offset: (3, 3) the same three vectors, as rows.
        lean: (3,) pitch of the trunk, positive forward [rad], its rate [rad/s] and its acceleration
            [rad/s^2].
        motion: behaviour that writes the reference, or None for the nominal posture.
        leans: True while the trunk leans or returns to upright.
        extra: offset that is added to that of the behaviour; None for none.
    """

    def __init__(self) -> None:
        self.offset = np.zeros((3, 3))
        self.p, self.v, self.a = self.offset
        self.lean = np.zeros(3)
        self.leans = False
        self._blend, self._lean_blend = Blend(_SWITCH_S), Blend(_SWITCH_S, size=1)
        self._lean = self.lean[:1], self.lean[1:2], self.lean[2:]
        self.motion: PostureMotion | None = None
        self.extra: PostureOffset | None = None
        self._t = 0.0

    @property
    def settled(self) -> bool:
        """True once the transition from the previous behaviour is over."""
        return self._t > _SWITCH_S

    def lean_forward(self, angle_rad: float, rate_rad_s: float, accel_rad_s2: float) -> None:
        """Sets the pitch of the trunk and its derivatives; behaviours call this in their `advance`."""
        self.leans = True
        self.lean[0], self.lean[1], self.lean[2] = angle_rad, rate_rad_s, accel_rad_s2

    def start_from(self, p: Vector) -> None:
        """Starts at rest at the (3,) offset p [m] and moves from there to the reference."""
        self.p[:], self.v[:], self.a[:] = p, 0.0, 0.0
        self._t = 0.0
        extra = self.extra
        if extra is None or not extra.busy:
            self._blend.start(self.p.copy(), self.v, self.a)
        else:
            self._blend.start(self.p - extra.p, self.v - extra.v, self.a - extra.a)

    def reset(self) -> None:
        """Removes any motion, and sets the trunk upright without a transition."""
        self.motion, self.leans = None, False
        self.lean[:] = 0.0
        self._lean_blend.start(*self._lean)

    def switch(self, motion: PostureMotion | None) -> None:
        """Starts the transition to another motion; None for the nominal posture."""
        before = self.p.copy(), self.v.copy(), self.a.copy()
        lean = self.lean.copy()
        if self.extra is not None and self.extra.busy:
            for part, more in zip((*before, lean), _parts(self.extra), strict=True):
                part -= more
        self.motion, self._t = motion, 0.0
        self._evaluate()
        self._blend.start(before[0] - self.p, before[1] - self.v, before[2] - self.a)
        if self.leans:
            lean -= self.lean
            self._lean_blend.start(lean[:1], lean[1:2], lean[2:])

    def advance(self, dt_s: float) -> None:
        """Advances the reference by one tick of dt_s [s]."""
        self._t += dt_s
        self._evaluate()
        if self._t < _SWITCH_S:
            self._blend.add(self.p, self.v, self.a, dt_s)
        if self.leans:
            self._lean_blend.add(*self._lean, dt_s)
            self.leans = not self.settled or bool(self.lean.any())
        if self.extra is not None and self.extra.busy:
            self._add(self.extra)

    def _add(self, extra: PostureOffset) -> None:
        self.p += extra.p
        self.v += extra.v
        self.a += extra.a
        if self.leans:
            self.lean += extra.lean
        elif extra.lean.any():
            self.leans = True
            self.lean[:] = extra.lean

    def _evaluate(self) -> None:
        self.offset[:] = 0.0
        if self.leans:
            self.lean[:] = 0.0
        if self.motion is not None:
            self.motion.advance(self._t, self)
