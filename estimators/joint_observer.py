"""Kalman filter for joint position, velocity and acceleration, from encoder and measured velocity.

The acceleration of each joint is modelled as a first-order Markov process (Singer's model), with a standard
deviation and a correlation time. All joints have the same noises, so that they share one 3 x 3 covariance and
one gain, which are computed for the actual period.

Source: Singer, "Estimating optimal tracking filter performance for manned maneuvering targets", IEEE
Trans. Aerospace and Electronic Systems, 1970.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.compile.kernels import kernel

Array = NDArray[np.float64]

# Where a sensor row's fields start: seq, t_s, then q, v, tau (na each), gyro, accel, contact forces.
ROW_Q = 2
# Entries of the parameter vector of `observe_joints`.
ENCODER_VARIANCE, VELOCITY_VARIANCE, ACCEL_SD, ACCEL_TIME, N_PARAMETERS = 0, 1, 2, 3, 4


def reset_joints(state: Array, P: Array, q: Array, parameters: Array) -> None:
    """Joints at rest where the encoders say.

    Args:
        state: (3, na) position [rad], velocity [rad/s], acceleration [rad/s^2], written.
        P: (3, 3) shared covariance, written.
        q: (na,) encoder positions [rad].
        parameters: (4,) see ENCODER_VARIANCE and the names beside it.
    """
    state[0] = q
    state[1:] = 0.0
    P[:] = np.diag((parameters[ENCODER_VARIANCE], 1e-4, parameters[ACCEL_SD] ** 2))


@kernel
def observe_joints(state: Array, P: Array, q: Array, v: Array, dt: float, parameters: Array) -> None:
    """Carries all joints on by dt and corrects them with one sample.

    Args:
        state: (3, na) position [rad], velocity [rad/s], acceleration [rad/s^2], written.
        P: (3, 3) shared covariance, written.
        q: (na,) encoder positions [rad].
        v: (na,) measured velocities [rad/s].
        dt: time since the last sample, > 0 [s].
        parameters: (4,) see ENCODER_VARIANCE and the names beside it.
    """
    tau = parameters[ACCEL_TIME]
    keep = math.exp(-dt / tau)
    to_v = tau * (1.0 - keep)
    to_q = tau * (dt - to_v)
    # Acceleration noise enters as its random walk would; exact in a, to leading order in q and v.
    drive = parameters[ACCEL_SD] ** 2 * (1.0 - keep * keep)
    p00, p01, p02 = P[0, 0], P[0, 1], P[0, 2]
    p11, p12, p22 = P[1, 1], P[1, 2], P[2, 2]
    # P = F P F' + Q with F = [[1, dt, to_q], [0, 1, to_v], [0, 0, keep]].
    a00 = p00 + dt * p01 + to_q * p02
    a01 = p01 + dt * p11 + to_q * p12
    a02 = p02 + dt * p12 + to_q * p22
    a11 = p11 + to_v * p12
    a12 = p12 + to_v * p22
    p00 = a00 + dt * a01 + to_q * a02 + drive * dt**4 / 20.0
    p01 = a01 + to_v * a02 + drive * dt**3 / 8.0
    p02 = keep * a02 + drive * dt * dt / 6.0
    p11 = a11 + to_v * a12 + drive * dt * dt / 3.0
    p12 = keep * a12 + drive * dt / 2.0
    p22 = keep * keep * p22 + drive
    # Encoder, then velocity.
    s = 1.0 / (p00 + parameters[ENCODER_VARIANCE])
    k0, k1, k2 = p00 * s, p01 * s, p02 * s
    p11 -= k1 * p01
    p12 -= k1 * p02
    p22 -= k2 * p02
    p00, p01, p02 = p00 - k0 * p00, p01 - k0 * p01, p02 - k0 * p02
    s = 1.0 / (p11 + parameters[VELOCITY_VARIANCE])
    g0, g1, g2 = p01 * s, p11 * s, p12 * s
    P[0, 0] = p00 - g0 * p01
    P[0, 1] = P[1, 0] = p01 - g0 * p11
    P[0, 2] = P[2, 0] = p02 - g0 * p12
    P[1, 1] = p11 - g1 * p11
    P[1, 2] = P[2, 1] = p12 - g1 * p12
    P[2, 2] = p22 - g2 * p12
    for j in range(state.shape[1]):
        x = state[0, j] + dt * state[1, j] + to_q * state[2, j]
        y = state[1, j] + to_v * state[2, j]
        z = keep * state[2, j]
        e = q[j] - x
        x += k0 * e
        y += k1 * e
        z += k2 * e
        e = v[j] - y
        state[0, j] = x + g0 * e
        state[1, j] = y + g1 * e
        state[2, j] = z + g2 * e


@kernel
def believable_joints(q: Array, v: Array) -> bool:
    """Whether all joint measurements are finite and within 1000 rad, 1000 rad/s."""
    good = True
    for j in range(q.shape[0]):
        # NaN fails every comparison.
        good = good and abs(q[j]) <= 1000.0 and abs(v[j]) <= 1000.0
    return good


@kernel
def take_sample(row: Array, dt: float, state: Array, P: Array, parameters: Array) -> bool:
    """Observes the joints of a sensor row; returns False, and touches nothing, where it is not believable."""
    na = state.shape[1]
    q, v = row[ROW_Q : ROW_Q + na], row[ROW_Q + na : ROW_Q + 2 * na]
    if not (believable_joints(q, v) and dt > 0.0):
        return False
    observe_joints(state, P, q, v, dt, parameters)
    return True


def steady_deviation(parameters: Array, dt: float) -> Array:
    """(3,) SD of position [rad], velocity [rad/s], acceleration [rad/s^2] of the settled observer."""
    state, P, zero = np.zeros((3, 1)), np.zeros((3, 3)), np.zeros(1)
    reset_joints(state, P, zero, parameters)
    # A thousand steps interpreted take less time than compiling them would.
    observe: Callable[..., None] = observe_joints.py_func  # type: ignore[attr-defined]
    for _ in range(1000):
        observe(state, P, zero, zero, dt, parameters)
    deviation: Array = np.sqrt(np.diagonal(P))
    return deviation
