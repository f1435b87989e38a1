"""The tick of the floating-base estimator, compiled, in two halves around pinocchio's kinematics.

`before_kinematics` refuses bad samples, observes the joints and prepares what pinocchio is asked. The
stages after it, in order: `place_contacts`, `weigh_contacts`, `detect_contacts`, `find_pressure`,
`trust_contacts`, `pivot_soles`, `run_filter`, `watch_imu`, `doubt_filter` and `write_state`. Stages are
strung together by the names of their parameters, so a name means the same array in all of them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.base_state import base_twist
from kilohertz.estimators.inekf_correction import observe_contacts
from kilohertz.estimators.inekf_layout import STATE_BA, STATE_BG
from kilohertz.estimators.inekf_propagation import advance, believable, symmetrise
from kilohertz.estimators.joint_observer import ROW_Q, believable_joints, observe_joints
from kilohertz.estimators.leg_kinematics import frame_pose
from kilohertz.estimators.so3 import cross, rotate, rotate_back
from kilohertz.estimators.sole_motion import LEAST_PRESSURE, sole_velocity
from kilohertz.robots.compile.kernels import kernel

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# Entries of the settings vector; LEAST_PRESSURE is the first.
(
    GRAVITY,
    MAX_STEP,
    SLIP_GATE,
    GYRO_TIME,
    LANDING_TIME,
    DRIFT,
    TURN,
    SPIN,
    LANDING_DRIFT,
    LANDING_TURN,
    SETTLING_TIME,
    SETTLED,
    EDGE,
    N_SETTINGS,
) = range(LEAST_PRESSURE + 1, LEAST_PRESSURE + 15)


@kernel
def before_kinematics(
    row: Array,
    dt: float,
    settings: Array,
    x: Array,
    joints: Array,
    joints_P: Array,
    joint_parameters: Array,
    gyro_smooth: Array,
    imu_R: Array,
    imu_p: Array,
    joint_address: IntArray,
    joint_axis: Array,
    frame_support: IntArray,
    q_B: Array,
    v_B: Array,
    vdot_B: Array,
    scratch: Array,
) -> bool:
    """First half: checks the sample, observes the joints, prepares pinocchio's arguments.

    Args:
        row: data of the sensor row.
        dt: time since the last sample taken [s].
        settings: see GRAVITY and the names beside it.
        x: the filter's state.
        joints: (3, na) observed positions, velocities, accelerations, written.
        joints_P: (3, 3) their covariance, written.
        joint_parameters: see `observe_joints`.
        gyro_smooth: (3,) low-passed gyro [rad/s], written.
        imu_R: (3, 3) R_BI as of the last tick.
        imu_p: (3,) p_BI as of the last tick [m].
        joint_address: (na,) see KinematicTables.
        joint_axis: (na, 6) see KinematicTables.
        frame_support: (nc + 1, na) see KinematicTables; the last row is the IMU's.
        q_B: (nq,) configuration with the base at the identity, written.
        v_B: (nv,) velocity: the base turns but its origin rests (physics does not mind), written.
        vdot_B: (nv,) acceleration whose base part makes pinocchio's gravity, which points along -z of
            this tilted base, come out as the measured specific force, written.
        scratch: (4, 6).

    Returns:
        False when the sample is refused; then nothing was touched.
    """
    na, imu_support = joints.shape[1], frame_support[frame_support.shape[0] - 1]
    encoder, velocity = row[ROW_Q : ROW_Q + na], row[ROW_Q + na : ROW_Q + 2 * na]
    gyro, accel = row[ROW_Q + 3 * na : ROW_Q + 3 * na + 3], row[ROW_Q + 3 * na + 3 : ROW_Q + 3 * na + 6]
    if not (believable(gyro, accel) and believable_joints(encoder, velocity) and dt > 0.0 and dt <= 1.0):
        return False
    observe_joints(joints, joints_P, encoder, velocity, dt, joint_parameters)
    omega, w, lever, column = scratch[0, :3], scratch[1, :3], scratch[2, :3], scratch[3]
    follow = 1.0 - math.exp(-dt / settings[GYRO_TIME]) if settings[GYRO_TIME] > 0.0 else 1.0
    for i in range(3):
        gyro_smooth[i] += follow * (gyro[i] - gyro_smooth[i])
        omega[i] = gyro_smooth[i] - x[STATE_BG + i]
    base_twist(omega, imu_R, imu_p, joints[1], joint_address, joint_axis, imu_support, w, lever, column)
    for i in range(3):
        omega[i] = accel[i] - x[STATE_BA + i]
    rotate(imu_R, omega, vdot_B[0:3])
    cross(w, imu_p, lever)
    cross(w, lever, lever)
    for i in range(3):
        vdot_B[i] -= lever[i]
        vdot_B[3 + i] = 0.0
        v_B[i] = 0.0
        v_B[3 + i] = w[i]
    vdot_B[2] -= settings[GRAVITY]
    for j in range(na):
        q_B[7 + j] = encoder[j]
        v_B[6 + j] = joints[1, j]
        vdot_B[6 + j] = joints[2, j]
    return True


@kernel
def place_contacts(
    frame_address: IntArray,
    frame_placement: Array,
    imu_R: Array,
    imu_p: Array,
    p_BF: Array,
    R_BF: Array,
    p_IF: Array,
    R_IF: Array,
) -> None:
    """Where IMU and contacts are.

    Args:
        frame_address: (nc + 1,) see KinematicTables; the contacts, then the IMU.
        frame_placement: (nc + 1, 4, 3) see KinematicTables.
        imu_R: (3, 3) R_BI, written.
        imu_p: (3,) p_BI [m], written.
        p_BF: (nc, 3) contacts in the base [m], written.
        R_BF: (nc, 3, 3) written.
        p_IF: (nc, 3) contacts in the IMU frame [m], written.
        R_IF: (nc, 3, 3) written.
    """
    nc = len(p_BF)
    frame_pose(frame_address[nc], frame_placement[nc], imu_R, imu_p)
    for c in range(nc):
        frame_pose(frame_address[c], frame_placement[c], R_BF[c], p_BF[c])
        for i in range(3):
            p_IF[c, i] = p_BF[c, i] - imu_p[i]
        rotate_back(imu_R, p_IF[c], p_IF[c])
        for j in range(3):
            for i in range(3):
                R_IF[c, i, j] = (
                    imu_R[0, i] * R_BF[c, 0, j] + imu_R[1, i] * R_BF[c, 1, j] + imu_R[2, i] * R_BF[c, 2, j]
                )


@kernel
def trust_contacts(
    contact: BoolArray,
    age: Array,
    margin: Array,
    settings: Array,
    slot_kind: IntArray,
    slot_noise: Array,
    wanted: IntArray,
) -> None:
    """How much the filter may lean on each contact.

    A sole that has just landed still moves, and one whose force acts near its edge may be rolling over it.
    Soles that have stood together for a while hold each other: they creep and turn less than one alone
    does, and do not spin.

    Args:
        contact: (nc,) which contacts are closed.
        age: (nc,) for how long [s].
        margin: (nc,) of the centre of pressure, see `find_pressure`.
        settings: see GRAVITY and the names beside it.
        slot_kind: (nc,) what a closed contact gives the filter: 1 position, 2 orientation too.
        slot_noise: (nc, 3) see InvariantEkf, written.
        wanted: (nc,) see `observe_contacts`, written.
    """
    closed, youngest = 0, math.inf
    for c in range(len(age)):
        if contact[c]:
            closed += 1
            youngest = min(youngest, age[c])
    settled = closed > 1 and youngest > settings[SETTLING_TIME]
    factor = settings[SETTLED] ** 2 if settled else 1.0
    for c in range(len(age)):
        # One that carries next to nothing may be about to leave.
        landing = age[c] < settings[LANDING_TIME] or margin[c] < 0.0
        slot_noise[c, 0] = settings[LANDING_DRIFT] if landing else factor * settings[DRIFT]
        slot_noise[c, 1] = settings[LANDING_TURN] if landing else factor * settings[TURN]
        if margin[c] < settings[EDGE]:
            rolling = 1.0 - max(0.0, margin[c]) / settings[EDGE]
            slot_noise[c, 1] = max(slot_noise[c, 1], rolling * rolling * settings[LANDING_TURN])
        slot_noise[c, 2] = 0.0 if settled else settings[SPIN]
        wanted[c] = slot_kind[c] if contact[c] else 0


@kernel
def pivot_soles(
    row: Array,
    x: Array,
    joints: Array,
    imu_R: Array,
    imu_p: Array,
    joint_address: IntArray,
    joint_axis: Array,
    frame_support: IntArray,
    R_BF: Array,
    p_BF: Array,
    p_FP: Array,
    slot_velocity: Array,
    scratch: Array,
) -> None:
    """How the middles of the soles move while the soles turn about their centres of pressure.

    Args:
        row: data of the sensor row.
        x: the filter's state.
        joints: (3, na) observed joints.
        imu_R: (3, 3) R_BI.
        imu_p: (3,) p_BI [m].
        joint_address: (na,) see KinematicTables.
        joint_axis: (na, 6) see KinematicTables.
        frame_support: (nc + 1, na) see KinematicTables.
        R_BF: (nc, 3, 3) contacts in the base.
        p_BF: (nc, 3) [m].
        p_FP: (nc, 2) centres of pressure, see `find_pressure` [m].
        slot_velocity: (nc, 3) in the IMU's axes [m/s], written.
        scratch: (4, 6).
    """
    na, nc = len(joint_address), len(p_BF)
    omega, w_B, lever, column = scratch[0, :3], scratch[1, :3], scratch[2, :3], scratch[3]
    for i in range(3):
        omega[i] = row[ROW_Q + 3 * na + i] - x[STATE_BG + i]
    base_twist(
        omega, imu_R, imu_p, joints[1], joint_address, joint_axis, frame_support[nc], w_B, lever, column
    )
    for c in range(nc):
        sole_velocity(
            w_B,
            joints[1],
            joint_address,
            joint_axis,
            frame_support[c],
            R_BF[c],
            p_BF[c],
            p_FP[c],
            slot_velocity[c],
            column,
        )
        rotate_back(imu_R, slot_velocity[c], slot_velocity[c])


@kernel
def run_filter(
    row: Array,
    dt: float,
    settings: Array,
    x: Array,
    P: Array,
    memory: Array,
    noise: Array,
    slot_noise: Array,
    slot_velocity: Array,
    active: IntArray,
    wanted: IntArray,
    p_IF: Array,
    R_IF: Array,
    position_covariance: Array,
    rotation_covariance: Array,
    surprise: Array,
    filter_rows: Array,
    filter_work: Array,
) -> None:
    """One step of the filter.

    Args:
        row: data of the sensor row.
        dt: time since the last sample taken [s].
        settings: see GRAVITY and the names beside it.
        x: the filter's state, written; see InvariantEkf, also for the next six.
        P: see x.
        memory: see x.
        noise: see x.
        slot_noise: see x.
        slot_velocity: see x.
        active: see x.
        wanted: (nc,) see `observe_contacts`, also for the next four.
        p_IF: (nc, 3) [m].
        R_IF: (nc, 3, 3).
        position_covariance: (nc, 3, 3) [m^2].
        rotation_covariance: (nc, 3, 3) [rad^2].
        surprise: (nc, 2) written; see InvariantEkf, as the next two.
        filter_rows: scratch.
        filter_work: scratch.
    """
    imu = ROW_Q + 3 * ((len(row) - len(active) - ROW_Q - 6) // 3)
    advance(
        x,
        P,
        memory,
        row[imu : imu + 3],
        row[imu + 3 : imu + 6],
        dt,
        settings[MAX_STEP],
        settings[GRAVITY],
        noise,
        slot_noise,
        slot_velocity,
        active,
        False,
        filter_work,
    )
    observe_contacts(
        x,
        P,
        wanted,
        p_IF,
        R_IF,
        position_covariance,
        rotation_covariance,
        active,
        settings[SLIP_GATE],
        False,
        surprise,
        filter_rows,
        filter_work,
    )
    symmetrise(P, active)
