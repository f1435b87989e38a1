"""Propagation step of the contact-aided right-invariant EKF: mean and covariance follow the IMU samples.

Source: Hartley et al., IJRR 2020, sections 4 and 6; the exact integrals over a sample are those of Bloesch,
see so3.py. State and error state are defined in inekf_layout.py.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.inekf_layout import (
    ACCEL,
    ACCEL_BIAS,
    ACCEL_WALK,
    CONTACTS,
    DRIFT,
    GYRO,
    GYRO_BIAS,
    GYRO_WALK,
    HAS_LAST,
    LAST_ACCEL,
    LAST_GYRO,
    POSITION,
    ROTATION,
    SIDE,
    SLOT_R,
    SLOT_ROTATION,
    SLOT_ROWS,
    SLOT_SIZE,
    SOLE,
    SPIN,
    STATE_CONTACTS,
    STATE_V,
    TURN,
    UNUSED,
    VARIANCE_FLOOR,
    VELOCITY,
    Filter,
)
from kilohertz.estimators.so3 import gammas, multiply, rotate
from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


# Index of each block in the bias columns of the transition matrix, see `apply_transition`.
R_BG, V_BG, V_BA, P_BG, P_BA, D_BG = range(6)
# Index of the first of these blocks in the scratch matrices of `propagate`.
_BLOCKS = 5
# Largest plausible angular velocity [rad/s] and specific force [m/s^2] of a legged robot.
_FASTEST_RAD_S, _HARDEST_M_S2 = 100.0, 1000.0
LONGEST_GAP_S = 1.0
"""Longest time between two samples that is accepted [s]."""


@struct_kernel
def add_process_noise(ekf: Filter, dt: float) -> None:
    """Adds the process noise over dt [s] to the covariance: P += Adj_X Q Adj_X' dt at the current state.

    Gyro noise rotates all vectors of the state about the world's origin, so that it couples each of them with
    every other: column X_i gets X_i^ R w_g, and block (i, j) becomes X_i^ X_j^' = (X_i . X_j) I - X_j X_i'.
    """
    P, x, noise = ekf.P, ekf.x, ekf.noise
    n_slots = ekf.active.shape[0]
    gyro = noise[GYRO] * dt
    for i in range(3):
        P[ROTATION + i, ROTATION + i] += gyro
        P[VELOCITY + i, VELOCITY + i] += noise[ACCEL] * dt
        P[GYRO_BIAS + i, GYRO_BIAS + i] += noise[GYRO_WALK] * dt
        P[ACCEL_BIAS + i, ACCEL_BIAS + i] += noise[ACCEL_WALK] * dt
    for a in range(2 + n_slots):
        if a < 2:
            row, at = VELOCITY + 3 * a, STATE_V + 3 * a
        else:
            if ekf.active[a - 2] == UNUSED:
                continue
            row, at = CONTACTS + SLOT_ROWS * (a - 2), STATE_CONTACTS + SLOT_SIZE * (a - 2)
            add_slot_noise(ekf, a - 2, dt)
        couple_with_rotation(P, row, gyro, x[at], x[at + 1], x[at + 2])
        for b in range(2 + n_slots):
            if b < 2:
                column, bt = VELOCITY + 3 * b, STATE_V + 3 * b
            else:
                if ekf.active[b - 2] == UNUSED:
                    continue
                column, bt = CONTACTS + SLOT_ROWS * (b - 2), STATE_CONTACTS + SLOT_SIZE * (b - 2)
            dot = gyro * (x[at] * x[bt] + x[at + 1] * x[bt + 1] + x[at + 2] * x[bt + 2])
            for i in range(3):
                P[row + i, column + i] += dot
                for j in range(3):
                    P[row + i, column + j] -= gyro * x[bt + i] * x[at + j]


@struct_kernel
def add_slot_noise(ekf: Filter, slot: int, dt: float) -> None:
    """Adds the drift of a contact, and the rotation of a sole, over dt [s] to P."""
    P, noise, pose = ekf.P, ekf.slot_noise, ekf.contacts[slot]
    row = CONTACTS + SLOT_ROWS * slot
    turning = row + SLOT_ROTATION
    for i in range(3):
        P[row + i, row + i] += noise[slot, DRIFT] * dt
        if ekf.active[slot] == SOLE:
            P[turning + i, turning + i] += noise[slot, TURN] * dt
            for j in range(3):
                # R_WF is stored row by row: its second column points to a side, its third is the normal.
                side_i, side_j = pose[SLOT_R + 1 + 3 * i], pose[SLOT_R + 1 + 3 * j]
                normal_i, normal_j = pose[SLOT_R + 2 + 3 * i], pose[SLOT_R + 2 + 3 * j]
                P[row + i, row + j] += noise[slot, SIDE] * dt * side_i * side_j
                P[turning + i, turning + j] += noise[slot, SPIN] * dt * normal_i * normal_j


@struct_kernel
def couple_with_rotation(P: Array, row: int, gyro: float, X0: float, X1: float, X2: float) -> None:
    """Adds gyro * X^ to the block (row, ROTATION) of P, and its transpose to the block (ROTATION, row)."""
    P[row, ROTATION + 1] -= gyro * X2
    P[row, ROTATION + 2] += gyro * X1
    P[row + 1, ROTATION] += gyro * X2
    P[row + 1, ROTATION + 2] -= gyro * X0
    P[row + 2, ROTATION] -= gyro * X1
    P[row + 2, ROTATION + 1] += gyro * X0
    P[ROTATION + 1, row] -= gyro * X2
    P[ROTATION + 2, row] += gyro * X1
    P[ROTATION, row + 1] += gyro * X2
    P[ROTATION + 2, row + 1] -= gyro * X0
    P[ROTATION, row + 2] -= gyro * X1
    P[ROTATION + 1, row + 2] += gyro * X0


@struct_kernel
def add_rows(P: Array, target: int, source: int, B: Array) -> None:
    """Adds B times the three rows of P from `source` to the three rows from `target`."""
    n = P.shape[1]
    for i in range(3):
        b0, b1, b2 = B[i, 0], B[i, 1], B[i, 2]
        for j in range(n):
            P[target + i, j] += b0 * P[source, j] + b1 * P[source + 1, j] + b2 * P[source + 2, j]


@struct_kernel
def apply_transition(P: Array, blocks: Array, active: IntArray, dt: float, g: float, half: float) -> None:
    """Computes P = Phi P in place for the transition matrix Phi of one step.

    Phi is the identity plus these blocks: velocity to position (dt); tilt to velocity (g = |g| dt) and to
    position (half = |g| dt^2 / 2), because of gravity; and the bias columns in `blocks` (5 + slots, 3, 3):
    R-bg, v-bg, v-ba, p-bg, p-ba, then d_c-bg (see R_BG and the constants in the same line). The order of the
    row updates is such that each one reads only old values.
    """
    n = P.shape[1]
    add_rows(P, POSITION, GYRO_BIAS, blocks[P_BG])
    add_rows(P, POSITION, ACCEL_BIAS, blocks[P_BA])
    # g^ for g = (0, 0, -gravity): rows (0, gravity, 0), (-gravity, 0, 0), 0.
    for j in range(n):
        P[POSITION, j] += dt * P[VELOCITY, j] + half * P[ROTATION + 1, j]
        P[POSITION + 1, j] += dt * P[VELOCITY + 1, j] - half * P[ROTATION, j]
        P[POSITION + 2, j] += dt * P[VELOCITY + 2, j]
    add_rows(P, VELOCITY, GYRO_BIAS, blocks[V_BG])
    add_rows(P, VELOCITY, ACCEL_BIAS, blocks[V_BA])
    for j in range(n):
        P[VELOCITY, j] += g * P[ROTATION + 1, j]
        P[VELOCITY + 1, j] -= g * P[ROTATION, j]
    for c in range(active.shape[0]):
        if active[c] != UNUSED:
            add_rows(P, CONTACTS + SLOT_ROWS * c, GYRO_BIAS, blocks[D_BG + c])
    add_rows(P, ROTATION, GYRO_BIAS, blocks[R_BG])


@struct_kernel
def transpose(P: Array) -> None:
    """Transposes P in place."""
    for i in range(P.shape[0]):
        for j in range(i):
            P[i, j], P[j, i] = P[j, i], P[i, j]


@struct_kernel
def symmetrise(P: Array, active: IntArray) -> None:
    """Computes P = (P + P') / 2 in place, and applies VARIANCE_FLOOR to the variances of states in use."""
    for i in range(P.shape[0]):
        for j in range(i):
            mean = 0.5 * (P[i, j] + P[j, i])
            P[i, j] = mean
            P[j, i] = mean
        used = True
        if i >= CONTACTS:
            used = active[(i - CONTACTS) // SLOT_ROWS] > ((i - CONTACTS) % SLOT_ROWS) // SLOT_ROTATION
        if used and P[i, i] < VARIANCE_FLOOR:
            P[i, i] = VARIANCE_FLOOR


@struct_kernel
def cross_columns(a: Array, B: Array, C: Array) -> None:
    """Writes C = a^ B, the cross product of a with each column of B."""
    for j in range(3):
        C[0, j] = a[1] * B[2, j] - a[2] * B[1, j]
        C[1, j] = a[2] * B[0, j] - a[0] * B[2, j]
        C[2, j] = a[0] * B[1, j] - a[1] * B[0, j]


@struct_kernel
def propagate(ekf: Filter, gyro: Array, accel: Array, dt: float) -> None:
    """Propagates mean and covariance over dt, during which the IMU measurements are constant.

    The mean is exact. The transition matrix is accurate to second order in dt; half of the noise is added
    before it and half after it. With `reference_quirks` the step is that of the authors' C++ implementation:
    specific forces are rotated with the old orientation, the transition matrix is I + A dt, and all noise is
    added before it.

    Args:
        ekf: the filter, written.
        gyro: (3,) measured w_WI_I [rad/s].
        accel: (3,) measured specific force in the IMU frame [m/s^2].
        dt: length of the step [s].
    """
    R, v, p, work = ekf.R_WI, ekf.v_WI, ekf.p_WI, ekf.work
    G0, G1, G2 = work[0], work[1], work[2]
    turn, force, velocity_rate, position_rate = work[3, 0], work[3, 1], work[3, 2], work[4, 0]
    blocks = work[_BLOCKS:]
    before = dt if ekf.reference_quirks else 0.5 * dt
    for i in range(3):
        turn[i] = (gyro[i] - ekf.gyro_bias[i]) * dt
        force[i] = accel[i] - ekf.accel_bias[i]
    gammas(turn, G0, G1, G2)
    if ekf.reference_quirks:
        for i in range(3):
            for j in range(3):
                G1[i, j] = 1.0 if i == j else 0.0
                G2[i, j] = 0.5 * G1[i, j]
    add_process_noise(ekf, before)
    transition_blocks(ekf, dt)
    half = (0.0 if ekf.reference_quirks else 1.0) * 0.5 * dt
    for _ in range(2):
        apply_transition(ekf.P, blocks, ekf.active, dt, ekf.gravity_m_s2 * dt, ekf.gravity_m_s2 * half * dt)
        transpose(ekf.P)

    # A known contact velocity u in the IMU's axes, d' = R u, does not change the dynamics of the error.
    for c in range(ekf.active.shape[0]):
        if ekf.active[c] != UNUSED:
            rotate(R, ekf.slot_velocity[c], turn)
            for i in range(3):
                ekf.contacts[c, i] += dt * turn[i]
    for i in range(3):
        p[i] += dt * (v[i] + dt * position_rate[i])
        v[i] += dt * velocity_rate[i]
        for j in range(3):
            G1[i, j] = R[i, j]
    multiply(G1, G0, R)
    add_process_noise(ekf, dt - before)


@struct_kernel
def transition_blocks(ekf: Filter, dt: float) -> None:
    """Computes the rates of velocity and position in one step, and the bias columns of its transition matrix.

    Args:
        ekf: the filter. Inputs in `work`: matrices 1 and 2 are the single and double integral of the rotation
            over the step, row (3, 1) is the specific force in the IMU frame [m/s^2]. Outputs in `work`: row
            (3, 2) is the rate of the velocity [m/s^2], row (4, 0) the change of the position beyond v dt,
            divided by dt^2 [m/s^2], and the blocks of `apply_transition` start at matrix _BLOCKS.
        dt: length of the step [s].
    """
    R, v, p, work, gravity = ekf.R_WI, ekf.v_WI, ekf.p_WI, ekf.work, ekf.gravity_m_s2
    force, velocity_rate, position_rate = work[3, 1], work[3, 2], work[4, 0]
    v_middle, p_middle, blocks = work[4, 1], work[4, 2], work[_BLOCKS:]
    R_bg, v_bg, v_ba, p_bg, p_ba = blocks[R_BG], blocks[V_BG], blocks[V_BA], blocks[P_BG], blocks[P_BA]
    second = 0.0 if ekf.reference_quirks else 1.0
    multiply(R, work[1], R_bg)
    multiply(R, work[2], p_ba)
    rotate(R_bg, force, velocity_rate)
    rotate(p_ba, force, position_rate)
    velocity_rate[2] -= gravity
    position_rate[2] -= 0.5 * gravity
    for i in range(3):
        for j in range(3):
            R_bg[i, j] *= -dt
            v_ba[i, j] = R_bg[i, j]
            p_ba[i, j] *= -second * dt * dt
        v_middle[i] = v[i] + second * 0.5 * dt * velocity_rate[i]
        p_middle[i] = p[i] + second * 0.5 * dt * (v[i] + dt * position_rate[i])
    cross_columns(v_middle, R_bg, v_bg)
    cross_columns(p_middle, R_bg, p_bg)
    half = second * 0.5 * dt
    for j in range(3):
        v_bg[0, j] += half * gravity * R_bg[1, j]
        v_bg[1, j] -= half * gravity * R_bg[0, j]
        for i in range(3):
            p_bg[i, j] += half * v_bg[i, j]
    for c in range(ekf.active.shape[0]):
        cross_columns(ekf.contacts[c], R_bg, blocks[D_BG + c])


@struct_kernel
def believable(gyro: Array, accel: Array) -> bool:
    """Returns whether an IMU sample is finite and plausible: at most 100 rad/s and 1000 m/s^2 per axis."""
    good = True
    for i in range(3):
        # NaN makes every comparison false.
        good = good and abs(gyro[i]) <= _FASTEST_RAD_S and abs(accel[i]) <= _HARDEST_M_S2
    return good


@struct_kernel
def advance(ekf: Filter, gyro: Array, accel: Array, dt: float) -> bool:
    """Propagates the state from the last IMU sample to this one.

    Between two samples, the IMU measurement is assumed to be their mean; the authors' C++ implementation uses
    the earlier sample. Long gaps are divided into equal steps.

    Args:
        ekf: the filter, written.
        gyro: (3,) measured w_WI_I now [rad/s].
        accel: (3,) measured specific force in the IMU frame now [m/s^2].
        dt: time since the last sample, 0 < dt <= LONGEST_GAP_S [s].

    Returns:
        False if the sample or dt is not plausible; then nothing was changed.
    """
    if not (believable(gyro, accel) and dt > 0.0 and dt <= LONGEST_GAP_S):
        return False
    memory, mean = ekf.memory, ekf.work[ekf.work.shape[0] - 1]
    for i in range(3):
        if ekf.reference_quirks:
            mean[0, i] = memory[LAST_GYRO + i]
            mean[1, i] = memory[LAST_ACCEL + i]
        elif memory[HAS_LAST] == 0.0:
            mean[0, i] = gyro[i]
            mean[1, i] = accel[i]
        else:
            mean[0, i] = 0.5 * (memory[LAST_GYRO + i] + gyro[i])
            mean[1, i] = 0.5 * (memory[LAST_ACCEL + i] + accel[i])
    steps = 1 if ekf.reference_quirks else max(1, math.ceil(dt / ekf.max_step_s - 1e-9))
    for _ in range(steps):
        propagate(ekf, mean[0], mean[1], dt / steps)
    for i in range(3):
        memory[LAST_GYRO + i] = gyro[i]
        memory[LAST_ACCEL + i] = accel[i]
    memory[HAS_LAST] = 1.0
    return True


@struct_kernel
def advance_sample(ekf: Filter, gyro: Array, accel: Array, dt: float) -> bool:
    """Calls `advance`, then makes P symmetric; for a filter without a correction in the same tick."""
    done = advance(ekf, gyro, accel, dt)
    if done:
        symmetrise(ekf.P, ekf.active)
    return done
