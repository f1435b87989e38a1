"""Tolerances that decide whether a tick is solved, independent of the status that the solver returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kilohertz.controller.problem.tables import (
    RES_BASE,
    RES_CONE,
    RES_FINITE,
    RES_INEQUALITY,
    RES_MOTION,
    RES_TAU,
    RES_VDOT,
)
from kilohertz.robots.model.kin import Floats


@dataclass(frozen=True)
class Tolerances:
    """Largest residual of each block that still counts as solved.

    Attributes:
        force_N: residual of floating-base rows and wrench cones; a thousandth of the robot's weight.
        motion_m_s2: residual of contact motion rows.
        torque_Nm: torque beyond its limit; the guard clips a torque that is beyond it by less.
        vdot_rad_s2: acceleration beyond its barrier.
        inequality: violation of a declared inequality [unit of its row].
    """

    force_N: float
    motion_m_s2: float = 0.1
    torque_Nm: float = 0.005
    vdot_rad_s2: float = 0.01
    inequality: float = 0.01

    def row(self) -> Floats:
        """Returns the (7,) tolerances at the indices RES_BASE to RES_INEQUALITY, for compiled code."""
        row = np.zeros(RES_INEQUALITY + 1)
        row[[RES_BASE, RES_CONE]] = self.force_N
        row[[RES_MOTION, RES_TAU, RES_VDOT]] = self.motion_m_s2, self.torque_Nm, self.vdot_rad_s2
        row[RES_INEQUALITY] = self.inequality
        return row

    def accept(self, residual: Floats) -> bool:
        """Returns True if dynamics, contact motion and wrench cones hold; `limits_ok` checks the limits."""
        r = residual.tolist()  # Python floats: comparing NumPy scalars took 0.5 us
        return bool(
            r[RES_FINITE] == 1.0
            and r[RES_BASE] <= self.force_N
            and r[RES_CONE] <= self.force_N
            and r[RES_MOTION] <= self.motion_m_s2
        )

    def limits_ok(self, residual: Floats) -> bool:
        """Returns True if torque limits, barriers and declared inequalities hold."""
        return bool(
            residual[RES_TAU] <= self.torque_Nm
            and residual[RES_VDOT] <= self.vdot_rad_s2
            and residual[RES_INEQUALITY] <= self.inequality
        )
