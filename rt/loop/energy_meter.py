"""Energy that the motors of a robot consume, summed over the ticks of a run."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

LONGEST_S = 0.1
"""Longest time between two samples over which a power is taken as constant; a longer gap counts as this."""


class EnergyMeter:
    """Sums up the mechanical work and the electrical energy of all motors.

    The mechanical power of a joint is the torque of its drive times its velocity, where that is positive: a
    motor that brakes is taken to return nothing. The electrical power is the mechanical power plus the loss
    in the windings, R I^2, which is proportional to the squared torque. Losses of gears, iron and
    electronics are not part of it.

    Args:
        copper_loss_W_Nm2: (na,) loss in a motor's windings over the squared torque of its joint [W/Nm^2]; NaN
            for a motor whose constants are not known, which makes the electrical energy NaN.

    Attributes:
        mechanical_J: positive mechanical work of all joints so far [J].
        electrical_J: electrical energy so far [J].
    """

    def __init__(self, copper_loss_W_Nm2: Vector) -> None:
        self.mechanical_J = 0.0
        self.electrical_J = 0.0
        self._copper = copper_loss_W_Nm2
        self._work = np.zeros(len(copper_loss_W_Nm2))
        self._t_s = math.nan

    def add(self, t_s: float, tau: Vector, v: Vector) -> None:
        """Adds the time since the last sample, with the torques and velocities at its end. Hot path.

        Args:
            t_s: time of the sample [s].
            tau: (na,) torques of the drives [Nm].
            v: (na,) velocities of the joints [rad/s].
        """
        step_s = t_s - self._t_s
        self._t_s = t_s
        # NaN at the first sample, which has no predecessor.
        if not step_s > 0.0:
            return
        step_s = min(step_s, LONGEST_S)
        work = self._work
        np.multiply(tau, v, out=work)
        np.maximum(work, 0.0, out=work)
        moved_J = step_s * work.sum().item()
        np.multiply(tau, tau, out=work)
        self.mechanical_J += moved_J
        self.electrical_J += moved_J + step_s * np.dot(work, self._copper).item()
