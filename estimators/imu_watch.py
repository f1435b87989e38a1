"""Comparison of the accelerometer with the acceleration of the base that follows from the standing legs.

An IMU that has rotated in its mount measures part of gravity as an acceleration, 0.85 m/s^2 for 5 degrees.
The filter explains this by feet that creep, and its tilt slowly becomes wrong. A small separate observer does
neither. It integrates a velocity from the accelerometer and corrects it to the velocity from the legs; the
acceleration that it must add for this is the error. The tilt by which the contacts have corrected the filter
meanwhile is added to the error. A jolt or a slipping foot is too short to have much effect, because the
correction of a fast foot is limited to that of a slow one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.floating_base_tick import GRAVITY, LANDING_TIME, MAX_STEP
from kilohertz.estimators.inekf_layout import ROTATION, STATE_BA, STATE_V
from kilohertz.estimators.joint_observer import ROW_Q
from kilohertz.estimators.so3 import rotate
from kilohertz.robots.compile.kernels import kernel

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Rows of the observer: velocity [m/s], acceleration the IMU lacks [m/s^2], tilt corrected of late [rad].
SPEED, LACK, TILT, N_ROWS = 0, 1, 2, 3

FOLLOWING_PER_S = 8.0
"""Poles of the observer: slower, and an error shows later; faster, and feet that slip show more."""
SLIPPING_M_S = 0.03
"""A contact that moves against the IMU faster than this counts as one that moves so fast."""
STARTING_S = 0.5
"""For so long after a reset the filter corrects the tilt that it began with, that of one sample."""
_MEMORY_S = 1.0
"""A correction of the tilt is remembered for so long; a gyro's bias asks for small ones for ever."""
_LEAST_FORCE_N = 1.0


@kernel
def watch_imu(
    row: Array,
    dt: float,
    settings: Array,
    x: Array,
    contact: BoolArray,
    age: Array,
    normal_force: Array,
    p_IF: Array,
    slot_velocity: Array,
    filter_rows: Array,
    since_reset: Array,
    hung: Array,
    watched: Array,
    contradiction: Array,
) -> None:
    """By how much IMU and closed contacts contradict each other, as an acceleration.

    Args:
        row: data of the sensor row.
        dt: time since the last sample taken [s].
        settings: see GRAVITY and the names beside it.
        x: the filter's state, see InvariantEkf.
        contact: (nc,) which contacts are closed.
        age: (nc,) for how long [s].
        normal_force: (nc,) what they carry [N].
        p_IF: (nc, 3) contacts in the IMU frame [m].
        slot_velocity: (nc, 3) known motion of the contacts, in the IMU's axes [m/s].
        filter_rows: (4, n) of the filter; the last one is its correction of this sample.
        since_reset: (1,) [s]; before STARTING_S nothing is held against the IMU.
        hung: (nc, 3) contacts from the IMU in the last sample, in the world's axes [m]; written.
        watched: (3, 3) the observer, see SPEED and the names beside it; written.
        contradiction: (1,) [m/s^2]; written.
    """
    imu = ROW_Q + 3 * ((len(row) - len(contact) - ROW_Q - 6) // 3)
    R, speed, lack, tilt = x[0:9].reshape((3, 3)), watched[SPEED], watched[LACK], watched[TILT]
    felt_x = row[imu + 3] - x[STATE_BA]
    felt_y = row[imu + 4] - x[STATE_BA + 1]
    felt_z = row[imu + 5] - x[STATE_BA + 2]
    part, weight, off_x, off_y, off_z = 1.0, 0.0, 0.0, 0.0, 0.0
    for c in range(len(contact)):
        last_x, last_y, last_z = hung[c, 0], hung[c, 1], hung[c, 2]
        rotate(R, p_IF[c], hung[c])
        # One that has just landed still moves.
        if contact[c] and age[c] > settings[LANDING_TIME]:
            load = max(normal_force[c], _LEAST_FORCE_N)
            weight += load
            a, b, d = slot_velocity[c, 0], slot_velocity[c, 1], slot_velocity[c, 2]
            off_x += load * ((last_x - hung[c, 0]) / dt + R[0, 0] * a + R[0, 1] * b + R[0, 2] * d)
            off_y += load * ((last_y - hung[c, 1]) / dt + R[1, 0] * a + R[1, 1] * b + R[1, 2] * d)
            off_z += load * ((last_z - hung[c, 2]) / dt + R[2, 0] * a + R[2, 1] * b + R[2, 2] * d)
    if weight > 0.0:
        off_x, off_y, off_z = off_x / weight - speed[0], off_y / weight - speed[1], off_z / weight - speed[2]
        size = math.sqrt(off_x * off_x + off_y * off_y + off_z * off_z)
        if size > SLIPPING_M_S:
            part = SLIPPING_M_S / size
    # A gap is no time in which the legs were seen.
    gain = FOLLOWING_PER_S * min(dt, settings[MAX_STEP])
    for i in range(3):
        off = off_x if i == 0 else (off_y if i == 1 else off_z)
        acceleration = R[i, 0] * felt_x + R[i, 1] * felt_y + R[i, 2] * felt_z
        if i == 2:
            acceleration -= settings[GRAVITY]
        speed[i] += dt * (acceleration + lack[i]) + 2.0 * gain * off
        # The velocity follows a fast foot all the same: one that lags tells of it when it is long over.
        lack[i] += FOLLOWING_PER_S * gain * off * part
        tilt[i] += filter_rows[3, ROTATION + i] - min(1.0, dt / _MEMORY_S) * tilt[i]
        if since_reset[0] < STARTING_S:
            speed[i] = x[STATE_V + i]
            lack[i] = 0.0
            tilt[i] = 0.0
    # Tilted by `tilt`, gravity's part of what is felt has changed by g (tilt_y, -tilt_x).
    x_lacks = lack[0] + settings[GRAVITY] * tilt[1]
    y_lacks = lack[1] - settings[GRAVITY] * tilt[0]
    contradiction[0] = math.sqrt(x_lacks * x_lacks + y_lacks * y_lacks + lack[2] * lack[2])
