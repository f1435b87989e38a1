"""What pushes or weighs on the robot that nobody told the controller about, from the momentum it should have.

The centroidal momentum h = (m v_WC, L_C) obeys hdot = m g + contact wrenches + disturbance. An observer
integrates what is known and lets the disturbance be what is missing:

    hhat_dot = known + d,   d = K (h - hhat)

so d follows the true disturbance with the time constant 1 / K (De Luca, Albu-Schaeffer, Haddadin, Hirzinger,
"Collision detection and safe reaction with the DLR-III lightweight manipulator arm", IROS 2006, eq. 12, here
for the momentum of the whole robot).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

GRAVITY_M_S2 = 9.81

_JUMP, _JUMP_SETTLE_S = 0.05, 0.05
"""A payload that is off by more than this part of the robot's mass is averaged anew, from this long."""


class DisturbanceObserver:
    """Estimates the external wrench on the robot, less that of its contacts.

    Args:
        mass_kg: of the model.
        rate_per_s: K.

    Attributes:
        force_W: (3,) disturbance force, world axes [N].
        moment_C: (3,) its moment about the centre of mass, world axes [Nm].
    """

    def __init__(self, mass_kg: float, rate_per_s: float) -> None:
        self._mass = mass_kg
        self._rate = rate_per_s
        self.force_W, self.moment_C = np.zeros(3), np.zeros(3)
        self._momentum, self._angular = np.zeros(3), np.zeros(3)
        self._step = np.zeros(3)
        self._fresh = True

    def reset(self) -> None:
        """Starts from no disturbance."""
        self.force_W[:] = 0.0
        self.moment_C[:] = 0.0
        self._fresh = True

    def update(
        self, v_WC: Vector, L_C: Vector, contact_force_W: Vector, contact_moment_C: Vector, dt_s: float
    ) -> None:
        """Takes one tick.

        Args:
            v_WC: (3,) velocity of the centre of mass [m/s].
            L_C: (3,) angular momentum about it, world axes [kg m^2/s].
            contact_force_W: (3,) sum of the contact forces over the last period [N].
            contact_moment_C: (3,) their moment about the centre of mass [Nm].
            dt_s: period [s].
        """
        step = self._step
        if self._fresh:
            np.multiply(v_WC, self._mass, out=self._momentum)
            self._angular[:] = L_C
            self._fresh = False
        np.add(contact_force_W, self.force_W, out=step)
        step[2] -= self._mass * GRAVITY_M_S2
        step *= dt_s
        self._momentum += step
        np.add(contact_moment_C, self.moment_C, out=step)
        step *= dt_s
        self._angular += step
        np.multiply(v_WC, self._mass, out=self.force_W)
        self.force_W -= self._momentum
        self.force_W *= self._rate
        np.subtract(L_C, self._angular, out=self.moment_C)
        self.moment_C *= self._rate


class PayloadEstimate:
    """A steady downward disturbance, read as a mass at a place.

    A model is off by a percent or so of the robot's weight. As long as nothing is carried that shows, and is
    tared: a payload that comes later is weighed without it.

    Args:
        robot_kg: mass of the model; a payload lighter than a fiftieth of it is not told from friction.
        settle_s: time constant of the average.
        tare_s: time constant of the tare; infinite for none.

    Attributes:
        raw_kg: average of what pulls down, less the tare; may be negative.
        raw_kgm: (2,) its first moments, horizontally, from the point and in the axes of the moments.
        mass_kg: estimated payload, 0 while there is none.
        p_OP: (2,) where that hangs [m]; its height does not show in a robot that stays upright.
    """

    def __init__(self, robot_kg: float, settle_s: float, tare_s: float = math.inf) -> None:
        self._least_kg = 0.02 * robot_kg
        self._jump_N = _JUMP * robot_kg * GRAVITY_M_S2
        self._settle_s, self._tare_s = settle_s, tare_s
        self._force_N = self._age_s = self._tare_kg = 0.0
        self.raw_kg = self.mass_kg = 0.0
        self.raw_kgm, self.p_OP = np.zeros(2), np.zeros(2)

    def reset(self) -> None:
        """Starts from no payload."""
        self._force_N = self._age_s = self._tare_kg = 0.0
        self.raw_kg = self.mass_kg = 0.0
        self.raw_kgm[:] = self.p_OP[:] = 0.0

    def update(
        self, force_N: float, moment_x_Nm: float, moment_y_Nm: float, dt_s: float, empty: bool = True
    ) -> None:
        """Takes the disturbance of one tick.

        Args:
            force_N: upwards.
            moment_x_Nm: about the point O.
            moment_y_Nm: about the point O.
            dt_s: period [s].
            empty: whether nothing else is known to be carried; only then the scales are tared.
        """
        if abs(force_N - self._force_N) > self._jump_N:
            # Something was put on or taken off: what was before is no longer worth averaging.
            self._age_s = min(self._age_s, _JUMP_SETTLE_S)
        self._age_s = min(self._age_s + dt_s, self._settle_s)
        share = min(1.0, dt_s / self._age_s)
        self._force_N += share * (force_N - self._force_N)
        # r x (0, 0, -w) = (-r_y w, r_x w, 0)
        self.raw_kgm[0] += share * (moment_y_Nm / GRAVITY_M_S2 - float(self.raw_kgm[0]))
        self.raw_kgm[1] += share * (-moment_x_Nm / GRAVITY_M_S2 - float(self.raw_kgm[1]))
        self.raw_kg = -self._force_N / GRAVITY_M_S2 - self._tare_kg
        if empty and abs(self.raw_kg) < self._least_kg:
            self._tare_kg += min(1.0, dt_s / self._tare_s) * self.raw_kg
        self.mass_kg = self.raw_kg if self.raw_kg >= self._least_kg else 0.0
        self.p_OP[:] = 0.0
        if self.mass_kg > 0.0:
            np.divide(self.raw_kgm, self.mass_kg, out=self.p_OP)
