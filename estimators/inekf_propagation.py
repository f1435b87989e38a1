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
    GYRO,
    GYRO_BIAS,
    GYRO_WALK,
    POSITION,
    ROTATION,
    STATE_BA,
    STATE_BG,
    STATE_CONTACTS,
    STATE_P,
    STATE_V,
    VARIANCE_FLOOR,
    VELOCITY,
)
from kilohertz.estimators.so3 import gammas, multiply, rotate
from kilohertz.robots.compile.kernels import kernel

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


@kernel
def add_process_noise(
    P: Array, x: Array, noise: Array, slot_noise: Array, active: IntArray, dt: float
) -> None:
    """P += Adj_X Q Adj_X' dt at the present state.

    Gyro noise turns the whole world about its origin, so it couples every position with every other:
    column X_i gets X_i^ R w_g, and the block (i, j) becomes X_i^ X_j^' = (X_i . X_j) I - X_j X_i'.
    """
    n_slots = active.shape[0]
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
            if active[a - 2] == 0:
                continue
            row, at = CONTACTS + 6 * (a - 2), STATE_CONTACTS + 12 * (a - 2)
            for i in range(3):
                P[row + i, row + i] += slot_noise[a - 2, 0] * dt
                if active[a - 2] == 2:
                    P[row + 3 + i, row + 3 + i] += slot_noise[a - 2, 1] * dt
                    for j in range(3):
                        # The third column of Rf, the sole's normal, is every third entry from its third.
                        normal_i, normal_j = x[at + 5 + 3 * i], x[at + 5 + 3 * j]
                        P[row + 3 + i, row + 3 + j] += slot_noise[a - 2, 2] * dt * normal_i * normal_j
        X0, X1, X2 = x[at], x[at + 1], x[at + 2]
        # Block (X_a, R) = X_a^, and its transpose.
        P[row, 1] -= gyro * X2
        P[row, 2] += gyro * X1
        P[row + 1, 0] += gyro * X2
        P[row + 1, 2] -= gyro * X0
        P[row + 2, 0] -= gyro * X1
        P[row + 2, 1] += gyro * X0
        P[1, row] -= gyro * X2
        P[2, row] += gyro * X1
        P[0, row + 1] += gyro * X2
        P[2, row + 1] -= gyro * X0
        P[0, row + 2] -= gyro * X1
        P[1, row + 2] += gyro * X0
        for b in range(2 + n_slots):
            if b < 2:
                column, bt = VELOCITY + 3 * b, STATE_V + 3 * b
            else:
                if active[b - 2] == 0:
                    continue
                column, bt = CONTACTS + 6 * (b - 2), STATE_CONTACTS + 12 * (b - 2)
            dot = gyro * (X0 * x[bt] + X1 * x[bt + 1] + X2 * x[bt + 2])
            for i in range(3):
                P[row + i, column + i] += dot
                for j in range(3):
                    P[row + i, column + j] -= gyro * x[bt + i] * x[at + j]


@kernel
def add_rows(P: Array, target: int, source: int, B: Array) -> None:
    """Three rows of P from `target` += B times the three rows from `source`."""
    n = P.shape[1]
    for i in range(3):
        b0, b1, b2 = B[i, 0], B[i, 1], B[i, 2]
        for j in range(n):
            P[target + i, j] += b0 * P[source, j] + b1 * P[source + 1, j] + b2 * P[source + 2, j]


