"""The last in the chain: whatever the controller decided, only this reaches the drives."""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np

from kilohertz.controller.gains.schema import GuardGains
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats, Ints
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

FIRST, CLIPPED, REFUSED = range(3)
"""What the guard counts."""
_CLIP_NM = 1e-3
"""A change of torque that is more than rounding."""
_LARGEST = sys.float_info.max
"""NaN and infinity do not compare with it."""
_BEYOND_RAD = 0.01
"""A joint this far beyond its limit takes torque inwards only."""


class GuardArrays(NamedTuple):
    """What the guard holds torques against, per joint, and what it remembers."""

    limit_Nm: Floats
    """(na,) symmetric torque limit."""
    step_Nm: Floats
    """(na,) largest change of torque from tick to tick."""
    low_rad: Floats
    high_rad: Floats
    """(na,) position below or above which a joint takes torque inwards only."""
    last_Nm: Floats
    """(na,) torque of the last tick."""
    counts: Ints
    """(3,) FIRST, CLIPPED, REFUSED."""


class Guard:
    """Clips torque and its rate, and pushes no joint further out of its range; in place, no allocation.

    Args:
        robot: the robot.
        gains: limits of the guard.
        dt_s: period [s].
    """

    def __init__(self, robot: RobotModel, gains: GuardGains, dt_s: float) -> None:
        self._counts = np.zeros(3, np.int64)
        self._last = np.zeros(robot.na)
        self._apply = bind(
            "guard_kernel",
            [guard_torque],
            call={"tau": "f8[::1]", "q": "f8[::1]"},
            structs={
                "guard": GuardArrays(
                    limit_Nm=robot.torque_limit_Nm.copy(),
                    step_Nm=robot.torque_limit_Nm * min(gains.torque_rate_per_s * dt_s, 2.0),
                    low_rad=robot.position_lower_rad - _BEYOND_RAD,
                    high_rad=robot.position_upper_rad + _BEYOND_RAD,
                    last_Nm=self._last,
                    counts=self._counts,
                )
            },
            returns="b1",
        )
        self.reset()

    @property
    def clipped(self) -> int:
        """Ticks in which any torque was changed by more than rounding."""
        return int(self._counts[CLIPPED])

    @property
    def refused(self) -> int:
        """Ticks in which a torque was not finite."""
        return int(self._counts[REFUSED])

    def reset(self) -> None:
        """Lets the next torque start anywhere inside the limits: the rate is counted from there."""
        self._counts[FIRST] = 1
        self._last[:] = 0.0

    def apply(self, tau: Vector, q: Vector) -> bool:
        """Makes tau safe, in place.

        Args:
            tau: (na,) torque that was decided [Nm].
            q: (na,) joint positions [rad].

        Returns:
            False where tau was not finite; it is then last tick's torque.
        """
        return bool(self._apply(tau, q))


@kernel
def guard_torque(tau: Floats, q: Floats, guard: GuardArrays) -> bool:
    """Compiled `Guard.apply`: 0.6 us; as NumPy calls on whole vectors it took 7 us."""
    last, counts = guard.last_Nm, guard.counts
    finite = True
    for j in range(len(tau)):
        # A comparison: with reassociation isfinite(x), which is x - x == 0, is folded to true.
        finite = finite and abs(tau[j]) <= _LARGEST
    if not finite:
        counts[REFUSED] += 1
        for j in range(len(tau)):
            tau[j] = last[j]
    clipped = False
    for j in range(len(tau)):
        safe = min(max(tau[j], -guard.limit_Nm[j]), guard.limit_Nm[j])
        if q[j] > guard.high_rad[j]:
            safe = min(safe, 0.0)
        if q[j] < guard.low_rad[j]:
            safe = max(safe, 0.0)
        if counts[FIRST] == 0:  # last: a wrong reading of a position may not make the torque jump either
            safe = min(max(safe, last[j] - guard.step_Nm[j]), last[j] + guard.step_Nm[j])
        clipped = clipped or abs(tau[j] - safe) > _CLIP_NM
        tau[j] = last[j] = safe
    counts[FIRST] = 0
    if clipped:
        counts[CLIPPED] += 1
    return finite
