"""Estimation of the ground friction from soles that slide.

The friction coefficient cannot be known before a sole slides, so the estimate starts at the value in
robot.yaml. While a sole that carries the robot slides, the available friction is used up and the estimate
decreases; afterwards it increases slowly. With a smaller estimate the robot walks with shorter steps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import exact_kernel
from kilohertz.robots.model.kin import Floats

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

FELT, PART, FASTEST_M_S, SLIDES_M_S = range(4)
"""Indices of `FrictionArrays.state`: the attributes `felt` and `part`, the fastest walk on the friction of
robot.yaml, and the speed above which a stance sole counts as sliding [m/s]."""


class FrictionArrays(NamedTuple):
    """The friction estimate, for compiled code."""

    state: Floats
    """(4,) estimate and its parameters, indexed by FELT to SLIDES_M_S."""


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
        arrays: the estimate, for compiled code.
        feel: kernel that updates the estimate with one tick; see `feel_friction`.
    """

    def __init__(self, friction: float, speed: float) -> None:
        self._state = np.array([1.0, 1.0, _SPEED_M_S * friction * speed, _SLIDES_M_S * speed])
        self.arrays = FrictionArrays(self._state)
        self.feel = bind(
            "friction_estimate_kernel",
            [feel_friction],
            call={"slide_m_s": "f8", "dt_s": "f8"},
            structs={"friction": self.arrays},
        )

    @property
    def felt(self) -> float:
        """Estimated friction as a fraction of that in robot.yaml, in (0, 1]."""
        return float(self._state[FELT])

    @property
    def part(self) -> float:
        """`felt`, updated only when it differs by more than 0.02 or is 1 again."""
        return float(self._state[PART])

    def forget(self) -> None:
        """Resets the estimate to the friction in robot.yaml (for example on another floor)."""
        self._state[[FELT, PART]] = 1.0

    @property
    def fastest_m_s(self) -> float:
        """Fastest walk that the estimated friction allows [m/s]."""
        return float(self._state[FASTEST_M_S]) * self.felt


@exact_kernel
def feel_friction(slide_m_s: float, dt_s: float, friction: FrictionArrays) -> None:
    """Updates the estimate with one tick.

    Args:
        slide_m_s: speed along the ground of a sole that carries the robot [m/s].
        dt_s: period [s].
        friction: the estimate; it is updated.
    """
    state = friction.state
    if slide_m_s > state[SLIDES_M_S]:
        state[FELT] = max(state[FELT] * (1.0 - _SHRINK_PER_S * dt_s), _LEAST)
    else:
        state[FELT] = min(state[FELT] + _RETURN_PER_S * dt_s, 1.0)
    returned = state[FELT] == 1.0 and state[PART] != 1.0
    if abs(state[FELT] - state[PART]) > _NOTEWORTHY or returned:
        state[PART] = state[FELT]
