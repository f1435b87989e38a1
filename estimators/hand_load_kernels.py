"""Compiled kernels that estimate the wrench on the hand of an arm, and its payload.

The disturbance that the observer finds is linear in what causes it: in the errors of the first moments of the
links (through gravity), in the friction of each joint, in the wrench on the hand, and in mass and first
moments of a payload. All are found by least squares.

Source: Atkeson, An, Hollerbach, "Estimation of inertial parameters of manipulator loads and links", IJRR
5(3), 1986.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import carray

from kilohertz.estimators.arm_disturbance import Observer
from kilohertz.estimators.arm_friction import DRY, TOTAL, VISCOUS, ArmFriction, know_friction
from kilohertz.robots.compile.kernels import float_pointer, kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import Floats, Ints, Kin, X, Y, Z

RUNNING, CALIBRATED, TICK = range(3)
"""Entries of `Calibration.flags`: 1 during a calibration, 1 after one, and a counter of ticks."""
LOAD_COLUMNS = 4
"""Number of parameters of a payload: mass [kg] and first moments in the hand's axes [kg m]."""
_EVERY_TICKS = 4
"""Number of ticks between two rows of the calibration."""
_PRIOR_MOMENT, _PRIOR_DRY, _PRIOR_VISCOUS = 1.0, 0.01, 1e-3
"""Information of the prior, that the model has no error and no friction, in units of the sums over ticks."""
_DAMPING = 1e-6
"""Regularisation of the wrench, relative to the square of the joint levers [m^2]."""
_FOLLOW_PER_S = 20.0
"""Rate at which the reported wrench follows the estimated one [1/s]."""
_MEMORY_S = 0.25
"""Time of motion from which the payload is estimated [s]."""
_LEAST_LOAD = 1e-3
"""Information of the prior that there is no payload, relative to what gravity gives in a second."""


class Calibration(NamedTuple):
    """Errors of the model of an arm with n joints, found with an empty hand."""

    rotation: Ints
    """(n,) addresses of pinocchio's rotations R_WJ of the bodies that the joints move."""
    moves: Ints
    """(n, n) 1 where body i (row) is moved by joint j (column)."""
    flags: Ints
    """(3,) RUNNING, CALIBRATED, TICK."""
    normal: Floats
    """(5 n, 5 n) normal equations: three first moments of each body, then F and B of each joint."""
    right: Floats
    """(5 n,) their right-hand side; after the solution, the parameters."""
    row: Floats
    """(5 n,) scratch: row of one joint."""
    moment: Floats
    """(n, 3) errors of the first moments of the bodies, in the axes of their joints [kg m]."""
    external: Floats
    """(n,) observed torques without friction and without the errors of the model [Nm]."""


class Wrench(NamedTuple):
    """Wrench on the hand, and payload."""

    frame: Ints
    """(1,) frame of the hand in `Kin`."""
    w_H: Floats
    """(6,) low-passed force [N] and moment [Nm] on the hand, in its axes."""
    scratch: Floats
    """(6, 6) scratch: normal equations of the wrench."""
    raw: Floats
    """(6,) wrench of this tick."""
    row: Floats
    """(LOAD_COLUMNS,) scratch: row of one joint."""
    normal: Floats
    """(LOAD_COLUMNS, LOAD_COLUMNS) normal equations of the payload."""
    right: Floats
    """(LOAD_COLUMNS,) their right-hand side."""
    load: Floats
    """(LOAD_COLUMNS,) estimated payload: mass [kg] and first moments in the hand's axes [kg m]."""
    factor: Floats
    """(LOAD_COLUMNS, LOAD_COLUMNS) scratch: normal equations while they are solved."""


