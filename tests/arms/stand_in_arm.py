"""Simulates the arm behind the mocks: gravity is compensated, and time advances in whole cycles."""

from __future__ import annotations

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.robot_model import RobotModel

STEP_S = 0.5e-3


class StandInArm:
    """Simulates an arm under joint torques in virtual time, independent of the computer's speed.

    Attributes:
        q: (n,) joint positions [rad].
        v: (n,) joint velocities [rad/s].
        t_s: virtual time [s].
        violations: violations of the manufacturer's rules by the user of the arm, in words.
    """

    def __init__(self, robot: str) -> None:
        model = RobotModel.load(robot)
        self._model, self._data = model.pin_model, model.pin_model.createData()
        self.limit_Nm = np.array(model.torque_limit_Nm)
        self.q = np.array(model.q_nominal)
        self.v = np.zeros(model.nv)
        self.t_s = 0.0
        self.violations: list[str] = []

    def gravity(self) -> np.ndarray:
        return np.array(pin.computeGeneralizedGravity(self._model, self._data, self.q))

    def move(self, tau: np.ndarray, seconds: float) -> None:
        """Simulates a duration [s] under torques without gravity, with viscous friction of 0.5 Nms/rad."""
        for _ in range(round(seconds / STEP_S)):
            total = tau + pin.computeGeneralizedGravity(self._model, self._data, self.q) - 0.5 * self.v
            self.v = self.v + STEP_S * pin.aba(self._model, self._data, self.q, self.v, total)
            self.q = pin.integrate(self._model, self.q, STEP_S * self.v)
            self.t_s += STEP_S

    def hold(self, seconds: float) -> None:
        """Stops at once and holds the position for a duration [s], like the arm's own controller."""
        self.v = np.zeros_like(self.v)
        self.t_s += seconds


arms: list[StandInArm] = []
"""All arms that were connected to, the newest last."""
