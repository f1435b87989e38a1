"""The last in the chain: whatever the controller decided, only this reaches the drives."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from kilohertz.controller.gains.schema import GuardGains
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
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
            persistent={
                "limit": robot.torque_limit_Nm.copy(),
                "step": robot.torque_limit_Nm * min(gains.torque_rate_per_s * dt_s, 2.0),
                "low": robot.position_lower_rad - _BEYOND_RAD,
                "high": robot.position_upper_rad + _BEYOND_RAD,
                "last": self._last,
                "counts": self._counts,
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
def guard_torque(
    tau: Vector,
    q: Vector,
    limit: Vector,
    step: Vector,
    low: Vector,
    high: Vector,
    last: Vector,
    counts: NDArray[np.int64],
) -> bool:
    """Compiled `Guard.apply`: 0.6 us; as NumPy calls on whole vectors it took 7 us."""
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
        safe = min(max(tau[j], -limit[j]), limit[j])
        if q[j] > high[j]:
            safe = min(safe, 0.0)
        if q[j] < low[j]:
            safe = max(safe, 0.0)
        if counts[FIRST] == 0:  # last: a wrong reading of a position may not make the torque jump either
            safe = min(max(safe, last[j] - step[j]), last[j] + step[j])
        clipped = clipped or abs(tau[j] - safe) > _CLIP_NM
        tau[j] = last[j] = safe
    counts[FIRST] = 0
    if clipped:
        counts[CLIPPED] += 1
    return finite
