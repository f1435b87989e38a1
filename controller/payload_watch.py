"""Keeps an eye on the weight: what hangs on the robot that its model does not know of.

The soles' wrenches are taken from the torques of the joints above them alone, as if the legs were at rest:
neither what the upper body does nor what the controller hoped it would do enters (with the planned wrenches
instead, a load of 10 kg in G1's hands came out as 7 kg).
"""

from __future__ import annotations

import math

import numpy as np

from controller.whole_body import WholeBody
from estimators.disturbance import DisturbanceObserver, PayloadEstimate
from robots.rows import Vector

_EVERY_TICKS = 10
"""A payload is no matter of milliseconds, and the small linear systems cost 30 us."""
_RATE_PER_S = 5.0
_SETTLE_S = 0.5


class PayloadWatch:
    """Estimates an unknown payload of a robot on its soles.

    Args:
        body: the whole-body controller, whose kinematics are those of this tick.

    Attributes:
        mass_kg: 0 while there is none.
        p_BP_m: (3,) where, from the base's origin along its heading; its height is NaN: it does not show in
            a robot that stands upright.
    """

    def __init__(self, body: WholeBody) -> None:
        self._body = body
        self._disturbance = DisturbanceObserver(body.robot.mass_kg, _RATE_PER_S)
        self._payload = PayloadEstimate(body.robot.mass_kg, _SETTLE_S)
        kin = body.arrays.kin
        self._chains = [
            np.array([c for c in kin.columns[f, : kin.n_columns[f]] if c >= body.robot.n_base])
            for f in range(len(body.robot.contacts))
        ]
        self._force_W, self._moment_C = np.zeros(3), np.zeros(3)
        self._tick, self._elapsed_s = 0, 0.0
        self.mass_kg = 0.0
        self.p_BP_m = np.full(3, math.nan)

    def reset(self) -> None:
        """Forgets what was known."""
        self._disturbance.reset()
        self._payload.reset()
        self._tick, self._elapsed_s = 0, 0.0
        self.mass_kg = 0.0
        self.p_BP_m[:] = math.nan

    def update(self, tau: Vector, dt_s: float) -> None:
        """Takes a tick.

        Args:
            tau: (na,) joint torques [Nm].
            dt_s: period [s].
        """
        self._tick += 1
        self._elapsed_s += dt_s
        if self._tick % _EVERY_TICKS:
            return
        kin, disturbance, payload = self._body.arrays.kin, self._disturbance, self._payload
        self._add_up_soles(tau)
        disturbance.update(kin.v_WC, kin.L_C, self._force_W, self._moment_C, self._elapsed_s)
        payload.update(disturbance.force_W, disturbance.moment_C, self._elapsed_s)
        self._elapsed_s = 0.0
        self.mass_kg = payload.mass_kg
        self.p_BP_m[:] = math.nan
        if self.mass_kg > 0.0:
            x, y = (kin.p_WC[:2] - kin.q[:2] + payload.p_CP).tolist()
            cosine, sine = self._heading()
            self.p_BP_m[0], self.p_BP_m[1] = cosine * x + sine * y, cosine * y - sine * x

    def _add_up_soles(self, tau: Vector) -> None:
        """Sums the wrenches of closed contacts: J' w = h - tau on the joints above each, in least squares."""
        kin, contacts, n_base = self._body.arrays.kin, self._body.arrays.contacts, self._body.robot.n_base
        self._force_W[:] = 0.0
        self._moment_C[:] = 0.0
        for c, chain in enumerate(self._chains):
            if contacts.offset[c] < 0:
                continue
            components = contacts.select[c, : contacts.dim[c]]
            J = kin.J[c][np.ix_(components, chain)]
            wrench = np.zeros(6)
            normal = J @ J.T
            normal[np.diag_indices_from(normal)] += 1e-9
            wrench[components] = np.linalg.solve(normal, J @ (kin.h[chain] - tau[chain - n_base]))
            force = kin.R[c] @ wrench[:3]
            self._force_W += force
            self._moment_C += np.cross(kin.p[c] - kin.p_WC, force) + kin.R[c] @ wrench[3:]

    def _heading(self) -> tuple[float, float]:
        """Cosine and sine of the base's yaw."""
        x, y, z, w = self._body.arrays.kin.q[3:7].tolist()
        yaw = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
        return math.cos(yaw), math.sin(yaw)
