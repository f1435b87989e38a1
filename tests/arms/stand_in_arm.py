"""The body of the stand-ins for bought arms: gravity is carried for it, and time moves on in whole cycles."""

from __future__ import annotations

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.robot_model import RobotModel

STEP_S = 0.5e-3


class StandInArm:
    """Joint torques in, motion out; virtual time, so that a test neither waits nor is late.

    Attributes:
        q, v: where it is [rad, rad/s].
        t_s: its clock [s].
        violations: what its user did that the maker forbids.
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
        """Moves on under torques without gravity, with a little friction."""
        for _ in range(round(seconds / STEP_S)):
            total = tau + pin.computeGeneralizedGravity(self._model, self._data, self.q) - 0.5 * self.v
            self.v = self.v + STEP_S * pin.aba(self._model, self._data, self.q, self.v, total)
            self.q = pin.integrate(self._model, self.q, STEP_S * self.v)
            self.t_s += STEP_S

    def hold(self, seconds: float) -> None:
        """Stays where it is; its own controller brakes hard."""
        self.v = np.zeros_like(self.v)
        self.t_s += seconds


arms: list[StandInArm] = []
"""Those that were connected to, for the tests; the newest last."""
