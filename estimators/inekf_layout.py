"""Memory layout of the state and error-state of the contact-aided right-invariant EKF.

The state X on the group is R = R_WI (IMU orientation), v = v_WI, p = p_WI, and for each contact slot c its
position d = p_WF and orientation Rf = R_WF, all in the world. The biases bg of the gyro and ba of the
accelerometer are estimated in addition. The state is stored in one flat array (the STATE_ names below).

The error is right-invariant: the true state is X = Exp(xi) X_hat, where X_hat is the estimate, so that xi is
expressed in the world. The error of a bias is the true minus the estimated bias. The error-state consists of
blocks of three: [R, v, p, bg, ba, d_0, Rf_0, d_1, Rf_1, ...]. A slot that is not in use has zero rows and
columns in the covariance P.

Source: Hartley, Ghaffari, Eustice, Grizzle, "Contact-aided invariant extended Kalman filtering for robot
state estimation", IJRR 2020; its error has the opposite sign, X_hat = Exp(xi) X. The contact orientation in
addition to the position follows Rotella et al., "State estimation for a humanoid robot", IROS 2014, with the
right-invariant error of SO(3).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

# First row of each block of the error-state.
ROTATION, VELOCITY, POSITION, GYRO_BIAS, ACCEL_BIAS, CONTACTS = 0, 3, 6, 9, 12, 15
# Start index of v, p, bg, ba and the slots in the flat state. Lengths: R 9, v 3, p 3, bg 3, ba 3, then 12
# for each slot (d 3, Rf 9).
STATE_V, STATE_P, STATE_BG, STATE_BA, STATE_CONTACTS = 9, 12, 15, 18, 21
# Length of one slot in the flat state, and offset of its orientation.
SLOT_SIZE, SLOT_R = 12, 3
# Number of rows of one slot in the error-state, and offset of its orientation.
SLOT_ROWS, SLOT_ROTATION = 6, 3
# Content of a slot: nothing, a position, or a position and an orientation.
UNUSED, POINT, SOLE = 0, 1, 2
# Start index of each part of `Filter.memory`: gyro (3), accelerometer (3), and 1 once there is a sample.
LAST_GYRO, LAST_ACCEL, HAS_LAST, MEMORY_SIZE = 0, 3, 6, 7
# Columns of `Filter.slot_noise`: drift [m^2/s], rotation about any axis [rad^2/s], additional rotation about
# the normal of a sole [rad^2/s], and additional drift of a sole to its sides [m^2/s].
DRIFT, TURN, SPIN, SIDE = 0, 1, 2, 3
# Columns of `Filter.surprise`: squared Mahalanobis distance of position and orientation.
POSITION_SURPRISE, ROTATION_SURPRISE = 0, 1
# Row of `Filter.rows` that holds the last correction of the error-state.
CORRECTION = 3
# Entries of `Filter.noise`, spectral densities: gyro [rad^2/s], accelerometer [m^2/s^3], random walk of the
# gyro bias [rad^2/s^3] and of the accelerometer bias [m^2/s^5].
GYRO, ACCEL, GYRO_WALK, ACCEL_WALK = 0, 1, 2, 3
# Lower bound of all variances: a standard deviation below 1e-9 (SI units) can only come from rounding.
VARIANCE_FLOOR = 1e-18


def state_size(n_slots: int) -> int:
    """Returns the length of the flat state with n_slots contact slots."""
    return STATE_CONTACTS + SLOT_SIZE * n_slots


def error_size(n_slots: int) -> int:
    """Returns the number of error states with n_slots contact slots."""
    return CONTACTS + SLOT_ROWS * n_slots


class Filter(NamedTuple):
    """Arrays and settings of the filter with n_slots contact slots and n = error_size(n_slots) error states.

    The fields from R_WI to contacts are views of x.
    """

    x: Array
    """(state_size,) the flat state; see the STATE_ names."""
    R_WI: Array
    """(3, 3) orientation of the IMU in the world."""
    v_WI: Array
    """(3,) velocity of the IMU in the world [m/s]."""
    p_WI: Array
    """(3,) position of the IMU in the world [m]."""
    gyro_bias: Array
    """(3,) bias of the gyro in the IMU frame [rad/s]."""
    accel_bias: Array
    """(3,) bias of the accelerometer in the IMU frame [m/s^2]."""
    contacts: Array
    """(n_slots, 12) position p_WF [m] and orientation R_WF, row by row, of each slot."""
    P: Array
    """(n, n) covariance of the right-invariant error."""
    active: IntArray
    """(n_slots,) content of each slot: UNUSED, POINT or SOLE."""
    memory: Array
    """(7,) the last IMU sample; see LAST_GYRO and the constants in the same line."""
    noise: Array
    """(4,) spectral densities; see GYRO and the constants in the same line."""
    slot_noise: Array
    """(n_slots, 4) spectral densities of each contact; see DRIFT and the constants in the same line."""
    slot_velocity: Array
    """(n_slots, 3) known velocity of each contact in the IMU's axes [m/s]."""
    surprise: Array
    """(n_slots, 2) squared Mahalanobis distances of the last innovations; see POSITION_SURPRISE."""
    white: Array
    """(n_slots, 2, 3) last innovations of position and orientation of each contact, multiplied by the inverse
    Cholesky factor of their covariance, so that their expected covariance is the identity."""
    rows: Array
    """(4, n) scratch; row CORRECTION holds the last correction, in the order of the error-state."""
    work: Array
    """(11 + n_slots, 3, 3) scratch."""
    gravity_m_s2: float
    """Magnitude of gravity, which points along -z of the world [m/s^2]."""
    max_step_s: float
    """Longest propagation step [s]."""
    gate: float
    """Squared Mahalanobis distance of an innovation above which a contact counts as slipping; 0 for never."""
    reference_quirks: bool
    """Whether to reproduce the authors' implementation; see InvariantEkf."""