@kernel
def apply_transition(P: Array, blocks: Array, active: IntArray, dt: float, g: float, half: float) -> None:
    """P = Phi P for the transition matrix of one step.

    Phi is the identity plus: velocity into position (dt), gravity turning tilt into velocity (g = |g| dt)
    and position (half = |g| dt^2 / 2), and the bias columns in `blocks` (5 + slots, 3, 3): R-bg, v-bg,
    v-ba, p-bg, p-ba, then d_c-bg. Rows are updated in an order in which each reads only old values.
    """
    n = P.shape[1]
    add_rows(P, POSITION, GYRO_BIAS, blocks[3])
    add_rows(P, POSITION, ACCEL_BIAS, blocks[4])
    # g^ for g = (0, 0, -gravity): rows (0, gravity, 0), (-gravity, 0, 0), 0.
    for j in range(n):
        P[POSITION, j] += dt * P[VELOCITY, j] + half * P[ROTATION + 1, j]
        P[POSITION + 1, j] += dt * P[VELOCITY + 1, j] - half * P[ROTATION, j]
        P[POSITION + 2, j] += dt * P[VELOCITY + 2, j]
    add_rows(P, VELOCITY, GYRO_BIAS, blocks[1])
    add_rows(P, VELOCITY, ACCEL_BIAS, blocks[2])
    for j in range(n):
        P[VELOCITY, j] += g * P[ROTATION + 1, j]
        P[VELOCITY + 1, j] -= g * P[ROTATION, j]
    for c in range(active.shape[0]):
        if active[c] != 0:
            add_rows(P, CONTACTS + 6 * c, GYRO_BIAS, blocks[5 + c])
    add_rows(P, ROTATION, GYRO_BIAS, blocks[0])


@kernel
def transpose(P: Array) -> None:
    """P = P' in place."""
    for i in range(P.shape[0]):
        for j in range(i):
            P[i, j], P[j, i] = P[j, i], P[i, j]