@kernel
def solve_symmetric(A: Floats, x: Floats) -> None:
    """Solves A x = b for a positive definite A by Cholesky's factorisation; both arguments are overwritten.

    Args:
        A: (n, n) matrix, of which the lower triangle is read; overwritten.
        x: (n,) right-hand side b; on return, the solution.
    """
    n = len(x)
    for i in range(n):
        for j in range(i + 1):
            total = A[i, j]
            for m in range(j):
                total -= A[i, m] * A[j, m]
            A[i, j] = np.sqrt(max(total, 1e-12)) if i == j else total / A[j, j]
    for i in range(n):
        total = x[i]
        for m in range(i):
            total -= A[i, m] * x[m]
        x[i] = total / A[i, i]
    for back in range(n):
        i = n - 1 - back
        total = x[i]
        for m in range(i + 1, n):
            total -= A[m, i] * x[m]
        x[i] = total / A[i, i]


@kernel
def gravity_row(k: Kin, calibration: Calibration, j: int) -> None:
    """Writes how the disturbance of joint j depends on the first moments of the bodies that it moves."""
    row, axis = calibration.row, k.Jw[j]
    for i in range(len(calibration.moment)):
        R = carray(float_pointer(calibration.rotation[i]), (3, 3))  # column-major: R[c, r] is R_WJ[r, c]
        for c in range(3):
            across = axis[3 + X] * R[c, Y] - axis[3 + Y] * R[c, X]
            row[3 * i + c] = -GRAVITY_M_S2 * across if calibration.moves[i, j] else 0.0


@kernel
def calibrate(k: Kin, observer: Observer, friction: ArmFriction, calibration: Calibration) -> None:
    """Adds the rows of this tick to the normal equations, while a calibration runs."""
    flags = calibration.flags
    flags[TICK] += 1
    if flags[RUNNING] == 0 or flags[TICK] % _EVERY_TICKS != 0:
        return
    n = len(calibration.moment)
    row, normal, right = calibration.row, calibration.normal, calibration.right
    for j in range(n):
        gravity_row(k, calibration, j)
        for i in range(3 * n, 5 * n):
            row[i] = 0.0
        row[3 * n + 2 * j], row[3 * n + 2 * j + 1] = friction.lagged[j, DRY], friction.lagged[j, VISCOUS]
        y = observer.unknown[j] + friction.lagged[j, TOTAL]
        for a in range(5 * n):
            if row[a] != 0.0:
                right[a] += row[a] * y
                for b in range(a + 1):
                    normal[a, b] += row[a] * row[b]


@kernel
def solve_calibration(calibration: Calibration) -> None:
    """Ends a calibration: solves for the first moments and for the friction."""
    n = len(calibration.moment)
    normal, right = calibration.normal, calibration.right
    for i in range(3 * n):
        normal[i, i] += _PRIOR_MOMENT
    for j in range(n):
        normal[3 * n + 2 * j, 3 * n + 2 * j] += _PRIOR_DRY
        normal[3 * n + 2 * j + 1, 3 * n + 2 * j + 1] += _PRIOR_VISCOUS
    solve_symmetric(normal, right)
    for i in range(n):
        for c in range(3):
            calibration.moment[i, c] = right[3 * i + c]
    calibration.flags[CALIBRATED] = 1


@kernel
def explain_friction(calibration: Calibration, friction: ArmFriction) -> None:
    """Makes the friction that the calibration has found the learnt one."""
    n = len(calibration.moment)
    for j in range(n):
        know_friction(friction, j, calibration.right[3 * n + 2 * j], calibration.right[3 * n + 2 * j + 1])


@kernel
def sense_external(k: Kin, observer: Observer, calibration: Calibration) -> None:
    """Writes the observed torques that the errors of the model explain, and those that are left."""
    for j in range(len(calibration.moment)):
        left = observer.unknown[j]
        if calibration.flags[CALIBRATED]:
            gravity_row(k, calibration, j)
            for i in range(len(calibration.moment)):
                for c in range(3):
                    left -= calibration.row[3 * i + c] * calibration.moment[i, c]
        observer.explained[j] = observer.unknown[j] - left
        calibration.external[j] = left


