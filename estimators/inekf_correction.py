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
    CORRECTION,
    GYRO_BIAS,
    POSITION,
    POSITION_SURPRISE,
    ROTATION,
    ROTATION_SURPRISE,
    SLOT_R,
    SLOT_ROTATION,
    SLOT_ROWS,
    SLOT_SIZE,
    SOLE,
    STATE_BG,
    STATE_CONTACTS,
    STATE_V,
    UNUSED,
    VELOCITY,
    ContactPoses,
    Filter,
)
from kilohertz.estimators.inekf_propagation import symmetrise
from kilohertz.estimators.so3 import (
    exp3,
    left_jacobian,
    log3,
    multiply,
    multiply_transposed,
    orthonormalise,
    rotate,
)
from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


@struct_kernel
def innovation_factor(
    rows: Array, target: int, source: int, N: Array, widening: float
) -> tuple[float, float, float, float, float, float]:
    """Computes the Cholesky factor of the 3 x 3 covariance of an innovation, without loops.

    Args:
        rows: (4, n) array whose first three rows are rows `target` minus rows `source` of the covariance.
        target: first row of the block that is measured.
        source: first row of the block relative to which it is measured.
        N: (3, 3) covariance of the measurement noise.
        widening: number that is added to the three variances.

    Returns:
        Inverses of the diagonal, then entries (1, 0), (2, 0), (2, 1); all zero if the matrix is not positive
        definite.
    """
    broken = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    s00 = rows[0, target] - rows[0, source] + N[0, 0] + widening
    s10 = rows[1, target] - rows[1, source] + N[1, 0]
    s11 = rows[1, target + 1] - rows[1, source + 1] + N[1, 1] + widening
    s20 = rows[2, target] - rows[2, source] + N[2, 0]
    s21 = rows[2, target + 1] - rows[2, source + 1] + N[2, 1]
    s22 = rows[2, target + 2] - rows[2, source + 2] + N[2, 2] + widening
    if not s00 > 0.0:
        return broken
    i00 = 1.0 / math.sqrt(s00)
    l10 = s10 * i00
    l20 = s20 * i00
    s11 -= l10 * l10
    if not s11 > 0.0:
        return broken
    i11 = 1.0 / math.sqrt(s11)
    l21 = (s21 - l20 * l10) * i11
    s22 -= l20 * l20 + l21 * l21
    if not s22 > 0.0:
        return broken
    return i00, i11, 1.0 / math.sqrt(s22), l10, l20, l21


@struct_kernel
def absorb(
    P: Array, rows: Array, target: int, source: int, z: Array, N: Array, gate: float, white: Array
) -> float:
    """Processes one measurement z = xi[target] - xi[source] + noise of covariance N.

    Only row CORRECTION of the mean is changed, so that several measurements of one instant are linearised at
    the same state. If the squared Mahalanobis distance exceeds the gate, the target (a contact that should
    not have moved) has slipped: its variance is increased until the distance is about equal to the gate.

    Args:
        P: (n, n) covariance, written.
        rows: (4, n) scratch; row CORRECTION is the correction from the measurements so far, written.
        target: first row of the block that is measured.
        source: first row of the block relative to which it is measured.
        z: (3,) innovation at the state before any correction.
        N: (3, 3) covariance of the measurement noise.
        gate: squared Mahalanobis distance above which the target counts as slipping; 0 for never.
        white: (3,) innovation multiplied by the inverse Cholesky factor of its covariance, written.

    Returns:
        The squared Mahalanobis distance of the innovation; negative if its covariance is not positive
        definite, in which case nothing was changed.
    """
    n = P.shape[0]
    delta = rows[CORRECTION]
    for i in range(3):
        for j in range(n):
            rows[i, j] = P[target + i, j] - P[source + i, j]
    z0 = z[0] - delta[target] + delta[source]
    z1 = z[1] - delta[target + 1] + delta[source + 1]
    z2 = z[2] - delta[target + 2] + delta[source + 2]
    surprise, widening = -1.0, 0.0
    for attempt in range(2):
        i00, i11, i22, l10, l20, l21 = innovation_factor(rows, target, source, N, widening)
        if i22 == 0.0:
            return -1.0
        y0 = z0 * i00
        y1 = (z1 - l10 * y0) * i11
        y2 = (z2 - l20 * y0 - l21 * y1) * i22
        distance = y0 * y0 + y1 * y1 + y2 * y2
        if attempt == 0:
            surprise = distance
            white[0], white[1], white[2] = y0, y1, y2
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
    reduce_covariance(P, rows)
    return surprise


