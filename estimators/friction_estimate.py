"""How slippery the ground is, from soles that slide: the friction that is counted on shrinks, and returns.

A sole that carries the robot and yet moves has spent what friction there is. As it cannot be known before,
the robot counts on that of its robot.yaml until then; afterwards on less, and takes shorter steps.
"""

from __future__ import annotations

_SLIDES_M_S = 0.09
"""A sole that stands moves slower than this, noise and the give of the ground included."""
_SHRINK_PER_S = 12.0
_RETURN_PER_S = 0.15
_LEAST = 0.15
_SPEED_M_S = 2.7
"""Fastest walk per friction coefficient, for a centre of mass that walks 0.6 m high."""
_NOTEWORTHY = 0.02
"""`FrictionEstimate.part` changes in steps of this size."""


class FrictionEstimate:
    """Friction of the ground, as a part of that in robot.yaml.

    Args:
        friction: coefficient of the soles in robot.yaml.
        speed: of a robot of this size over that of one whose centre of mass walks 0.6 m high.

    Attributes:
        felt: part of that friction that the ground is believed to have, in (0, 1].
        part: the same in steps, for those to whom every change is expensive.
    """

    def __init__(self, friction: float, speed: float) -> None:
        self._fastest_m_s = _SPEED_M_S * friction * speed
        self._slides_m_s = _SLIDES_M_S * speed
        self.felt = self.part = 1.0

    def forget(self) -> None:
        """Resets the estimate (another floor)."""
        self.felt = self.part = 1.0

    def feel(self, slide_m_s: float, dt_s: float) -> None:
        """Takes how fast a sole that carries the robot moves along the ground."""
        if slide_m_s > self._slides_m_s:
            self.felt = max(self.felt * (1.0 - _SHRINK_PER_S * dt_s), _LEAST)
        else:
            self.felt = min(self.felt + _RETURN_PER_S * dt_s, 1.0)
        if abs(self.felt - self.part) > _NOTEWORTHY or (self.felt == 1.0 != self.part):
            self.part = self.felt

    @property
    def fastest_m_s(self) -> float:
        """Fastest walk that this friction carries."""
        return self._fastest_m_s * self.felt
