"""How slippery the ground is, from soles that slide: the friction that is counted on shrinks, and returns.

A sole that carries the robot and yet moves has spent what friction there is. As it cannot be known before,
the robot counts on that of its robot.yaml until then; afterwards on less, and takes shorter steps.
"""

from __future__ import annotations

import math

from kilohertz.controller.walking.velocity_reference import VelocityReference
from kilohertz.controller.whole_body.whole_body import WholeBody

_SLIDES_M_S = 0.09
"""A sole that stands moves slower than this, noise and the give of the ground included."""
_SHRINK_PER_S = 12.0
_RETURN_PER_S = 0.15
_LEAST = 0.15
_SPEED_M_S = 2.7
"""Fastest walk per friction coefficient, for a centre of mass that walks 0.6 m high."""
_NOTEWORTHY = 0.02
"""What is counted on changes in steps of this size."""


class FrictionEstimate:
    """Part of the friction in robot.yaml that the ground is believed to have.

    Args:
        friction: coefficient of the soles in robot.yaml.
        speed: of a robot of this size over that of one whose centre of mass walks 0.6 m high.

    Attributes:
        part: in (0, 1].
    """

    def __init__(self, friction: float, speed: float) -> None:
        self._fastest_m_s = _SPEED_M_S * friction * speed
        self._slides_m_s = _SLIDES_M_S * speed
        self.part = self._counted_on = 1.0

    def forget(self) -> None:
        """Another floor."""
        self.part = 1.0

    def feel(self, slide_m_s: float, dt_s: float) -> None:
        """Takes how fast a sole that carries the robot moves along the ground."""
        if slide_m_s > self._slides_m_s:
            self.part = max(self.part * (1.0 - _SHRINK_PER_S * dt_s), _LEAST)
        else:
            self.part = min(self.part + _RETURN_PER_S * dt_s, 1.0)

    @property
    def fastest_m_s(self) -> float:
        """Fastest walk that this friction carries."""
        return self._fastest_m_s * self.part

    def count_on(self, body: WholeBody, velocity_reference: VelocityReference) -> None:
        """Lets contact forces and course count on this friction."""
        velocity_reference.fastest_m_s = self.fastest_m_s if self.part < 1.0 else math.inf
        if abs(self.part - self._counted_on) > _NOTEWORTHY or (self.part == 1.0 != self._counted_on):
            body.set_friction(self.part)
            self._counted_on = self.part
