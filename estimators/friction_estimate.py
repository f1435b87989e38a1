"""Estimation of the ground friction from soles that slide.

The friction coefficient cannot be known before a sole slides, so the estimate starts at the value in
robot.yaml. While a sole that carries the robot slides, the available friction is used up and the estimate
decreases; afterwards it increases slowly. With a smaller estimate the robot walks with shorter steps.
"""

from __future__ import annotations

_SLIDES_M_S = 0.09
"""Speed above which a stance sole counts as sliding [m/s]; noise and yielding ground stay below it."""
_SHRINK_PER_S = 12.0
"""Relative rate at which the estimate decreases while a sole slides [1/s]."""
_RETURN_PER_S = 0.15
"""Rate at which the estimate increases while no sole slides [1/s]."""
_LEAST = 0.15
"""Lower bound of the estimate, as a fraction of the friction in robot.yaml."""
_SPEED_M_S = 2.7
"""Fastest walk per unit of friction coefficient [m/s], for a centre of mass that is 0.6 m high in walking."""
_NOTEWORTHY = 0.02
"""Smallest change of `FrictionEstimate.felt` that updates `FrictionEstimate.part`."""


class FrictionEstimate:
    """Estimates the friction of the ground as a fraction of the friction in robot.yaml.

    Args:
        friction: friction coefficient of the soles in robot.yaml.
        speed: walking speed of a robot of this size relative to that of a robot whose centre of mass is 0.6 m
            high in walking.

    Attributes:
        felt: estimated friction as a fraction of that in robot.yaml, in (0, 1].
        part: `felt`, but updated only when it differs by more than 0.02 or is 1 again; for code in which
            every change is expensive.
    """

    def __init__(self, friction: float, speed: float) -> None:
        self._fastest_m_s = _SPEED_M_S * friction * speed
        self._slides_m_s = _SLIDES_M_S * speed
        self.felt = self.part = 1.0

    def forget(self) -> None:
        """Resets the estimate to the friction in robot.yaml (for example on another floor)."""
        self.felt = self.part = 1.0

    def feel(self, slide_m_s: float, dt_s: float) -> None:
        """Updates the estimate with one tick.

        Args:
            slide_m_s: speed along the ground of a sole that carries the robot [m/s].
            dt_s: period [s].
        """
        if slide_m_s > self._slides_m_s:
            self.felt = max(self.felt * (1.0 - _SHRINK_PER_S * dt_s), _LEAST)
        else:
            self.felt = min(self.felt + _RETURN_PER_S * dt_s, 1.0)
        if abs(self.felt - self.part) > _NOTEWORTHY or (self.felt == 1.0 != self.part):
            self.part = self.felt

    @property
    def fastest_m_s(self) -> float:
        """Fastest walk that the estimated friction allows [m/s]."""
        return self._fastest_m_s * self.felt