@struct_kernel
def reduce_covariance(P: Array, rows: Array) -> None:
    """Computes P -= G' G in place, where G is the first three rows of `rows`."""
    n = P.shape[0]
    for i in range(n):
        a, b, c = rows[0, i], rows[1, i], rows[2, i]
        for j in range(n):
            P[i, j] -= a * rows[0, j] + b * rows[1, j] + c * rows[2, j]


@struct_kernel
def turn_covariance(R: Array, N: Array, N_W: Array, work: Array) -> None:
    """Rotates a covariance: writes N_W = R N R'."""
    multiply(R, N, work)
    multiply_transposed(work, R, N_W)


@struct_kernel
def correct(ekf: Filter, poses: ContactPoses) -> None:
    """Corrects the state with the pose of every contact in use, which follows from the joint encoders.

    Args:
        ekf: the filter, written.
        poses: poses of the contacts; `wanted` is not used here.
    """
    R, work, surprise = ekf.R_WI, ekf.work, ekf.surprise
    z, delta = work[3, 0], ekf.rows[CORRECTION]
    for j in range(delta.shape[0]):
        delta[j] = 0.0
    for c in range(ekf.active.shape[0]):
        surprise[c, POSITION_SURPRISE] = 0.0
        surprise[c, ROTATION_SURPRISE] = 0.0
        if ekf.active[c] == UNUSED:
            continue
        white = ekf.white[c]
        row = CONTACTS + SLOT_ROWS * c
        rotate(R, poses.p_IF[c], z)
        for i in range(3):
            z[i] -= ekf.contacts[c, i] - ekf.p_WI[i]
        turn_covariance(R, poses.position_covariance[c], work[1], work[0])
        surprise[c, POSITION_SURPRISE] = absorb(
            ekf.P, ekf.rows, row, POSITION, z, work[1], ekf.gate, white[POSITION_SURPRISE]
        )
        if ekf.active[c] == SOLE:
            multiply(R, poses.R_IF[c], work[0])
            multiply_transposed(work[0], ekf.contacts[c, SLOT_R:].reshape((3, 3)), work[2])
            log3(work[2], z)
            turn_covariance(R, poses.rotation_covariance[c], work[1], work[0])
            surprise[c, ROTATION_SURPRISE] = absorb(
                ekf.P,
                ekf.rows,
                row + SLOT_ROTATION,
                ROTATION,
                z,
                work[1],
                ekf.gate,
                white[ROTATION_SURPRISE],
            )
    retract(ekf, delta)


@struct_kernel
def retract(ekf: Filter, delta: Array) -> None:
    """Applies a correction to the state: X = Exp(delta) X on the group, and biases += delta.

    Args:
        ekf: the filter; its state is written.
        delta: (n,) correction, in the order of the error-state.
    """
    x, work = ekf.x, ekf.work
    E, J, old = work[0], work[1], work[2]
    moved = work[3, 0]
    exp3(delta[ROTATION : ROTATION + 3], E)
    left_jacobian(delta[ROTATION : ROTATION + 3], J)
    turn_matrix(E, ekf.R_WI, old)
    for k in range(2 + ekf.active.shape[0]):
        if k < 2:
            at, row = STATE_V + 3 * k, VELOCITY + 3 * k
        else:
            if ekf.active[k - 2] == UNUSED:
                continue
            at, row = STATE_CONTACTS + SLOT_SIZE * (k - 2), CONTACTS + SLOT_ROWS * (k - 2)
        rotate(J, delta[row : row + 3], moved)
        rotate(E, x[at : at + 3], x[at : at + 3])
        for i in range(3):
            x[at + i] += moved[i]
    # The bias of the accelerometer follows that of the gyro, in the state and in the error-state.
    for i in range(6):
        x[STATE_BG + i] += delta[GYRO_BIAS + i]
    for c in range(ekf.active.shape[0]):
        if ekf.active[c] == SOLE:
            row = CONTACTS + SLOT_ROWS * c + SLOT_ROTATION
            exp3(delta[row : row + 3], E)
            turn_matrix(E, ekf.contacts[c, SLOT_R:].reshape((3, 3)), old)


