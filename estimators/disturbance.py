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

    Args:
        robot_kg: mass of the model; a payload lighter than a fiftieth of it is not told from friction.
        settle_s: time constant of the average.

    Attributes:
        mass_kg: estimated payload, 0 while there is none.
        p_CP: (2,) where it hangs, horizontally from the centre of mass, world axes [m]; its height does not
            show in a robot that stands upright.
    """

    def __init__(self, robot_kg: float, settle_s: float) -> None:
        self._least_kg = 0.02 * robot_kg
        self._settle_s = settle_s
        self._force_N = 0.0
        self._moment_x = self._moment_y = 0.0
        self._age_s = 0.0
        self.mass_kg = 0.0
        self.p_CP = np.zeros(2)

    def reset(self) -> None:
        """Starts from no payload."""
        self._force_N = self._moment_x = self._moment_y = self._age_s = 0.0
        self.mass_kg = 0.0
        self.p_CP[:] = 0.0

    def update(self, force_W: Vector, moment_C: Vector, dt_s: float) -> None:
        """Takes the disturbance of one tick; arguments as the observer's attributes."""
        self._age_s = min(self._age_s + dt_s, self._settle_s)
        share = min(1.0, dt_s / self._age_s)
        self._force_N += share * (float(force_W[2]) - self._force_N)
        self._moment_x += share * (float(moment_C[0]) - self._moment_x)
        self._moment_y += share * (float(moment_C[1]) - self._moment_y)
        mass_kg = -self._force_N / GRAVITY_M_S2
        if not math.isfinite(mass_kg) or mass_kg < self._least_kg:
            self.mass_kg = 0.0
            self.p_CP[:] = 0.0
            return
        self.mass_kg = mass_kg
        # r x (0, 0, -w) = (-r_y w, r_x w, 0)
        weight_N = mass_kg * GRAVITY_M_S2
        self.p_CP[0] = self._moment_y / weight_N
        self.p_CP[1] = -self._moment_x / weight_N
