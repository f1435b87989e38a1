"""The tick of the floating-base estimator, compiled, in two halves around pinocchio's kinematics.

`before_kinematics` refuses bad samples, observes the joints and prepares what pinocchio is asked. The
stages after it, in order: `place_contacts`, `weigh_contacts`, `detect_contacts`, `find_pressure`,
`trust_contacts`, `pivot_soles`, `run_filter`, `watch_imu`, `doubt_filter` and `write_state`. A parameter of a
stage names a struct of the estimator, or what is passed with each call.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.base_state import JOINTS_Q, JOINTS_V, Imu, Scratch, base_twist
from kilohertz.estimators.contact_detection import Contacts
from kilohertz.estimators.inekf_correction import observe_contacts
from kilohertz.estimators.inekf_layout import DRIFT, SPIN, TURN, UNUSED, ContactPoses, Filter
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
from kilohertz.estimators.so3 import cross, rotate, rotate_back
from kilohertz.estimators.sole_motion import sole_velocity
from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class Dynamics(NamedTuple):
    """What pinocchio is asked: the robot with its base at the identity."""

    q_B: Array
    """(nq,) configuration."""
    v_B: Array
    """(nv,) velocity: the base turns but its origin rests, which makes no difference to the torques."""
    vdot_B: Array
    """(nv,) acceleration whose base part makes pinocchio's gravity, which points along -z of this tilted
    base, come out as the measured specific force."""


class TickSettings(NamedTuple):
    """Noises and thresholds of the tick."""

    gyro_time_s: float
    """Time constant of the low-pass on the gyro; 0 for none."""
    edge: float
    """Margin of the centre of pressure below which a sole may roll, see `find_pressure`."""
    landing_time_s: float
    """For so long a contact that has closed still moves."""
    settling_time_s: float
    """Contacts that have stood together for so long hold each other."""
    settled: float
    """They move so much less."""
    drift_m2_s: float
    """Spectral density of the motion of a contact."""
    turn_rad2_s: float
    """Of its turning about any axis."""
    spin_rad2_s: float
    """Of its turning about its normal, on top."""
    landing_drift_m2_s: float
    """Of the motion of a contact that lands."""
    landing_turn_rad2_s: float
    """Of the turning of a contact that lands."""


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
) -> bool:
    """First half: checks the sample, observes the joints, prepares pinocchio's arguments.

    Args:
        row: data of the sensor row.
        dt: time since the last sample taken [s].
        settings: of the tick.
        ekf: the filter after the last sample.
        joints: written.
        imu: pose as of the last tick; the low-passed gyro is written.
        tables: their last frame is the IMU's.
        dynamics: written.
        scratch: written.

    Returns:
        False when the sample is refused; then nothing was touched.
    """
    na = len(joints.q)
    encoder, velocity = row[ROW_Q : ROW_Q + na], row[velocities_at(na) : torques_at(na)]
    gyro, accel = row[gyro_at(na) : accel_at(na)], row[accel_at(na) : contact_forces_at(na)]
    good = believable(gyro, accel) and believable_joints(encoder, velocity)
    if not (good and dt > 0.0 and dt <= LONGEST_GAP_S):
        return False
    observe_joints(joints, encoder, velocity, dt)
    follow = 1.0 - math.exp(-dt / settings.gyro_time_s) if settings.gyro_time_s > 0.0 else 1.0
    omega, w, lever = scratch.omega, scratch.w_B, scratch.lever
    for i in range(3):
        imu.gyro_smooth[i] += follow * (gyro[i] - imu.gyro_smooth[i])
        omega[i] = imu.gyro_smooth[i] - ekf.gyro_bias[i]
    base_twist(omega, imu, joints.v, tables, scratch)
    q_B, v_B, vdot_B = dynamics.q_B, dynamics.v_B, dynamics.vdot_B
    for i in range(3):
        omega[i] = accel[i] - ekf.accel_bias[i]
    rotate(imu.R_BI, omega, vdot_B[0:3])
    cross(w, imu.p_BI, lever)
    cross(w, lever, lever)
    for i in range(3):
        vdot_B[i] -= lever[i]
        vdot_B[3 + i] = 0.0
        v_B[i] = 0.0
        v_B[3 + i] = w[i]
    vdot_B[2] -= ekf.gravity_m_s2
    for j in range(na):
        q_B[JOINTS_Q + j] = encoder[j]
        v_B[JOINTS_V + j] = joints.v[j]
        vdot_B[JOINTS_V + j] = joints.vdot[j]
    return True


@struct_kernel
def place_contacts(tables: KinematicTables, imu: Imu, contacts: Contacts, poses: ContactPoses) -> None:
    """Where IMU and contacts are.

    Args:
        tables: their frames are the contacts, then the IMU.
        imu: its pose is written.
        contacts: their poses in the base are written.
        poses: their poses in the IMU frame are written.
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
    """How much the filter may lean on each contact.

    A sole that has just landed still moves, and one whose force acts near its edge may be rolling over it.
    Soles that have stood together for a while hold each other: they creep and turn less than one alone
    does, and do not spin.

    Args:
        contact: (nc,) which contacts are closed.
        contacts: for how long, and where their force acts.
        settings: of the tick.
        ekf: the noise of its slots is written.
        poses: which contacts the filter is to hold is written.
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
        # One that carries next to nothing may be about to leave.
        landing = age[c] < settings.landing_time_s or margin[c] < 0.0
        noise[c, DRIFT] = settings.landing_drift_m2_s if landing else factor * settings.drift_m2_s
        noise[c, TURN] = settings.landing_turn_rad2_s if landing else factor * settings.turn_rad2_s
        if margin[c] < settings.edge:
            rolling = 1.0 - max(0.0, margin[c]) / settings.edge
            noise[c, TURN] = max(noise[c, TURN], rolling * rolling * settings.landing_turn_rad2_s)
        noise[c, SPIN] = 0.0 if settled else settings.spin_rad2_s
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
    """How the middles of the soles move while the soles turn about their centres of pressure.

    Args:
        row: data of the sensor row.
        ekf: the known motion of its slots is written.
        joints: observed joints.
        imu: its pose.
        tables: their frames are the contacts, then the IMU.
        contacts: their poses in the base, and where their force acts.
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


@struct_kernel
def run_filter(row: Array, dt: float, joints: Joints, ekf: Filter, poses: ContactPoses) -> None:
    """One step of the filter.

    Args:
        row: data of the sensor row.
        dt: time since the last sample taken [s].
        joints: as many as the row has.
        ekf: written.
        poses: of the contacts, and which of them the filter is to hold.
    """
    na = len(joints.q)
    advance(ekf, row[gyro_at(na) : accel_at(na)], row[accel_at(na) : contact_forces_at(na)], dt)
    observe_contacts(ekf, poses)
    symmetrise(ekf.P, ekf.active)