@struct_kernel
def turn_matrix(E: Array, R: Array, work: Array) -> None:
    """Computes R = E R in place, and makes the result orthonormal."""
    for i in range(3):
        for j in range(3):
            work[i, j] = R[i, j]
    multiply(E, work, R)
    orthonormalise(R, work)


@struct_kernel
def open_slot(ekf: Filter, slot: int, poses: ContactPoses, R: Array) -> None:
    """Adds a contact that closed to the state, at the pose that follows from the IMU pose and the encoders.

    The covariance of the new pose is that of the IMU pose plus that of the encoders.

    Args:
        ekf: the filter, written.
        slot: index of the contact.
        poses: poses of the contacts; `wanted` is the new content of the slot.
        R: (3, 3) orientation of the IMU in the world.
    """
    pose, work = ekf.contacts[slot], ekf.work
    row = CONTACTS + SLOT_ROWS * slot
    close_slot(ekf.P, slot, ekf.active)
    rotate(R, poses.p_IF[slot], pose[:3])
    for i in range(3):
        pose[i] += ekf.p_WI[i]
    turn_covariance(R, poses.position_covariance[slot], work[1], work[0])
    copy_block(ekf.P, row, POSITION, work[1])
    if poses.wanted[slot] == SOLE:
        multiply(R, poses.R_IF[slot], pose[SLOT_R:].reshape((3, 3)))
        turn_covariance(R, poses.rotation_covariance[slot], work[1], work[0])
        copy_block(ekf.P, row + SLOT_ROTATION, ROTATION, work[1])
    ekf.active[slot] = poses.wanted[slot]


@struct_kernel
def copy_block(P: Array, target: int, source: int, N: Array) -> None:
    """Sets error block `target` to block `source` plus independent noise of covariance N (3, 3)."""
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


@struct_kernel
def close_slot(P: Array, slot: int, active: IntArray) -> None:
    """Removes a contact that opened from the state: its rows and columns of P become zero (marginalised)."""
    n = P.shape[0]
    row = CONTACTS + SLOT_ROWS * slot
    for i in range(row, row + SLOT_ROWS):
        for j in range(n):
            P[i, j] = 0.0
            P[j, i] = 0.0
    active[slot] = UNUSED


@struct_kernel
def observe_contacts(ekf: Filter, poses: ContactPoses) -> None:
    """Corrects with the contacts that stay closed, removes those that opened, adds those that closed.

    With `reference_quirks` a new contact is placed with the orientation from before the correction, as the
    authors' C++ implementation does.

    Args:
        ekf: the filter, written.
        poses: poses of the contacts, and which of them the filter should use.
    """
    R, R_before = ekf.R_WI, ekf.work[4]
    for i in range(3):
        for j in range(3):
            R_before[i, j] = R[i, j]
    for c in range(ekf.active.shape[0]):
        if ekf.active[c] != UNUSED and poses.wanted[c] != ekf.active[c]:
            close_slot(ekf.P, c, ekf.active)
    correct(ekf, poses)
    for c in range(ekf.active.shape[0]):
        if ekf.active[c] == UNUSED and poses.wanted[c] != UNUSED:
            open_slot(ekf, c, poses, R_before if ekf.reference_quirks else R)


@struct_kernel
def correct_sample(ekf: Filter, poses: ContactPoses) -> None:
    """Calls `observe_contacts`, then makes P symmetric."""
    observe_contacts(ekf, poses)
    symmetrise(ekf.P, ekf.active)