@kernel
def symmetrise(P: Array, active: IntArray) -> None:
    """P = (P + P') / 2 with a floor under the variances of the states in use."""
    for i in range(P.shape[0]):
        for j in range(i):
            mean = 0.5 * (P[i, j] + P[j, i])
            P[i, j] = mean
            P[j, i] = mean
        used = True
        if i >= CONTACTS:
            used = active[(i - CONTACTS) // 6] > ((i - CONTACTS) % 6) // 3
        if used and P[i, i] < VARIANCE_FLOOR:
            P[i, i] = VARIANCE_FLOOR


@kernel
def cross_columns(a: Array, B: Array, C: Array) -> None:
    """C = a^ B."""
    for j in range(3):
        C[0, j] = a[1] * B[2, j] - a[2] * B[1, j]
        C[1, j] = a[2] * B[0, j] - a[0] * B[2, j]
        C[2, j] = a[0] * B[1, j] - a[1] * B[0, j]


@kernel
def propagate(
    x: Array,
    P: Array,
    gyro: Array,
    accel: Array,
    dt: float,
    gravity: float,
    noise: Array,
    slot_noise: Array,
    slot_velocity: Array,
    active: IntArray,
    reference_quirks: bool,
    work: Array,
) -> None:
    """One inertial step over dt in which the IMU reads `gyro`, `accel` throughout: exact for the mean.

    The transition is good to second order in dt and the noise is put in half before, half after it. With
    `reference_quirks` the step is the authors' C++: forces turned with the old orientation, transition
    I + A dt, and all the noise before it.

    Args:
        x: flat state, written.
        P: (n, n) covariance, written.
        gyro: (3,) measured w_WI_I [rad/s].
        accel: (3,) measured specific force in the IMU frame [m/s^2].
        dt: length of the step [s].
        gravity: magnitude [m/s^2], along -z of the world.
        noise: (4,) spectral densities, see GYRO and the names beside it.
        slot_noise: (n_slots, 3) spectral density of each contact's drift [m^2/s], its turning about any axis
            [rad^2/s], and what comes on top about its normal.
        slot_velocity: (n_slots, 3) known motion of each contact, in the IMU's axes [m/s].
        active: (n_slots,) 0 unused, 1 position, 2 position and orientation.
        reference_quirks: reproduce the authors' implementation.
        work: (10 + n_slots, 3, 3) scratch.
    """
    R, v, p = x[0:9].reshape((3, 3)), x[STATE_V:STATE_P], x[STATE_P:STATE_BG]
    G0, G1, G2 = work[0], work[1], work[2]
    turn, force, velocity_rate = work[3, 0], work[3, 1], work[3, 2]
    position_rate, v_middle, p_middle = work[4, 0], work[4, 1], work[4, 2]
    blocks = work[5:]
    second = 0.0 if reference_quirks else 1.0
    before = dt if reference_quirks else 0.5 * dt
    for i in range(3):
        turn[i] = (gyro[i] - x[STATE_BG + i]) * dt
        force[i] = accel[i] - x[STATE_BA + i]
    gammas(turn, G0, G1, G2)
    if reference_quirks:
        for i in range(3):
            for j in range(3):
                G1[i, j] = 1.0 if i == j else 0.0
                G2[i, j] = 0.5 * G1[i, j]
    add_process_noise(P, x, noise, slot_noise, active, before)

    R_bg, v_bg, v_ba, p_bg, p_ba = blocks[0], blocks[1], blocks[2], blocks[3], blocks[4]
    multiply(R, G1, R_bg)
    multiply(R, G2, p_ba)
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
    for c in range(active.shape[0]):
        at = STATE_CONTACTS + 12 * c
        cross_columns(x[at : at + 3], R_bg, blocks[5 + c])
    for _ in range(2):
        apply_transition(P, blocks, active, dt, gravity * dt, gravity * half * dt)
        transpose(P)

    # A contact that moves as the robot knows, d' = R u, keeps the error's dynamics as they are.
    for c in range(active.shape[0]):
        if active[c] != 0:
            at = STATE_CONTACTS + 12 * c
            rotate(R, slot_velocity[c], turn)
            for i in range(3):
                x[at + i] += dt * turn[i]
    for i in range(3):
        p[i] += dt * (v[i] + dt * position_rate[i])
        v[i] += dt * velocity_rate[i]
        for j in range(3):
            G1[i, j] = R[i, j]
    multiply(G1, G0, R)
    add_process_noise(P, x, noise, slot_noise, active, dt - before)


@kernel
def believable(gyro: Array, accel: Array) -> bool:
    """Whether an IMU sample is finite and within what any legged robot can feel (100 rad/s, 1000 m/s^2)."""
    good = True
    for i in range(3):
        # NaN fails every comparison.
        good = good and abs(gyro[i]) <= 100.0 and abs(accel[i]) <= 1000.0
    return good


@kernel
def advance(
    x: Array,
    P: Array,
    memory: Array,
    gyro: Array,
    accel: Array,
    dt: float,
    max_step: float,
    gravity: float,
    noise: Array,
    slot_noise: Array,
    slot_velocity: Array,
    active: IntArray,
    reference_quirks: bool,
    work: Array,
) -> bool:
    """Carries the state from the last IMU sample to this one, dt later.

    Between two samples the IMU is taken to read their mean (midpoint rule); the authors' C++ takes the
    earlier one. Long gaps are cut into equal steps.

    Args:
        x: flat state, written.
        P: (n, n) covariance, written.
        memory: (7,) the last sample (gyro, accel) and whether there is one, written.
        gyro: (3,) measured w_WI_I now [rad/s].
        accel: (3,) measured specific force in the IMU frame now [m/s^2].
        dt: time since the last sample [s], 0 < dt <= 1.
        max_step: longest step taken at once [s].
        gravity: magnitude [m/s^2].
        noise: see `propagate`.
        slot_noise: see `propagate`.
        slot_velocity: see `propagate`.
        active: see `propagate`.
        reference_quirks: see `propagate`.
        work: see `propagate`.

    Returns:
        False when the sample or dt is not believable; then nothing was touched.
    """
    if not (believable(gyro, accel) and dt > 0.0 and dt <= 1.0):
        return False
    mean = work[work.shape[0] - 1]
    for i in range(3):
        if reference_quirks:
            mean[0, i] = memory[i]
            mean[1, i] = memory[3 + i]
        elif memory[6] == 0.0:
            mean[0, i] = gyro[i]
            mean[1, i] = accel[i]
        else:
            mean[0, i] = 0.5 * (memory[i] + gyro[i])
            mean[1, i] = 0.5 * (memory[3 + i] + accel[i])
    steps = 1 if reference_quirks else max(1, math.ceil(dt / max_step - 1e-9))
    for _ in range(steps):
        propagate(
            x,
            P,
            mean[0],
            mean[1],
            dt / steps,
            gravity,
            noise,
            slot_noise,
            slot_velocity,
            active,
            reference_quirks,
            work,
        )
    for i in range(3):
        memory[i] = gyro[i]
        memory[3 + i] = accel[i]
    memory[6] = 1.0
    return True
