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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.contact_detection import Contacts
from kilohertz.estimators.divergence import Doubt
from kilohertz.estimators.inekf_layout import CORRECTION, ROTATION, ContactPoses, Filter
from kilohertz.estimators.so3 import rotate
from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

FOLLOWING_PER_S = 8.0
"""Poles of the observer: slower, and an error shows later; faster, and feet that slip show more."""
SLIPPING_M_S = 0.03
"""A contact that moves against the IMU faster than this counts as one that moves so fast."""
STARTING_S = 0.5
"""For so long after a reset the filter corrects the tilt that it began with, that of one sample."""
_MEMORY_S = 1.0
"""A correction of the tilt is remembered for so long; a gyro's bias asks for small ones for ever."""
_LEAST_FORCE_N = 1.0


class ImuWatch(NamedTuple):
    """The observer of velocity by accelerometer and legs, in the world's axes."""

    hung: Array
    """(nc, 3) contacts from the IMU in the last sample [m]."""
    speed: Array
    """(3,) velocity of the IMU [m/s]."""
    lack: Array
    """(3,) acceleration that the IMU lacks [m/s^2]."""
    tilt: Array
    """(3,) what the filter has corrected its rotation by of late [rad]."""
    off: Array
    """(3,) scratch: what the legs' velocity differs from `speed` by [m/s]."""
    landing_time_s: float
    """For so long a contact that has landed still moves."""


@struct_kernel
def watch_imu(
    row: Array,
    dt: float,
    ekf: Filter,
    contact: BoolArray,
    contacts: Contacts,
    poses: ContactPoses,
    watch: ImuWatch,
    doubt: Doubt,
) -> None:
    """By how much IMU and closed contacts contradict each other, as an acceleration.

    Args:
        row: data of the sensor row.
        dt: time since the last sample taken [s].
        ekf: the filter after this sample.
        contact: (nc,) which contacts are closed.
        contacts: for how long, and what they carry.
        poses: where they are from the IMU.
        watch: written.
        doubt: the contradiction is written; before STARTING_S nothing is held against the IMU.
    """
    R, speed, lack, tilt, off = ekf.R_WI, watch.speed, watch.lack, watch.tilt, watch.off
    part = compare_with_legs(dt, ekf, contact, contacts, poses, watch)
    at, gravity = len(row) - len(contact) - 3, ekf.gravity_m_s2
    # The accelerometer's three numbers come before the contact forces, which end the row.
    felt_x = row[at] - ekf.accel_bias[0]
    felt_y = row[at + 1] - ekf.accel_bias[1]
    felt_z = row[at + 2] - ekf.accel_bias[2]
    # A gap is no time in which the legs were seen.
    gain = FOLLOWING_PER_S * min(dt, ekf.max_step_s)
    for i in range(3):
        acceleration = R[i, 0] * felt_x + R[i, 1] * felt_y + R[i, 2] * felt_z
        if i == 2:
            acceleration -= gravity
        speed[i] += dt * (acceleration + lack[i]) + 2.0 * gain * off[i]
        # The velocity follows a fast foot all the same: one that lags tells of it when it is long over.
        lack[i] += FOLLOWING_PER_S * gain * off[i] * part
        tilt[i] += ekf.rows[CORRECTION, ROTATION + i] - min(1.0, dt / _MEMORY_S) * tilt[i]
        if doubt.since_reset_s[0] < STARTING_S:
            speed[i] = ekf.v_WI[i]
            lack[i] = 0.0
            tilt[i] = 0.0
    # Tilted by `tilt`, gravity's part of what is felt has changed by g (tilt_y, -tilt_x).
    x_lacks = lack[0] + gravity * tilt[1]
    y_lacks = lack[1] - gravity * tilt[0]
    doubt.contradiction_m_s2[0] = math.sqrt(x_lacks * x_lacks + y_lacks * y_lacks + lack[2] * lack[2])


@struct_kernel
def compare_with_legs(
    dt: float, ekf: Filter, contact: BoolArray, contacts: Contacts, poses: ContactPoses, watch: ImuWatch
) -> float:
    """What the legs' velocity of the IMU differs from the observer's by, as those say that stand.

    Args:
        dt: time since the last sample taken [s].
        ekf: the filter.
        contact: (nc,) which contacts are closed.
        contacts: for how long, and what they carry.
        poses: where they are from the IMU.
        watch: `hung` and `off` are written.

    Returns:
        The part of it that counts as an error of the IMU: a fast foot says no more than a slow one.
    """
    R, hung, off, speed = ekf.R_WI, watch.hung, watch.off, watch.speed
    weight, off_x, off_y, off_z = 0.0, 0.0, 0.0, 0.0
    for c in range(len(contact)):
        last_x, last_y, last_z = hung[c, 0], hung[c, 1], hung[c, 2]
        rotate(R, poses.p_IF[c], hung[c])
        # One that has just landed still moves.
        if contact[c] and contacts.age_s[c] > watch.landing_time_s:
            load = max(contacts.normal_force_N[c], _LEAST_FORCE_N)
            weight += load
            a, b, d = ekf.slot_velocity[c, 0], ekf.slot_velocity[c, 1], ekf.slot_velocity[c, 2]
            off_x += load * ((last_x - hung[c, 0]) / dt + R[0, 0] * a + R[0, 1] * b + R[0, 2] * d)
            off_y += load * ((last_y - hung[c, 1]) / dt + R[1, 0] * a + R[1, 1] * b + R[1, 2] * d)
            off_z += load * ((last_z - hung[c, 2]) / dt + R[2, 0] * a + R[2, 1] * b + R[2, 2] * d)
    part = 1.0
    if weight > 0.0:
        off_x, off_y, off_z = off_x / weight - speed[0], off_y / weight - speed[1], off_z / weight - speed[2]
        size = math.sqrt(off_x * off_x + off_y * off_y + off_z * off_z)
        if size > SLIPPING_M_S:
            part = SLIPPING_M_S / size
    off[0], off[1], off[2] = off_x, off_y, off_z
    return part
