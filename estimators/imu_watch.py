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

from kilohertz.estimators.contact_detection import LARGEST_FORCE_N, Contacts
from kilohertz.estimators.divergence import Doubt
from kilohertz.estimators.inekf_layout import CORRECTION, ROTATION, ContactPoses, Filter
from kilohertz.estimators.so3 import rotate
from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

FOLLOWING_PER_S = 7.0
"""Poles of the observer [1/s]; slow ones detect an error later, fast ones react more to slipping feet."""
SLIPPING_M_S = 0.03
"""Limit on the velocity difference between legs and observer that counts as an error of the IMU [m/s]."""
SMOOTHING_S = 0.02
"""Time constant of the low-pass on this difference [s]: coarse encoders move in steps."""
STARTING_S = 0.5
"""Time after a reset in which the filter still corrects its initial tilt, which came from one sample [s]."""
SPINNING_S = 0.5
"""Time constant with which the rotation of the contacts is forgotten [s]."""
FEELING_S = 0.03
"""Time constant of the low-pass on the acceleration [s]; the impact of a landing foot is shorter."""
_MEMORY_S = 1.0
"""Time constant with which tilt corrections are forgotten [s]; a gyro bias causes small ones all the time."""
_LEAST_FORCE_N = 1.0


class ImuWatch(NamedTuple):
    """State of the observer that compares accelerometer and legs; all vectors are in world axes."""

    hung: Array
    """(nc, 3) position of each contact relative to the IMU in the last sample [m]."""
    speed: Array
    """(3,) velocity of the IMU according to the observer [m/s]."""
    lack: Array
    """(3,) acceleration that the observer adds to that of the accelerometer [m/s^2]."""
    tilt: Array
    """(3,) sum of the recent corrections of the filter's rotation, with exponential forgetting [rad]."""
    off: Array
    """(3,) velocity of the IMU from the legs minus `speed`, low-passed [m/s]."""
    spun: Array
    """(3,) recent rotation of the standing contacts whose wrench is not known, according to gyro and joints,
    weighted by load [rad]; one whose wrench is known may be seen to roll over its edge."""
    felt: Array
    """(3,) acceleration of the IMU according to gyro and accelerometer, low-passed [m/s^2]."""
    opposed: Array
    """(1,) rate at which the acceleration `felt` increases `off`, low-passed [m^2/s^3]."""
    acceleration: Array
    """(3,) acceleration of the IMU according to gyro and accelerometer [m/s^2]."""
    legs: Array
    """(3,) velocity of the IMU according to the closed contacts [m/s]; averages over the contacts, here and
    below, are weighted by load, and zero without a closed contact."""
    sole_spin: Array
    """(3,) average angular velocity of the closed contacts according to gyro and joints [rad/s]."""
    arm: Array
    """(3,) average position of the IMU relative to the closed contacts [m]."""
    load_N: Array
    """(1,) load of the closed contacts [N]."""
    landing_time_s: float
    """Time after closing in which a contact is not used, because it may still move [s]."""


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
    """Computes the contradiction between the IMU and the closed contacts, as an acceleration.

    Args:
        row: data of the sensor row.
        dt: time since the last accepted sample [s].
        ekf: the filter after this sample.
        contact: (nc,) whether each contact is closed.
        contacts: the contacts; `age_s` and `normal_force_N` are read.
        poses: poses of the contacts in the IMU frame.
        watch: state of the observer, written.
        doubt: `contradiction_m_s2` is written; it is 0 before STARTING_S.
    """
    R, speed, lack, tilt, off = ekf.R_WI, watch.speed, watch.lack, watch.tilt, watch.off
    part = compare_with_legs(dt, ekf, contact, contacts, poses, watch)
    at, gravity = len(row) - len(contact) - 3, ekf.gravity_m_s2
    # In the sensor row, the accelerometer (3 values) is right before the contact forces, which are last.
    felt_x = row[at] - ekf.accel_bias[0]
    felt_y = row[at + 1] - ekf.accel_bias[1]
    felt_z = row[at + 2] - ekf.accel_bias[2]
    # The gain is limited because the legs were not observed during a gap between samples.
    gain = FOLLOWING_PER_S * min(dt, ekf.max_step_s)
    for i in range(3):
        acceleration = R[i, 0] * felt_x + R[i, 1] * felt_y + R[i, 2] * felt_z
        if i == 2:
            acceleration -= gravity
        watch.acceleration[i] = acceleration
        watch.felt[i] += (1.0 - math.exp(-dt / FEELING_S)) * (acceleration - watch.felt[i])
        speed[i] += dt * (acceleration + lack[i]) + 2.0 * gain * off[i]
        # The velocity is corrected without this limit: a lagging one would show the slip long after its end.
        lack[i] += FOLLOWING_PER_S * gain * off[i] * part
        tilt[i] += ekf.rows[CORRECTION, ROTATION + i] - min(1.0, dt / _MEMORY_S) * tilt[i]
        if doubt.since_reset_s[0] < STARTING_S:
            speed[i] = ekf.v_WI[i]
            off[i] = 0.0
            watch.spun[i] = 0.0
            watch.felt[i] = 0.0
            lack[i] = 0.0
            tilt[i] = 0.0
    power = -(off[0] * watch.felt[0] + off[1] * watch.felt[1] + off[2] * watch.felt[2])
    watch.opposed[0] += (1.0 - math.exp(-dt / FEELING_S)) * (max(power, 0.0) - watch.opposed[0])
    if doubt.since_reset_s[0] < STARTING_S:
        watch.opposed[0] = 0.0
    doubt.opposed_m2_s3[0] = watch.opposed[0]
    doubt.spun_rad[0] = math.sqrt(watch.spun[0] ** 2 + watch.spun[1] ** 2 + watch.spun[2] ** 2)
    # A correction of the rotation by `tilt` changes the effect of gravity by g (tilt_y, -tilt_x).
    x_lacks = lack[0] + gravity * tilt[1]
    y_lacks = lack[1] - gravity * tilt[0]
    doubt.contradiction_m_s2[0] = math.sqrt(x_lacks * x_lacks + y_lacks * y_lacks + lack[2] * lack[2])


