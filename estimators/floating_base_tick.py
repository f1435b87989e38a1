"""The compiled tick of the floating-base estimator, in two halves before and after pinocchio's kinematics.

`before_kinematics` refuses bad samples, runs the joint observer and prepares the arguments of pinocchio. The
stages of the second half are, in order: `place_contacts`, `expect_less_of_moving`, `weigh_contacts`,
`detect_contacts`, `find_pressure`, `trust_contacts`, `pivot_soles`, `set_pose_noise`, `run_filter`,
`use_outside_pose`, `adapt_pose_noise`, `watch_imu`, `watch_gyro`, `doubt_filter` and `write_state`.
The name of each parameter of a stage is that of a struct of the estimator, or of an argument of each call.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.base_state import JOINTS_Q, JOINTS_V, Imu, Scratch, base_twist
from kilohertz.estimators.contact_detection import Contacts
from kilohertz.estimators.inekf_correction import observe_contacts
from kilohertz.estimators.inekf_layout import (
    CORRECTION,
    DRIFT,
    SIDE,
    SPIN,
    TURN,
    UNUSED,
    ContactPoses,
    Filter,
)
from kilohertz.estimators.inekf_propagation import LONGEST_GAP_S, advance, believable, symmetrise
from kilohertz.estimators.joint_observer import (
    ROW_Q,
    Joints,
    accel_at,
    believable_joints,
    contact_forces_at,
    gyro_at,
    observe_joints,
    torques_at,
    velocities_at,
)
from kilohertz.estimators.leg_kinematics import KinematicTables, frame_pose
from kilohertz.estimators.odometry_frame import Odometry, follow_held, follow_imu, mark_held
from kilohertz.estimators.pose_noise import SAMPLE_S
from kilohertz.estimators.so3 import cross, rotate, rotate_back
from kilohertz.estimators.sole_motion import sole_velocity
from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


REFUSED, USED, REPEATED = range(3)
"""Results of `before_kinematics`: a sample that is not plausible, one that is used, and one that holds the
same measurements as the last one, because the sensors are slower than the loop."""
ANGULAR_ACCELERATION_S = 0.003
"""Time constant of the base's angular acceleration [s]: noise of 0.01 rad/s becomes 3.1 rad/s^2."""
LONGEST_REPEAT_S = 0.2
"""Time after which a repeated sample is used all the same [s]."""


class Dynamics(NamedTuple):
    """Arguments of pinocchio's kinematics and inverse dynamics, with the base placed at the identity."""

    q_B: Array
    """(nq,) configuration, with the base at the identity."""
    v_B: Array
    """(nv,) velocity; the base rotates but its origin is at rest, which does not change the torques."""
    vdot_B: Array
    """(nv,) acceleration. Pinocchio's gravity points along -z of the tilted base here; the base part is
    chosen so that it gives the measured specific force together with this gravity."""


class TickSettings(NamedTuple):
    """Noises and thresholds of the floating-base tick."""

    gyro_time_s: float
    """Time constant of the low-pass on the gyro [s]; 0 for none."""
    edge: float
    """Margin of the centre of pressure below which a sole may roll over its edge, see `find_pressure`."""
    landing_time_s: float
    """Time after closing in which a contact has its landing noise [s]."""
    settling_time_s: float
    """Time after which several closed contacts count as settled [s]."""
    settled: float
    """Factor on creep and rotation (SD) of settled contacts."""
    drift_m2_s: float
    """Spectral density of the creep of a closed contact [m^2/s]."""
    turn_rad2_s: float
    """Spectral density of the rotation of a closed sole about any axis [rad^2/s]."""
    spin_rad2_s: float
    """Spectral density of the additional rotation of a closed sole about its normal [rad^2/s]."""
    side_m2_s: float
    """Spectral density of the additional creep of a closed sole to its sides [m^2/s]."""
    landing_drift_m2_s: float
    """Spectral density of the motion of a contact that has just closed [m^2/s]."""
    landing_turn_rad2_s: float
    """Spectral density of the rotation of a sole that has just closed [rad^2/s]."""