@kernel
def feel_hand(dt_s: float, k: Kin, calibration: Calibration, wrench: Wrench) -> None:
    """Updates the wrench on the hand: that which explains the remaining torques best."""
    J, N, raw, external = k.J[wrench.frame[0]], wrench.scratch, wrench.raw, calibration.external
    n = len(external)
    for r in range(6):
        raw[r] = 0.0
        for j in range(n):
            raw[r] += J[r, j] * external[j]
        for c in range(r + 1):
            N[r, c] = _DAMPING if r == c else 0.0
            for j in range(n):
                N[r, c] += J[r, j] * J[c, j]
    solve_symmetric(N, raw)
    follow = min(dt_s * _FOLLOW_PER_S, 1.0)
    for r in range(6):
        wrench.w_H[r] += follow * (raw[r] - wrench.w_H[r])


@kernel
def load_row(k: Kin, vdot: Floats, wrench: Wrench, j: int) -> None:
    """Writes how the disturbance of joint j depends on mass and first moments of a payload.

    A payload needs the force m s + wdot x mc + w x (w x mc) and the moment mc x s about the hand's origin,
    where s is the acceleration of the hand minus gravity; its second moments are neglected.
    """
    f, row = wrench.frame[0], wrench.row
    J, R, vel = k.J[f], k.R[f], k.vel[f]
    sx, sy, sz = k.drift[f, X], k.drift[f, Y], k.drift[f, Z]
    ax, ay, az = k.drift[f, 3 + X], k.drift[f, 3 + Y], k.drift[f, 3 + Z]
    for i in range(len(vdot)):
        sx, sy, sz = sx + J[X, i] * vdot[i], sy + J[Y, i] * vdot[i], sz + J[Z, i] * vdot[i]
        ax, ay, az = ax + J[3, i] * vdot[i], ay + J[4, i] * vdot[i], az + J[5, i] * vdot[i]
    sx, sy, sz = sx + GRAVITY_M_S2 * R[Z, X], sy + GRAVITY_M_S2 * R[Z, Y], sz + GRAVITY_M_S2 * R[Z, Z]
    wx, wy, wz = vel[3 + X], vel[3 + Y], vel[3 + Z]
    vx, vy, vz, ux, uy, uz = J[0, j], J[1, j], J[2, j], J[3, j], J[4, j], J[5, j]
    row[0] = -(vx * sx + vy * sy + vz * sz)
    along = vx * wx + vy * wy + vz * wz
    square = wx * wx + wy * wy + wz * wz
    # u . (e_c x s) + v . (wdot x e_c) + v . (w (w . e_c) - e_c w^2), for each axis c.
    row[1] = -(uz * sy - uy * sz + vy * az - vz * ay + along * wx - vx * square)
    row[2] = -(ux * sz - uz * sx + vz * ax - vx * az + along * wy - vy * square)
    row[3] = -(uy * sx - ux * sy + vx * ay - vy * ax + along * wz - vz * square)


@kernel
def weigh_hand(
    dt_s: float,
    k: Kin,
    vdot: Floats,
    friction: ArmFriction,
    calibration: Calibration,
    wrench: Wrench,
) -> None:
    """Updates mass and first moments of the payload, from the joints that move.

    The friction of a joint at rest can have any value below that of a moving one.
    """
    if calibration.flags[CALIBRATED] == 0:
        return
    n, row, normal, right = len(vdot), wrench.row, wrench.normal, wrench.right
    moving = 0.0
    for j in range(n):
        moving += np.tanh(friction.v[j] / friction.settings[1]) ** 2 / n
    keep = 1.0 - min(dt_s * moving / _MEMORY_S, 1.0)
    for a in range(LOAD_COLUMNS):
        right[a] *= keep
        for b in range(LOAD_COLUMNS):
            normal[a, b] *= keep
    for j in range(n):
        weight = dt_s * np.tanh(friction.v[j] / friction.settings[1]) ** 2
        load_row(k, vdot, wrench, j)
        for a in range(LOAD_COLUMNS):
            right[a] += weight * row[a] * calibration.external[j]
            for b in range(LOAD_COLUMNS):
                normal[a, b] += weight * row[a] * row[b]
    for a in range(LOAD_COLUMNS):
        wrench.load[a] = right[a]
        for b in range(LOAD_COLUMNS):
            wrench.factor[a, b] = normal[a, b]
        wrench.factor[a, a] += _LEAST_LOAD
    solve_symmetric(wrench.factor, wrench.load)
