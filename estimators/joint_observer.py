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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]

# Start index of q in a sensor row, which holds seq, t_s, q, v, tau (na each), gyro, accel, contact forces.
ROW_Q = 2
# Largest plausible position [rad] and velocity [rad/s] of a joint.
_FARTHEST_RAD, _FASTEST_RAD_S = 1000.0, 1000.0
# Variance of the velocity of a joint that is assumed to be at rest [rad^2/s^2].
_REST_VARIANCE = 1e-4


class Joints(NamedTuple):
    """State and parameters of the joint observer."""

    q: Array
    """(na,) estimated joint positions [rad]."""
    v: Array
    """(na,) estimated joint velocities [rad/s]."""
    vdot: Array
    """(na,) estimated joint accelerations [rad/s^2]."""
    P: Array
    """(3, 3) covariance that all joints share, in the order position, velocity, acceleration."""
    encoder_variance_rad2: float
    """Variance of the encoder noise [rad^2]."""
    velocity_variance_rad2_s2: float
    """Variance of the noise of the measured velocity [rad^2/s^2]."""
    accel_sd_rad_s2: float
    """Standard deviation of the joint accelerations [rad/s^2]."""
    accel_time_s: float
    """Correlation time of the joint accelerations [s]."""


@struct_kernel
def velocities_at(na: int) -> int:
    """Returns the start index of the joint velocities in a sensor row of na joints."""
    return ROW_Q + na


@struct_kernel
def torques_at(na: int) -> int:
    """Returns the start index of the joint torques in a sensor row of na joints."""
    return ROW_Q + 2 * na


@struct_kernel
def gyro_at(na: int) -> int:
    """Returns the start index of the gyro (3 values) in a sensor row of na joints."""
    return ROW_Q + 3 * na


@struct_kernel
def accel_at(na: int) -> int:
    """Returns the start index of the accelerometer (3 values) in a sensor row of na joints."""
    return ROW_Q + 3 * na + 3


@struct_kernel
def contact_forces_at(na: int) -> int:
    """Returns the start index of the contact forces in a sensor row of na joints."""
    return ROW_Q + 3 * na + 6


def reset_joints(joints: Joints, q: Array) -> None:
    """Resets the observer to joints at rest at the encoder positions.

    Args:
        joints: the observer, written.
        q: (na,) encoder positions [rad].
    """
    joints.q[:] = q
    joints.v[:] = 0.0
    joints.vdot[:] = 0.0
    joints.P[:] = np.diag((joints.encoder_variance_rad2, _REST_VARIANCE, joints.accel_sd_rad_s2**2))


@struct_kernel
def joint_gains(
    joints: Joints, dt: float, keep: float, to_v: float, to_q: float
) -> tuple[float, float, float, float, float, float]:
    """Propagates the shared covariance over dt, corrects it with one sample, and computes the Kalman gains.

    Args:
        joints: the observer; its covariance is written.
        dt: time since the last sample, > 0 [s].
        keep: factor by which an acceleration decays in dt.
        to_v: change of the velocity in dt per unit of acceleration [s].
        to_q: change of the position in dt per unit of acceleration [s^2].

    Returns:
        Gains of the encoder on position, velocity and acceleration, then those of the measured velocity.
    """
    P = joints.P
    # The process noise is that of a random walk of the acceleration: exact in a, leading order in q and v.
    drive = joints.accel_sd_rad_s2**2 * (1.0 - keep * keep)
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
    # Correction with the encoder, then with the measured velocity.
    s = 1.0 / (p00 + joints.encoder_variance_rad2)
    k0, k1, k2 = p00 * s, p01 * s, p02 * s
    p11 -= k1 * p01
    p12 -= k1 * p02
    p22 -= k2 * p02
    p00, p01, p02 = p00 - k0 * p00, p01 - k0 * p01, p02 - k0 * p02
    s = 1.0 / (p11 + joints.velocity_variance_rad2_s2)
    g0, g1, g2 = p01 * s, p11 * s, p12 * s
    P[0, 0] = p00 - g0 * p01
    P[0, 1] = P[1, 0] = p01 - g0 * p11
    P[0, 2] = P[2, 0] = p02 - g0 * p12
    P[1, 1] = p11 - g1 * p11
    P[1, 2] = P[2, 1] = p12 - g1 * p12
    P[2, 2] = p22 - g2 * p12
    return k0, k1, k2, g0, g1, g2


@struct_kernel
def time_shares(accel_time_s: float, dt: float) -> tuple[float, float, float]:
    """Computes the transition of a decaying acceleration over dt [s].

    Returns:
        Decay factor of the acceleration, change of the velocity per unit of acceleration [s], and change of
        the position per unit of acceleration [s^2].
    """
    keep = math.exp(-dt / accel_time_s)
    to_v = accel_time_s * (1.0 - keep)
    return keep, to_v, accel_time_s * (dt - to_v)


@struct_kernel
def observe_joints(joints: Joints, q: Array, v: Array, dt: float) -> None:
    """Propagates all joint states over dt and corrects them with one sample.

    Args:
        joints: the observer, written.
        q: (na,) encoder positions [rad].
        v: (na,) measured velocities [rad/s].
        dt: time since the last sample, > 0 [s].
    """
    keep, to_v, to_q = time_shares(joints.accel_time_s, dt)
    k0, k1, k2, g0, g1, g2 = joint_gains(joints, dt, keep, to_v, to_q)
    for j in range(len(joints.q)):
        x = joints.q[j] + dt * joints.v[j] + to_q * joints.vdot[j]
        y = joints.v[j] + to_v * joints.vdot[j]
        z = keep * joints.vdot[j]
        e = q[j] - x
        x += k0 * e
        y += k1 * e
        z += k2 * e
        e = v[j] - y
        joints.q[j] = x + g0 * e
        joints.v[j] = y + g1 * e
        joints.vdot[j] = z + g2 * e


@struct_kernel
def believable_joints(q: Array, v: Array) -> bool:
    """Returns whether all joint measurements are finite and within 1000 rad and 1000 rad/s."""
    good = True
    for j in range(q.shape[0]):
        # NaN makes every comparison false.
        good = good and abs(q[j]) <= _FARTHEST_RAD and abs(v[j]) <= _FASTEST_RAD_S
    return good


def steady_deviation(joints: Joints, dt: float) -> Array:
    """Returns the steady-state standard deviations of the observer with samples every dt [s].

    Returns:
        (3,) SD of position [rad], velocity [rad/s] and acceleration [rad/s^2].
    """
    one = joints._replace(q=np.zeros(1), v=np.zeros(1), vdot=np.zeros(1), P=np.zeros((3, 3)))
    reset_joints(one, np.zeros(1))
    # A thousand interpreted steps take less time than compiling the kernel.
    gains: Callable[..., Any] = joint_gains.py_func  # type: ignore[attr-defined]
    passed: Callable[..., Any] = time_shares.py_func  # type: ignore[attr-defined]
    for _ in range(1000):
        gains(one, dt, *passed(joints.accel_time_s, dt))
    deviation: Array = np.sqrt(np.diagonal(one.P))
    return deviation