class TickClock(NamedTuple):
    """Time of the samples."""

    pending_s: Array
    """(1,) time since the last sample that was used, as long as that is not the last sample [s]."""
    refused: NDArray[np.int64]
    """(1,) number of samples that were refused since the start."""


@struct_kernel
def begin_tick(
    row: Array,
    period_s: float,
    clock: TickClock,
    settings: TickSettings,
    ekf: Filter,
    joints: Joints,
    imu: Imu,
    tables: KinematicTables,
    dynamics: Dynamics,
    scratch: Scratch,
) -> float:
    """First half of the tick, see `before_kinematics`, with the period of the sample.

    Args:
        row: data of the sensor row.
        period_s: time since the last sample [s].
        clock: time of the samples, written.
        settings: noises and thresholds of the tick.
        ekf: the filter after the last sample.
        joints: the joint observer, written.
        imu: pose of the IMU at the last tick; the low-passed angular velocities are written.
        tables: kinematic tables whose last frame is the IMU frame.
        dynamics: arguments of pinocchio, written.
        scratch: written.

    Returns:
        The time since the last sample that was used [s]; 0 if this sample is not used.
    """
    # An impossible period is an error of the clock and not time that has passed.
    period = period_s if 0.0 < period_s <= LONGEST_GAP_S else SAMPLE_S
    # The sample after a refused one also covers the time of the refused one.
    dt: float = min(clock.pending_s[0] + period, LONGEST_GAP_S)
    verdict = before_kinematics(row, dt, settings, ekf, joints, imu, tables, dynamics, scratch)
    if verdict == USED:
        clock.pending_s[0] = 0.0
        return dt
    clock.pending_s[0] = dt
    if verdict == REFUSED:
        clock.refused[0] += 1
    return 0.0


@struct_kernel
def before_kinematics(
    row: Array,
    dt: float,
    settings: TickSettings,
    ekf: Filter,
    joints: Joints,
    imu: Imu,
    tables: KinematicTables,
    dynamics: Dynamics,
    scratch: Scratch,
) -> int:
    """First half of the tick: checks the sample, observes the joints, prepares pinocchio's arguments.

    Args:
        row: data of the sensor row.
        dt: time since the last accepted sample [s].
        settings: noises and thresholds of the tick.
        ekf: the filter after the last sample.
        joints: the joint observer, written.
        imu: pose of the IMU at the last tick; the low-passed angular velocities are written.
        tables: kinematic tables whose last frame is the IMU frame.
        dynamics: arguments of pinocchio, written.
        scratch: written.

    Returns:
        USED; or REFUSED or REPEATED, then nothing was changed.
    """
    if dt < LONGEST_REPEAT_S and repeats(row, scratch.last_row):
        return REPEATED
    na = len(joints.q)
    encoder, velocity = row[ROW_Q : ROW_Q + na], row[velocities_at(na) : torques_at(na)]
    gyro, accel = row[gyro_at(na) : accel_at(na)], row[accel_at(na) : contact_forces_at(na)]
    good = believable(gyro, accel) and believable_joints(encoder, velocity)
    if not (good and dt > 0.0 and dt <= LONGEST_GAP_S):
        return REFUSED
    for i in range(len(scratch.last_row)):
        scratch.last_row[i] = row[ROW_Q + i]
    observe_joints(joints, encoder, velocity, dt)
    follow = 1.0 - math.exp(-dt / settings.gyro_time_s) if settings.gyro_time_s > 0.0 else 1.0
    omega, w = scratch.omega, scratch.w_B
    for i in range(3):
        imu.gyro_smooth[i] += follow * (gyro[i] - imu.gyro_smooth[i])
        omega[i] = imu.gyro_smooth[i] - ekf.gyro_bias[i]
    base_twist(omega, imu, joints.v, tables, scratch)
    q_B, v_B, vdot_B = dynamics.q_B, dynamics.v_B, dynamics.vdot_B
    for i in range(3):
        omega[i] = accel[i] - ekf.accel_bias[i]
    move_base(omega, dt, imu, scratch, vdot_B)
    for i in range(3):
        v_B[i] = 0.0
        v_B[3 + i] = w[i]
    vdot_B[2] -= ekf.gravity_m_s2
    for j in range(na):
        q_B[JOINTS_Q + j] = encoder[j]
        v_B[JOINTS_V + j] = joints.v[j]
        vdot_B[JOINTS_V + j] = joints.vdot[j]
    return USED


