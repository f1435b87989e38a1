"""Correction step of the contact-aided right-invariant EKF, with contact poses from the encoders.

The pose of a contact in the IMU frame is a right-invariant measurement, so that its Jacobian is constant: +1
on the block of the contact, -1 on that of the IMU. Blocks of three rows are processed one after another. This
equals a joint correction with all rows, because the noises of the blocks are independent. State and error
state are defined in inekf_layout.py.

Source: Hartley et al., IJRR 2020, section 5 (correction) and 6 (contacts that are added and removed).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.inekf_layout import (
    CONTACTS,
    GYRO_BIAS,
    POSITION,
    ROTATION,
    STATE_BG,
    STATE_CONTACTS,
    STATE_P,
    STATE_V,
    VELOCITY,
)
from kilohertz.estimators.so3 import (
    exp3,
    left_jacobian,
    log3,
    multiply,
    multiply_transposed,
    orthonormalise,
    rotate,
)
from kilohertz.robots.compile.kernels import kernel

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


@kernel
def absorb(P: Array, rows: Array, target: int, source: int, z: Array, N: Array, gate: float) -> float:
    """Takes in one measurement z = xi[target] - xi[source] + noise of covariance N.

    The mean is corrected in `rows[3]` only, so that several measurements of one instant are linearised at
    the same state. Where the surprise exceeds the gate, the target (a contact that should have stayed
    still) has moved: its own variance grows until the measurement is just believable.

    Args:
        P: (n, n) covariance, written.
        rows: (4, n) scratch; rows[3] is the correction found so far, written.
        target: first row of the block measured.
        source: first row of the block it is measured from.
        z: (3,) innovation at the state before any correction.
        N: (3, 3) covariance of the measurement.
        gate: greatest squared Mahalanobis distance believed; 0 believes all.

    Returns:
        The squared Mahalanobis distance of the innovation; negative where P is broken and nothing was done.
    """
    n = P.shape[0]
    delta = rows[3]
    for i in range(3):
        for j in range(n):
            rows[i, j] = P[target + i, j] - P[source + i, j]
    z0 = z[0] - delta[target] + delta[source]
    z1 = z[1] - delta[target + 1] + delta[source + 1]
    z2 = z[2] - delta[target + 2] + delta[source + 2]
    surprise, widening = -1.0, 0.0
    for attempt in range(2):
        # Cholesky factor of the innovation's covariance, written out.
        s00 = rows[0, target] - rows[0, source] + N[0, 0] + widening
        s10 = rows[1, target] - rows[1, source] + N[1, 0]
        s11 = rows[1, target + 1] - rows[1, source + 1] + N[1, 1] + widening
        s20 = rows[2, target] - rows[2, source] + N[2, 0]
        s21 = rows[2, target + 1] - rows[2, source + 1] + N[2, 1]
        s22 = rows[2, target + 2] - rows[2, source + 2] + N[2, 2] + widening
        if not s00 > 0.0:
            return -1.0
        i00 = 1.0 / math.sqrt(s00)
        l10 = s10 * i00
        l20 = s20 * i00
        s11 -= l10 * l10
        if not s11 > 0.0:
            return -1.0
        i11 = 1.0 / math.sqrt(s11)
        l21 = (s21 - l20 * l10) * i11
        s22 -= l20 * l20 + l21 * l21
        if not s22 > 0.0:
            return -1.0
        i22 = 1.0 / math.sqrt(s22)
        y0 = z0 * i00
        y1 = (z1 - l10 * y0) * i11
        y2 = (z2 - l20 * y0 - l21 * y1) * i22
        distance = y0 * y0 + y1 * y1 + y2 * y2
        if attempt == 0:
            surprise = distance
            if gate <= 0.0 or distance <= gate:
                break
            widening = (z0 * z0 + z1 * z1 + z2 * z2) / gate
    if widening > 0.0:
        for i in range(3):
            P[target + i, target + i] += widening
            rows[i, target + i] += widening
    for j in range(n):
        a = rows[0, j] * i00
        b = (rows[1, j] - l10 * a) * i11
        c = (rows[2, j] - l20 * a - l21 * b) * i22
        rows[0, j] = a
        rows[1, j] = b
        rows[2, j] = c
        delta[j] += a * y0 + b * y1 + c * y2
    for i in range(n):
        a, b, c = rows[0, i], rows[1, i], rows[2, i]
        for j in range(n):
            P[i, j] -= a * rows[0, j] + b * rows[1, j] + c * rows[2, j]
    return surprise


@kernel
def turn_covariance(R: Array, N: Array, N_W: Array, work: Array) -> None:
    """N_W = R N R'."""
    multiply(R, N, work)
    multiply_transposed(work, R, N_W)