@struct_kernel
def compare_with_legs(
    dt: float, ekf: Filter, contact: BoolArray, contacts: Contacts, poses: ContactPoses, watch: ImuWatch
) -> float:
    """Compares the velocity of the IMU from the closed contacts, weighted by load, with the observer's.

    Args:
        dt: time since the last accepted sample [s].
        ekf: the filter.
        contact: (nc,) whether each contact is closed.
        contacts: the contacts; `age_s`, `normal_force_N`, `spin` and `wrench_B` are read.
        poses: poses of the contacts in the IMU frame.
        watch: `off`, `spun`, and what `average_contacts` finds are written.

    Returns:
        The fraction of the difference that counts as an error of the IMU, in (0, 1]; it limits the effect of
        a fast foot to that of a foot with SLIPPING_M_S.
    """
    off, speed = watch.off, watch.speed
    average_contacts(dt, ekf, contact, contacts, poses, watch)
    follow = 1.0 - math.exp(-dt / SMOOTHING_S)
    for i in range(3):
        difference = watch.legs[i] - speed[i] if watch.load_N[0] > 0.0 else 0.0
        off[i] += follow * (difference - off[i])
    size = math.sqrt(off[0] * off[0] + off[1] * off[1] + off[2] * off[2])
    return SLIPPING_M_S / size if size > SLIPPING_M_S else 1.0


@struct_kernel
def average_contacts(
    dt: float, ekf: Filter, contact: BoolArray, contacts: Contacts, poses: ContactPoses, watch: ImuWatch
) -> None:
    """Computes velocity, rotation and lever arm of the base over its closed contacts, weighted by their load.

    Args:
        dt: time since the last accepted sample [s].
        ekf: the filter.
        contact: (nc,) whether each contact is closed.
        contacts: the contacts; `age_s`, `normal_force_N`, `spin` and `wrench_B` are read.
        poses: poses of the contacts in the IMU frame.
        watch: `hung`, `legs`, `sole_spin`, `arm`, `load_N` and `spun` are written.
    """
    R, hung, spun = ekf.R_WI, watch.hung, watch.spun
    legs, sole_spin, arm = watch.legs, watch.sole_spin, watch.arm
    weight, unseen, forget = 0.0, 0.0, min(1.0, dt / SPINNING_S)
    spin_x, spin_y, spin_z = 0.0, 0.0, 0.0
    for i in range(3):
        legs[i] = 0.0
        sole_spin[i] = 0.0
        arm[i] = 0.0
    for c in range(len(contact)):
        last_x, last_y, last_z = hung[c, 0], hung[c, 1], hung[c, 2]
        rotate(R, poses.p_IF[c], hung[c])
        # A contact that has just landed may still move.
        if not (contact[c] and contacts.age_s[c] > watch.landing_time_s):
            continue
        load = max(contacts.normal_force_N[c], _LEAST_FORCE_N)
        weight += load
        a, b, d = ekf.slot_velocity[c, 0], ekf.slot_velocity[c, 1], ekf.slot_velocity[c, 2]
        legs[0] += load * ((last_x - hung[c, 0]) / dt + R[0, 0] * a + R[0, 1] * b + R[0, 2] * d)
        legs[1] += load * ((last_y - hung[c, 1]) / dt + R[1, 0] * a + R[1, 1] * b + R[1, 2] * d)
        legs[2] += load * ((last_z - hung[c, 2]) / dt + R[2, 0] * a + R[2, 1] * b + R[2, 2] * d)
        u, v, w = contacts.spin[c, 0], contacts.spin[c, 1], contacts.spin[c, 2]
        x = R[0, 0] * u + R[0, 1] * v + R[0, 2] * w
        y = R[1, 0] * u + R[1, 1] * v + R[1, 2] * w
        z = R[2, 0] * u + R[2, 1] * v + R[2, 2] * w
        sole_spin[0] += load * x
        sole_spin[1] += load * y
        sole_spin[2] += load * z
        for i in range(3):
            arm[i] -= load * hung[c, i]
        if not abs(contacts.wrench_B[c, 0]) < LARGEST_FORCE_N:
            unseen += load
            spin_x += load * x
            spin_y += load * y
            spin_z += load * z
    watch.load_N[0] = weight
    for i in range(3):
        spun[i] -= forget * spun[i]
        if weight > 0.0:
            legs[i] /= weight
            sole_spin[i] /= weight
            arm[i] /= weight
    if unseen > 0.0:
        spun[0] += dt * spin_x / unseen
        spun[1] += dt * spin_y / unseen
        spun[2] += dt * spin_z / unseen