@struct_kernel
def move_base(felt: Array, dt: float, imu: Imu, scratch: Scratch, vdot_B: Array) -> None:
    """Computes the acceleration of the base, gravity included, from that of the IMU.

    Args:
        felt: (3,) measured specific force, bias removed, in the IMU's axes [m/s^2].
        dt: time since the last accepted sample [s].
        imu: pose of the IMU; the low-passed angular velocity of the base is written.
        scratch: angular velocity of the base; `lever` is written.
        vdot_B: (nv,) accelerations; those of the base are written.
    """
    w, lever, angular = scratch.w_B, scratch.lever, vdot_B[3:6]
    share = 1.0 - math.exp(-dt / ANGULAR_ACCELERATION_S)
    for i in range(3):
        # The low-passed velocity of a body that accelerates steadily is late by dt / share.
        off = share * (w[i] - imu.w_slow[i])
        imu.w_slow[i] += off
        angular[i] = off / dt
    rotate(imu.R_BI, felt, vdot_B[0:3])
    cross(w, imu.p_BI, lever)
    cross(w, lever, lever)
    for i in range(3):
        vdot_B[i] -= lever[i]
    cross(angular, imu.p_BI, lever)
    for i in range(3):
        vdot_B[i] -= lever[i]


@struct_kernel
def repeats(row: Array, last_row: Array) -> bool:
    """Returns whether a sensor row holds the same measurements as the last one; unknown values are alike."""
    for i in range(len(last_row)):
        value, last = row[ROW_Q + i], last_row[i]
        if value != last and not (value != value and last != last):
            return False
    return True


@struct_kernel
def place_contacts(tables: KinematicTables, imu: Imu, contacts: Contacts, poses: ContactPoses) -> None:
    """Computes the poses of the IMU and of the contacts.

    Args:
        tables: kinematic tables whose frames are the contacts, then the IMU.
        imu: the pose of the IMU in the base frame is written.
        contacts: the poses of the contacts in the base frame are written.
        poses: the poses of the contacts in the IMU frame are written.
    """
    R_BI, p_BI, R_IF, p_IF = imu.R_BI, imu.p_BI, poses.R_IF, poses.p_IF
    nc = len(p_IF)
    frame_pose(tables.frame_address[nc], tables.frame_placement[nc], R_BI, p_BI)
    for c in range(nc):
        R_BF, p_BF = contacts.R_BF[c], contacts.p_BF[c]
        frame_pose(tables.frame_address[c], tables.frame_placement[c], R_BF, p_BF)
        for i in range(3):
            p_IF[c, i] = p_BF[i] - p_BI[i]
        rotate_back(R_BI, p_IF[c], p_IF[c])
        for j in range(3):
            for i in range(3):
                R_IF[c, i, j] = R_BI[0, i] * R_BF[0, j] + R_BI[1, i] * R_BF[1, j] + R_BI[2, i] * R_BF[2, j]


