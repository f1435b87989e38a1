"""Torque guard: the last check of every torque before it is sent to the drives."""

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
"""Entries of `GuardArrays.counts`.

FIRST: 1 before the first tick after a reset, else 0. CLIPPED: number of ticks in which a torque was clipped.
REFUSED: number of ticks in which a torque was not finite.
"""
_CLIP_NM = 1e-3
"""Smallest change of a torque that counts as clipping; smaller ones are rounding."""
LARGEST = sys.float_info.max
"""Largest finite number; `abs(x) <= LARGEST` is false for NaN and infinity."""
_BEYOND_RAD = 0.01
"""A joint that is further beyond its position limit than this gets only torque towards its range."""


class GuardArrays(NamedTuple):
    """Limits of the guard for each joint, and its state."""

    limit_Nm: Floats
    """(na,) symmetric torque limit [Nm]."""
    step_Nm: Floats
    """(na,) largest change of torque from one tick to the next [Nm]."""
    low_rad: Floats
    """(na,) position below which a joint gets only torque towards its range [rad]."""
    high_rad: Floats
    """(na,) position above which a joint gets only torque towards its range [rad]."""
    last_Nm: Floats
    """(na,) torque of the last tick [Nm]."""
    counts: Ints
    """(3,) counters: FIRST, CLIPPED, REFUSED."""


class Guard:
    """Clips each torque and its rate, and prevents torque that pushes a joint further out of its range.

    It works in place and allocates nothing.

    Args:
        robot: the robot.
        gains: limits of the guard.
        dt_s: control period [s].

    Attributes:
        arrays: limits and state, for kernels that apply the guard themselves.
    """

    def __init__(self, robot: RobotModel, gains: GuardGains, dt_s: float) -> None:
        self._counts = np.zeros(3, np.int64)
        self._last = np.zeros(robot.na)
        self.arrays = GuardArrays(
            limit_Nm=robot.torque_limit_Nm.copy(),
            step_Nm=robot.torque_limit_Nm * min(gains.torque_rate_per_s * dt_s, 2.0),
            low_rad=robot.position_lower_rad - _BEYOND_RAD,
            high_rad=robot.position_upper_rad + _BEYOND_RAD,
            last_Nm=self._last,
            counts=self._counts,
        )
        self._apply = bind(
            "guard_kernel",
            [guard_torque],
            call={"tau": "f8[::1]", "q": "f8[::1]"},
            structs={"guard": self.arrays},
            returns="b1",
        )
        self.reset()

    @property
    def clipped(self) -> int:
        """Number of ticks in which any torque was changed by more than rounding."""
        return int(self._counts[CLIPPED])

    @property
    def refused(self) -> int:
        """Number of ticks in which a torque was not finite."""
        return int(self._counts[REFUSED])

    def reset(self) -> None:
        """Resets the rate limit: it does not apply to the next torque."""
        self._counts[FIRST] = 1
        self._last[:] = 0.0

    def apply(self, tau: Vector, q: Vector) -> bool:
        """Limits the torque, in place.

        Args:
            tau: (na,) torque from the controller [Nm]; on return, the limited torque.
            q: (na,) joint positions [rad].

        Returns:
            False if a torque was not finite; all torques are then those of the last tick, limited.
        """
        return bool(self._apply(tau, q))


@kernel
def guard_torque(tau: Floats, q: Floats, guard: GuardArrays) -> bool:
    """Limits the torque, see `Guard.apply`; it takes 0.6 us, NumPy calls on whole vectors took 7 us."""
    last, counts = guard.last_Nm, guard.counts
    finite = True
    for j in range(len(tau)):
        # isfinite(x) is compiled to x - x == 0, which the reassociation of fast math folds to true.
        finite = finite and abs(tau[j]) <= LARGEST
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
        if counts[FIRST] == 0:  # rate limit last, so that a wrong position reading causes no torque jump
            safe = min(max(safe, last[j] - guard.step_Nm[j]), last[j] + guard.step_Nm[j])
        clipped = clipped or abs(tau[j] - safe) > _CLIP_NM
        tau[j] = last[j] = safe
    counts[FIRST] = 0
    if clipped:
        counts[CLIPPED] += 1
    return finite