@kernel
def correct(
    x: Array,
    P: Array,
    p_IF: Array,
    R_IF: Array,
    position_covariance: Array,
    rotation_covariance: Array,
    active: IntArray,
    gate: float,
    surprise: Array,
    rows: Array,
    work: Array,
) -> None:
    """Corrects the state with the pose of every contact in use, as the joint encoders give it.

    Args:
        x: flat state, written.
        P: (n, n) covariance, written.
        p_IF: (n_slots, 3) position of each contact in the IMU frame [m].
        R_IF: (n_slots, 3, 3) its orientation.
        position_covariance: (n_slots, 3, 3) of p_IF, in the IMU frame [m^2].
        rotation_covariance: (n_slots, 3, 3) of R_IF, in the IMU frame [rad^2].
        active: (n_slots,) 0 unused, 1 position, 2 position and orientation.
        gate: see `absorb`.
        surprise: (n_slots, 2) squared Mahalanobis distances found, written; 0 where unused.
        rows: (4, n) scratch.
        work: (10 + n_slots, 3, 3) scratch.
    """
    R, p = x[0:9].reshape((3, 3)), x[STATE_P:STATE_BG]
    z, delta = work[3, 0], rows[3]
    for j in range(delta.shape[0]):
        delta[j] = 0.0
    for c in range(active.shape[0]):
        surprise[c, 0] = 0.0
        surprise[c, 1] = 0.0
        if active[c] == 0:
            continue
        at, row = STATE_CONTACTS + 12 * c, CONTACTS + 6 * c
        rotate(R, p_IF[c], z)
        for i in range(3):
            z[i] -= x[at + i] - p[i]
        turn_covariance(R, position_covariance[c], work[1], work[0])
        surprise[c, 0] = absorb(P, rows, row, POSITION, z, work[1], gate)
        if active[c] == 2:
            multiply(R, R_IF[c], work[0])
            multiply_transposed(work[0], x[at + 3 : at + 12].reshape((3, 3)), work[2])
            log3(work[2], z)
            turn_covariance(R, rotation_covariance[c], work[1], work[0])
            surprise[c, 1] = absorb(P, rows, row + 3, ROTATION, z, work[1], gate)
    retract(x, delta, active, work)


@kernel
def retract(x: Array, delta: Array, active: IntArray, work: Array) -> None:
    """X = Exp(delta) X, biases += delta: applies a correction on the group.

    Args:
        x: flat state, written.
        delta: (n,) correction, in the order of the error-state.
        active: (n_slots,) 0 unused, 1 position, 2 position and orientation.
        work: (10 + n_slots, 3, 3) scratch.
    """
    E, J, old = work[0], work[1], work[2]
    moved = work[3, 0]
    exp3(delta[ROTATION : ROTATION + 3], E)
    left_jacobian(delta[ROTATION : ROTATION + 3], J)
    turn_matrix(E, x[0:9].reshape((3, 3)), old)
    for k in range(2 + active.shape[0]):
        if k < 2:
            at, row = STATE_V + 3 * k, VELOCITY + 3 * k
        else:
            if active[k - 2] == 0:
                continue
            at, row = STATE_CONTACTS + 12 * (k - 2), CONTACTS + 6 * (k - 2)
        rotate(J, delta[row : row + 3], moved)
        rotate(E, x[at : at + 3], x[at : at + 3])
        for i in range(3):
            x[at + i] += moved[i]
    for i in range(6):
        x[STATE_BG + i] += delta[GYRO_BIAS + i]
    for c in range(active.shape[0]):
        if active[c] == 2:
            at, row = STATE_CONTACTS + 12 * c, CONTACTS + 6 * c
            exp3(delta[row + 3 : row + 6], E)
            turn_matrix(E, x[at + 3 : at + 12].reshape((3, 3)), old)


@kernel
def turn_matrix(E: Array, R: Array, work: Array) -> None:
    """R = E R, kept a rotation."""
    for i in range(3):
        for j in range(3):
            work[i, j] = R[i, j]
    multiply(E, work, R)
    orthonormalise(R, work)