@struct_kernel
def trust_contacts(
    contact: BoolArray, contacts: Contacts, settings: TickSettings, ekf: Filter, poses: ContactPoses
) -> None:
    """Sets the noise of each contact in the filter, and which contacts the filter uses.

    A sole that has just landed still moves, and a sole whose force acts near its edge may be rolling over it.
    Soles that have stood together for some time constrain each other: they creep and rotate less than a
    single sole, and do not spin about their normals. While a robot walks, the force on each sole points
    inwards for the whole step, so that the sole creeps outwards in every step. Along the foot the force
    brakes and then pushes, and the creep is less. A filter that believes the creep smaller than it is takes
    it, step after step, for a pitch that grows.

    Args:
        contact: (nc,) whether each contact is closed.
        contacts: the contacts; `age_s` and `margin` are read.
        settings: noises and thresholds of the tick.
        ekf: the filter; the noise of its contact slots is written.
        poses: `wanted`, the contacts that the filter should use, is written.
    """
    age, margin, noise = contacts.age_s, contacts.margin, ekf.slot_noise
    closed, youngest = 0, math.inf
    for c in range(len(age)):
        if contact[c]:
            closed += 1
            youngest = min(youngest, age[c])
    settled = closed > 1 and youngest > settings.settling_time_s
    factor = settings.settled**2 if settled else 1.0
    for c in range(len(age)):
        # A contact with almost no load may be about to lift.
        landing = age[c] < settings.landing_time_s or margin[c] < 0.0
        noise[c, DRIFT] = settings.landing_drift_m2_s if landing else factor * settings.drift_m2_s
        noise[c, TURN] = settings.landing_turn_rad2_s if landing else factor * settings.turn_rad2_s
        if margin[c] < settings.edge:
            rolling = 1.0 - max(0.0, margin[c]) / settings.edge
            noise[c, TURN] = max(noise[c, TURN], rolling * rolling * settings.landing_turn_rad2_s)
        noise[c, SPIN] = 0.0 if settled else settings.spin_rad2_s
        noise[c, SIDE] = 0.0 if settled else settings.side_m2_s
        poses.wanted[c] = contacts.slot_kind[c] if contact[c] else UNUSED


@struct_kernel
def pivot_soles(
    row: Array,
    ekf: Filter,
    joints: Joints,
    imu: Imu,
    tables: KinematicTables,
    contacts: Contacts,
    scratch: Scratch,
) -> None:
    """Computes the velocity of the middle of each sole that rotates about its centre of pressure.

    Args:
        row: data of the sensor row.
        ekf: the filter; the known velocity of its contact slots is written.
        joints: joint velocities from the joint observer.
        imu: pose of the IMU.
        tables: kinematic tables whose frames are the contacts, then the IMU.
        contacts: poses of the contacts in the base frame, and their centres of pressure.
        scratch: written.
    """
    omega, at = scratch.omega, gyro_at(len(joints.q))
    for i in range(3):
        omega[i] = row[at + i] - ekf.gyro_bias[i]
    base_twist(omega, imu, joints.v, tables, scratch)
    for c in range(len(contacts.age_s)):
        velocity = ekf.slot_velocity[c]
        sole_velocity(c, scratch.w_B, joints.v, tables, contacts, velocity, scratch.column)
        rotate_back(imu.R_BI, velocity, velocity)
        rotate_back(imu.R_BI, contacts.spin[c], contacts.spin[c])


@struct_kernel
def run_filter(
    row: Array, dt: float, joints: Joints, ekf: Filter, poses: ContactPoses, odometry: Odometry
) -> None:
    """Runs one step of the filter: propagation with the IMU sample, then correction with the contacts.

    Args:
        row: data of the sensor row.
        dt: time since the last accepted sample [s].
        joints: the joint observer; only its number of joints is used.
        ekf: the filter, written.
        poses: poses of the contacts, and which of them the filter should use.
        odometry: the odometry frame, written.
    """
    na = len(joints.q)
    advance(ekf, row[gyro_at(na) : accel_at(na)], row[accel_at(na) : contact_forces_at(na)], dt)
    mark_held(ekf, poses, odometry)
    observe_contacts(ekf, poses)
    follow_held(ekf, ekf.rows[CORRECTION], odometry)
    follow_imu(ekf, odometry)
    symmetrise(ekf.P, ekf.active)