class ContactPoses(NamedTuple):
    """Poses of the contacts in the IMU frame, computed from the joint encoders."""

    wanted: IntArray
    """(n_slots,) content that each slot should have: UNUSED if the contact is open, else POINT or SOLE."""
    p_IF: Array
    """(n_slots, 3) position of each contact in the IMU frame [m]."""
    R_IF: Array
    """(n_slots, 3, 3) orientation of each contact in the IMU frame."""
    position_covariance: Array
    """(n_slots, 3, 3) covariance of p_IF, in the IMU frame [m^2]."""
    rotation_covariance: Array
    """(n_slots, 3, 3) covariance of R_IF, in the IMU frame [rad^2]."""


def new_filter(
    n_slots: int, *, gravity_m_s2: float, max_step_s: float, gate: float, reference_quirks: bool = False
) -> Filter:
    """Allocates a filter at the origin, with zero covariance, zero noise and no contacts; see `Filter`."""
    x: Array = np.zeros(state_size(n_slots))
    n = error_size(n_slots)
    R_WI = x[:STATE_V].reshape(3, 3)
    R_WI[:] = np.eye(3)
    return Filter(
        x=x,
        R_WI=R_WI,
        v_WI=x[STATE_V:STATE_P],
        p_WI=x[STATE_P:STATE_BG],
        gyro_bias=x[STATE_BG:STATE_BA],
        accel_bias=x[STATE_BA:STATE_CONTACTS],
        contacts=x[STATE_CONTACTS:].reshape(n_slots, SLOT_SIZE),
        P=np.zeros((n, n)),
        active=np.zeros(n_slots, np.int64),
        memory=np.zeros(MEMORY_SIZE),
        noise=np.zeros(4),
        slot_noise=np.zeros((n_slots, 4)),
        slot_velocity=np.zeros((n_slots, 3)),
        surprise=np.zeros((n_slots, 2)),
        white=np.zeros((n_slots, 2, 3)),
        rows=np.zeros((4, n)),
        work=np.zeros((11 + n_slots, 3, 3)),
        gravity_m_s2=float(gravity_m_s2),
        max_step_s=float(max_step_s),
        gate=float(gate),
        reference_quirks=reference_quirks,
    )


def new_contact_poses(n_slots: int) -> ContactPoses:
    """Allocates the poses of contacts that are all open; see `ContactPoses`."""
    return ContactPoses(
        wanted=np.zeros(n_slots, np.int64),
        p_IF=np.zeros((n_slots, 3)),
        R_IF=np.zeros((n_slots, 3, 3)),
        position_covariance=np.zeros((n_slots, 3, 3)),
        rotation_covariance=np.zeros((n_slots, 3, 3)),
    )
