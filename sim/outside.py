"""Model of a measurement of the base's pose from outside: rate, delay, noise, and wrong poses."""

from __future__ import annotations

from collections import deque

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.robots.model.rows import OutsideRow
from kilohertz.sim.scenario_schema import OutsidePose
from kilohertz.sim.world import STEP_S

Vector = NDArray[np.float64]

OUTSIDE_STREAM = 9
"""Number of the random stream of this sensor, which leaves those of the other sensors as they are."""
WILD_M, WILD_RAD = 2.0, 1.0
"""SD of the error of a wrong pose [m, rad]."""


class OutsideSensor:
    """Measures the pose of the base at a rate, and shows each pose after a delay.

    Attributes:
        row: the newest pose that has come.

    Args:
        model: rate, delay and noise of the measurement.
        seed: random seed of the run.
    """

    def __init__(self, model: OutsidePose, seed: int) -> None:
        self.row = OutsideRow()
        self._model = model
        self._rng = np.random.default_rng([seed, OUTSIDE_STREAM])
        self._delay = round(model.delay_ms * 1e-3 / STEP_S)
        self._period = max(1, round(1.0 / (model.rate_hz * STEP_S)))
        self._coming: deque[tuple[int, Vector]] = deque()

    def sample(self, tick: int, q: Vector) -> None:
        """Measures at the ticks of the rate, and shows the pose that has come by this tick.

        Args:
            tick: number of the tick.
            q: true configuration of the robot, which begins with position and quaternion of the base.
        """
        if tick % self._period == 0:
            self._coming.append((tick + self._delay, self._measure(q)))
        while self._coming and self._coming[0][0] <= tick:
            pose, row = self._coming.popleft()[1], self.row
            row.number[0] += 1.0
            row.age_s[0] = self._delay * STEP_S
            row.p_VB[:], row.rpy_VB[:] = pose[:3], pose[3:]
            row.position_sd_m[0], row.rotation_sd_rad[0] = self._deviations()

    def _deviations(self) -> tuple[float, float]:
        """Returns what the measurement says about its errors, never zero [m, rad]."""
        model = self._model
        return max(model.position_m or 0.0, 1e-4), max(model.yaw_rad or 0.0, model.tilt_rad or 0.0, 1e-4)

    def _measure(self, q: Vector) -> Vector:
        model = self._model
        pose = np.concatenate((q[:3], pin.rpy.matrixToRpy(pin.Quaternion(q[3:7].copy()).toRotationMatrix())))
        sd = [model.position_m] * 3 + [model.tilt_rad] * 2 + [model.yaw_rad]
        pose += self._rng.standard_normal(6) * np.array([np.nan if x is None else x for x in sd])
        if self._rng.random() < model.wild_share:
            pose[:3] += WILD_M * self._rng.standard_normal(3)
            pose[3:] += WILD_RAD * self._rng.standard_normal(3)
        return pose