@kernel
def open_slot(
    x: Array,
    P: Array,
    slot: int,
    p_IF: Array,
    R_IF: Array,
    position_covariance: Array,
    rotation_covariance: Array,
    kind: int,
    R: Array,
    active: IntArray,
    work: Array,
) -> None:
    """A contact closes: its pose enters the state where the encoders see it now, as sure as the IMU's own.

    Args:
        x: flat state, written.
        P: (n, n) covariance, written.
        slot: which contact.
        p_IF: (3,) position in the IMU frame [m].
        R_IF: (3, 3) orientation in the IMU frame.
        position_covariance: (3, 3) of p_IF, in the IMU frame [m^2].
        rotation_covariance: (3, 3) of R_IF, in the IMU frame [rad^2].
        kind: 1 position, 2 position and orientation.
        R: (3, 3) orientation of the IMU in the world.
        active: (n_slots,) written.
        work: (10 + n_slots, 3, 3) scratch.
    """
    at, row = STATE_CONTACTS + 12 * slot, CONTACTS + 6 * slot
    close_slot(P, slot, active)
    rotate(R, p_IF, x[at : at + 3])
    for i in range(3):
        x[at + i] += x[STATE_P + i]
    turn_covariance(R, position_covariance, work[1], work[0])
    copy_block(P, row, POSITION, work[1])
    if kind == 2:
        multiply(R, R_IF, x[at + 3 : at + 12].reshape((3, 3)))
        turn_covariance(R, rotation_covariance, work[1], work[0])
        copy_block(P, row + 3, ROTATION, work[1])
    active[slot] = kind


@kernel
def copy_block(P: Array, target: int, source: int, N: Array) -> None:
    """Makes error block `target` equal to `source` plus independent noise of covariance N."""
    n = P.shape[0]
    for i in range(3):
        for j in range(n):
            P[target + i, j] = P[source + i, j]
    for j in range(n):
        for i in range(3):
            P[j, target + i] = P[j, source + i]
    for i in range(3):
        for j in range(3):
            P[target + i, target + j] += N[i, j]


@kernel
def close_slot(P: Array, slot: int, active: IntArray) -> None:
    """A contact opens: its pose leaves the state (marginalised: rows and columns become zero)."""
    n = P.shape[0]
    row = CONTACTS + 6 * slot
    for i in range(row, row + 6):
        for j in range(n):
            P[i, j] = 0.0
            P[j, i] = 0.0
    active[slot] = 0


@kernel
def observe_contacts(
    x: Array,
    P: Array,
    wanted: IntArray,
    p_IF: Array,
    R_IF: Array,
    position_covariance: Array,
    rotation_covariance: Array,
    active: IntArray,
    gate: float,
    reference_quirks: bool,
    surprise: Array,
    rows: Array,
    work: Array,
) -> None:
    """Corrects with the contacts that stay, forgets those that opened, takes up those that closed.

    Args:
        x: flat state, written.
        P: (n, n) covariance, written.
        wanted: (n_slots,) 0 open, 1 closed point (position only), 2 closed sole (orientation too).
        p_IF: see `correct`.
        R_IF: see `correct`.
        position_covariance: see `correct`.
        rotation_covariance: see `correct`.
        active: (n_slots,) what the state holds, written.
        gate: see `absorb`.
        reference_quirks: place a new contact with the orientation from before the correction, as the
            authors' C++ does.
        surprise: see `correct`.
        rows: see `correct`.
        work: see `correct`.
    """
    R, R_new = x[0:9].reshape((3, 3)), work[4]
    for i in range(3):
        for j in range(3):
            R_new[i, j] = R[i, j]
    for c in range(active.shape[0]):
        if active[c] != 0 and wanted[c] != active[c]:
            close_slot(P, c, active)
    correct(x, P, p_IF, R_IF, position_covariance, rotation_covariance, active, gate, surprise, rows, work)
    for c in range(active.shape[0]):
        if active[c] == 0 and wanted[c] != 0:
            open_slot(
                x,
                P,
                c,
                p_IF[c],
                R_IF[c],
                position_covariance[c],
                rotation_covariance[c],
                wanted[c],
                R_new if reference_quirks else R,
                active,
                work,
            )
