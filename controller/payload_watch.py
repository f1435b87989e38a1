"""Keeps an eye on the weight: what hangs on the robot that its model does not know of.

The soles' wrenches are taken from the torques of the joints above them alone, as if the legs were at rest:
neither what the upper body does nor what the controller hoped it would do enters (with the planned wrenches
instead, a load of 10 kg in G1's hands came out as 7 kg).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from controller.whole_body import WholeBody
from estimators.bound_kernel import bind
from estimators.disturbance import DisturbanceObserver, PayloadEstimate
from robots.compiled import kernel
from robots.rows import Vector

Ints = NDArray[np.int64]

_EVERY_TICKS = 10
"""A payload is no matter of milliseconds."""
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
        kin, contacts = body.arrays.kin, body.arrays.contacts
        self._force_W, self._moment_C = np.zeros(3), np.zeros(3)
        arrays = {name: getattr(kin, name) for name in ("J", "R", "p", "h", "p_WC", "columns", "n_columns")}
        arrays |= {name: getattr(contacts, name) for name in ("frame", "offset", "dim", "select")}
        self._add_up_soles = bind(
            "payload_kernel",
            [add_up_soles],
            call={"tau": "f8[::1]"},
            persistent={
                **arrays,
                "n_base": kin.n_base,
                "force_W": self._force_W,
                "moment_C": self._moment_C,
                "normal": np.zeros((6, 6)),
                "wrench": np.zeros(6),
            },
        )
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

    def _heading(self) -> tuple[float, float]:
        """Cosine and sine of the base's yaw."""
        x, y, z, w = self._body.arrays.kin.q[3:7].tolist()
        yaw = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
        return math.cos(yaw), math.sin(yaw)


@kernel
def add_up_soles(
    tau: Vector,
    J: Vector,
    R: Vector,
    p: Vector,
    h: Vector,
    p_WC: Vector,
    columns: Ints,
    n_columns: Ints,
    frame: Ints,
    offset: Ints,
    dim: Ints,
    select: Ints,
    n_base: Ints,
    force_W: Vector,
    moment_C: Vector,
    normal: Vector,
    wrench: Vector,
) -> None:
    """Sums the wrenches of closed contacts: J' w = h - tau on the joints above each, in least squares.

    Compiled: 2 us for two soles, against 120 us of small NumPy calls.
    """
    force_W[:] = 0.0
    moment_C[:] = 0.0
    nb = n_base[0]
    for c in range(len(offset)):
        if offset[c] < 0:
            continue
        f, n = frame[c], dim[c]
        for r in range(n):
            wrench[r] = 0.0
            for s in range(n):
                normal[r, s] = 1e-9 if r == s else 0.0
        for a in range(n_columns[f]):
            j = columns[f, a]
            if j < nb:
                continue
            missing = h[j] - tau[j - nb]
            for r in range(n):
                row = J[f, select[c, r], j]
                wrench[r] += row * missing
                for s in range(r + 1):
                    normal[r, s] += row * J[f, select[c, s], j]
        cholesky_solve(normal, wrench, n)
        x = p[f, 0] - p_WC[0]
        y = p[f, 1] - p_WC[1]
        z = p[f, 2] - p_WC[2]
        fx = fy = fz = 0.0
        for r in range(n):
            axis = select[c, r]
            if axis < 3:
                fx += R[f, 0, axis] * wrench[r]
                fy += R[f, 1, axis] * wrench[r]
                fz += R[f, 2, axis] * wrench[r]
            else:
                for i in range(3):
                    moment_C[i] += R[f, i, axis - 3] * wrench[r]
        force_W[0] += fx
        force_W[1] += fy
        force_W[2] += fz
        moment_C[0] += y * fz - z * fy
        moment_C[1] += z * fx - x * fz
        moment_C[2] += x * fy - y * fx


@kernel
def cholesky_solve(A: Vector, b: Vector, n: int) -> None:
    """Solves b <- A^-1 b for a positive definite A, given by its lower triangle, which is overwritten."""
    for i in range(n):
        for j in range(i + 1):
            total = A[i, j]
            for k in range(j):
                total -= A[i, k] * A[j, k]
            A[i, j] = math.sqrt(total) if i == j else total / A[j, j]
        total = b[i]
        for k in range(i):
            total -= A[i, k] * b[k]
        b[i] = total / A[i, i]
    for i in range(n - 1, -1, -1):
        total = b[i]
        for k in range(i + 1, n):
            total -= A[k, i] * b[k]
        b[i] = total / A[i, i]
