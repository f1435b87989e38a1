"""What counts as a solved tick, whatever the solver says of itself."""

from __future__ import annotations

from dataclasses import dataclass

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
        force_N: floating-base rows and wrench cones; a thousandth of the weight.
        motion_m_s2: contact motion rows.
        torque_Nm: torque beyond a limit that is left to the guard's clip.
        vdot_rad_s2: acceleration beyond a barrier.
        inequality: beyond a declared inequality [its row's unit].
    """

    force_N: float
    motion_m_s2: float = 0.1
    torque_Nm: float = 0.005
    vdot_rad_s2: float = 0.01
    inequality: float = 0.01

    def accept(self, residual: Floats) -> bool:
        """True where dynamics, contact motion and wrench cones hold; limits are judged by `limits_ok`."""
        r = residual.tolist()  # plain numbers: comparing NumPy's took 0.5 us
        return bool(
            r[RES_FINITE] == 1.0
            and r[RES_BASE] <= self.force_N
            and r[RES_CONE] <= self.force_N
            and r[RES_MOTION] <= self.motion_m_s2
        )

    def limits_ok(self, residual: Floats) -> bool:
        """True where torque limits, barriers and declared inequalities hold."""
        return bool(
            residual[RES_TAU] <= self.torque_Nm
            and residual[RES_VDOT] <= self.vdot_rad_s2
            and residual[RES_INEQUALITY] <= self.inequality
        )
