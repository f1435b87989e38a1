"""How the contact-aided right-invariant EKF lays out its state and its error-state.

State, on the group: R = R_WI (IMU orientation), v = v_WI, p = p_WI and for each contact slot c its
position d = p_WF and orientation Rf = R_WF, all in the world; beside the group the biases bg, ba of gyro
and accelerometer. It lives in one flat array (the STATE_ names below). The error is
right-invariant, X_hat = Exp(xi) X, so xi is expressed in the world; the error-state is laid out in blocks
of three: [R, v, p, bg, ba, d_0, Rf_0, d_1, Rf_1, ...]. A slot that is not in use has zero rows and columns
in the covariance P.

Source: Hartley, Ghaffari, Eustice, Grizzle, "Contact-aided invariant extended Kalman filtering for robot
state estimation", IJRR 2020. Contact orientation beside position follows Rotella et al., "State
estimation for a humanoid robot", IROS 2014, with the right-invariant error of SO(3).
"""

from __future__ import annotations

# First row of each block of the error-state.
ROTATION, VELOCITY, POSITION, GYRO_BIAS, ACCEL_BIAS, CONTACTS = 0, 3, 6, 9, 12, 15
# Where the state's parts start in its flat array: R 9, v 3, p 3, bg 3, ba 3, then 12 per slot (d 3, Rf 9).
STATE_V, STATE_P, STATE_BG, STATE_BA, STATE_CONTACTS = 9, 12, 15, 18, 21
# Entries of the noise vector, spectral densities: gyro [rad^2/s], accel [m^2/s^3], their biases' random
# walks [rad^2/s^3], [m^2/s^5].
GYRO, ACCEL, GYRO_WALK, ACCEL_WALK = 0, 1, 2, 3
# Variances never fall below this: a state known better than 1e-9 SI is rounding, not knowledge.
VARIANCE_FLOOR = 1e-18


def state_size(n_slots: int) -> int:
    """Length of the flat state for a number of contact slots."""
    return STATE_CONTACTS + 12 * n_slots


def error_size(n_slots: int) -> int:
    """Number of error states for a number of contact slots."""
    return CONTACTS + 6 * n_slots
