"""The tick of the floating-base estimator, compiled, in two halves around pinocchio's kinematics.

`before_kinematics` refuses bad samples, observes the joints and prepares what pinocchio is asked;
`after_kinematics` finds the contacts, runs the filter and writes the answer.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from estimators.contact_detection import detect_contacts
from estimators.contact_wrench import contact_wrenches
from estimators.inekf_correction import observe_contacts
from estimators.inekf_layout import STATE_BA, STATE_BG, STATE_P, STATE_V
from estimators.inekf_propagation import advance, believable, symmetrise
from estimators.joint_observer import ROW_Q, believable_joints, observe_joints
from estimators.kinematics import frame_pose, joint_column
from estimators.so3 import cross, multiply_transposed, quaternion, rotate, rotate_back
from estimators.sole_motion import centre_of_pressure, sole_velocity
from robots.compiled import kernel

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# Entries of the settings vector.
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
    PIVOT_FORCE,
    SETTLING_TIME,
    SETTLED,
    N_SETTINGS,
) = range(14)


@kernel
def base_twist(
    omega_I: Array,
    R_BI: Array,
    p_BI: Array,
    joint_velocity: Array,
    joint_address: IntArray,
    joint_axis: Array,
    support: IntArray,
    w_B: Array,
    lever: Array,
    column: Array,
) -> None:
    """Angular velocity of the base from that of the IMU, and the IMU's velocity relative to the base.

    Args:
        omega_I: (3,) w_WI_I, biases removed [rad/s].
        R_BI: (3, 3) orientation of the IMU in the base.
        p_BI: (3,) its position [m].
        joint_velocity: (na,) [rad/s].
        joint_address: (na,) see KinematicTables.
        joint_axis: (na, 6) see KinematicTables.
        support: (na,) 1 where a joint lies between base and IMU.
        w_B: (3,) w_WB_B, written [rad/s].
        lever: (3,) w_WB_B x p_BI plus what the joints between add, written [m/s].
        column: (6,) scratch.
    """
    rotate(R_BI, omega_I, w_B)
    for i in range(3):
        lever[i] = 0.0
    for j in range(joint_velocity.shape[0]):
        if support[j] != 0:
            joint_column(joint_address[j], joint_axis[j], p_BI, column)
            for i in range(3):
                lever[i] += column[i] * joint_velocity[j]
                w_B[i] -= column[3 + i] * joint_velocity[j]
    lever[0] += w_B[1] * p_BI[2] - w_B[2] * p_BI[1]
    lever[1] += w_B[2] * p_BI[0] - w_B[0] * p_BI[2]
    lever[2] += w_B[0] * p_BI[1] - w_B[1] * p_BI[0]


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
    imu_support: IntArray,
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
        imu_support: (na,) 1 where a joint lies between base and IMU.
        q_B: (nq,) configuration with the base at the identity, written.
        v_B: (nv,) velocity: the base turns but its origin rests (physics does not mind), written.
        vdot_B: (nv,) acceleration whose base part makes pinocchio's gravity, which points along -z of
            this tilted base, come out as the measured specific force, written.
        scratch: (4, 6).

    Returns:
        False when the sample is refused; then nothing was touched.
    """
    na = joints.shape[1]
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
def after_kinematics(
    row: Array,
    planned: BoolArray,
    contact: BoolArray,
    dt: float,
    settings: Array,
    x: Array,
    P: Array,
    memory: Array,
    noise: Array,
    slot_noise: Array,
    slot_velocity: Array,
    active: IntArray,
    surprise: Array,
    filter_rows: Array,
    filter_work: Array,
    joints: Array,
    gyro_smooth: Array,
    imu_R: Array,
    imu_p: Array,
    joint_address: IntArray,
    joint_axis: Array,
    frame_address: IntArray,
    frame_placement: Array,
    frame_support: IntArray,
    required: Array,
    wrench_size: IntArray,
    torque_deviation: Array,
    wrench_deviations: Array,
    wrench: Array,
    wrench_A: Array,
    wrench_columns: Array,
    detection: Array,
    timer: Array,
    age: Array,
    slot_kind: IntArray,
    wanted: IntArray,
    sole_box: Array,
    p_BF: Array,
    R_BF: Array,
    p_IF: Array,
    R_IF: Array,
    position_covariance: Array,
    rotation_covariance: Array,
    force: Array,
    normal_force: Array,
    q: Array,
    v: Array,
    scratch: Array,
) -> None:
    """Second half: contacts, filter, answer.

    Args:
        row: data of the sensor row.
        planned: (nc,) contacts the plan has closed.
        contact: (nc,) contacts found closed, written.
        dt: time since the last sample taken [s].
        settings: see GRAVITY and the names beside it.
        x: the filter's state, written; P, memory, noise, slot_noise, slot_velocity, active, surprise,
            filter_rows and filter_work belong to it, see InvariantEkf.
        P: see x.
        memory: see x.
        noise: see x.
        slot_noise: see x.
        slot_velocity: see x.
        active: see x.
        surprise: see x.
        filter_rows: see x.
        filter_work: see x.
        joints: (3, na) observed joints.
        gyro_smooth: (3,) low-passed gyro [rad/s].
        imu_R: (3, 3) R_BI, written.
        imu_p: (3,) p_BI [m], written.
        joint_address: (na,) see KinematicTables, as the next four; frames are the contacts, then the IMU.
        joint_axis: see joint_address.
        frame_address: see joint_address.
        frame_placement: see joint_address.
        frame_support: see joint_address.
        required: (nv,) pinocchio's inverse dynamics.
        wrench_size: (nc,) see `contact_wrenches`, as the next five.
        torque_deviation: see `contact_wrenches`.
        wrench_deviations: see `contact_wrenches`.
        wrench: (nc, 6) written.
        wrench_A: see `contact_wrenches`.
        wrench_columns: see `contact_wrenches`.
        detection: see `detect_contacts`, as the next two.
        timer: see `detect_contacts`.
        age: see `detect_contacts`.
        slot_kind: (nc,) what a closed contact gives the filter: 1 position, 2 orientation too.
        wanted: (nc,) scratch.
        sole_box: (nc, 2, 2) least and greatest x, y of each sole's corners [m].
        p_BF: (nc, 3) contacts in the base [m], written.
        R_BF: (nc, 3, 3) written.
        p_IF: (nc, 3) contacts in the IMU frame [m], written.
        R_IF: (nc, 3, 3) written.
        position_covariance: (nc, 3, 3) [m^2].
        rotation_covariance: (nc, 3, 3) [rad^2].
        force: (nc,) measured or else estimated normal force [N], written; NaN where neither is known.
        normal_force: (nc,) the same, or the last known, written.
        q: (nq,) written.
        v: (nv,) written.
        scratch: (4, 6).
    """
    na, nc = joints.shape[1], len(p_BF)
    tau = row[ROW_Q + 2 * na : ROW_Q + 3 * na]
    gyro, accel = row[ROW_Q + 3 * na : ROW_Q + 3 * na + 3], row[ROW_Q + 3 * na + 3 : ROW_Q + 3 * na + 6]
    measured_force = row[ROW_Q + 3 * na + 6 :]
    frame_pose(frame_address[nc], frame_placement[nc], imu_R, imu_p)
    offset = scratch[0, :3]
    for c in range(nc):
        frame_pose(frame_address[c], frame_placement[c], R_BF[c], p_BF[c])
        for i in range(3):
            offset[i] = p_BF[c, i] - imu_p[i]
        rotate_back(imu_R, offset, p_IF[c])
        for i in range(3):
            for j in range(3):
                R_IF[c, i, j] = (
                    imu_R[0, i] * R_BF[c, 0, j] + imu_R[1, i] * R_BF[c, 1, j] + imu_R[2, i] * R_BF[c, 2, j]
                )

    known = contact_wrenches(
        required,
        tau,
        p_BF,
        joint_address,
        joint_axis,
        frame_support,
        wrench_size,
        torque_deviation,
        wrench_deviations,
        wrench,
        wrench_A,
        wrench_columns,
    )
    for c in range(nc):
        force[c] = measured_force[c]
        if known and not math.isfinite(force[c]):
            normal = (
                R_BF[c, 0, 2] * wrench[c, 0] + R_BF[c, 1, 2] * wrench[c, 1] + R_BF[c, 2, 2] * wrench[c, 2]
            )
            force[c] = normal
        if math.isfinite(force[c]):
            normal_force[c] = force[c]
    detect_contacts(force, planned, dt, detection, contact, timer, age)
    closed, youngest = 0, math.inf
    for c in range(nc):
        if contact[c]:
            closed += 1
            youngest = min(youngest, age[c])
    # Soles that have stood together for a while hold each other: they creep and turn less than one alone.
    settled = closed > 1 and youngest > settings[SETTLING_TIME]
    factor = settings[SETTLED] ** 2 if settled else 1.0
    for c in range(nc):
        landing = age[c] < settings[LANDING_TIME]
        slot_noise[c, 0] = settings[LANDING_DRIFT] if landing else factor * settings[DRIFT]
        slot_noise[c, 1] = settings[LANDING_TURN] if landing else factor * settings[TURN]
        slot_noise[c, 2] = 0.0 if settled else settings[SPIN]
        wanted[c] = slot_kind[c] if contact[c] else 0
    w_B, lever, column, p_FP = scratch[1, :3], scratch[2, :3], scratch[3], scratch[2, 3:5]
    for i in range(3):
        offset[i] = gyro[i] - x[STATE_BG + i]
    base_twist(
        offset, imu_R, imu_p, joints[1], joint_address, joint_axis, frame_support[nc], w_B, lever, column
    )
    for c in range(nc):
        centre_of_pressure(R_BF[c], wrench[c], sole_box[c], settings[PIVOT_FORCE], p_FP)
        sole_velocity(
            w_B,
            joints[1],
            joint_address,
            joint_axis,
            frame_support[c],
            R_BF[c],
            p_BF[c],
            p_FP,
            lever,
            column,
        )
        rotate_back(imu_R, lever, slot_velocity[c])

    advance(
        x,
        P,
        memory,
        gyro,
        accel,
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
    write_state(
        x,
        joints,
        gyro_smooth,
        imu_R,
        imu_p,
        joint_address,
        joint_axis,
        frame_support[nc],
        q,
        v,
        scratch,
        filter_work,
    )


@kernel
def write_state(
    x: Array,
    joints: Array,
    gyro_smooth: Array,
    imu_R: Array,
    imu_p: Array,
    joint_address: IntArray,
    joint_axis: Array,
    imu_support: IntArray,
    q: Array,
    v: Array,
    scratch: Array,
    work: Array,
) -> None:
    """The filter's state as pinocchio's q and v; arguments as in `after_kinematics`."""
    na = joints.shape[1]
    R_WB = work[0]
    multiply_transposed(x[0:9].reshape((3, 3)), imu_R, R_WB)
    omega, w, lever, column = scratch[0, :3], scratch[1, :3], scratch[2, :3], scratch[3]
    for i in range(3):
        omega[i] = gyro_smooth[i] - x[STATE_BG + i]
    base_twist(omega, imu_R, imu_p, joints[1], joint_address, joint_axis, imu_support, w, lever, column)
    rotate(R_WB, imu_p, omega)
    rotate_back(R_WB, x[STATE_V:STATE_P], v[0:3])
    for i in range(3):
        q[i] = x[STATE_P + i] - omega[i]
        v[i] -= lever[i]
        v[3 + i] = w[i]
    a, b, c, d = quaternion(R_WB)
    # The same rotation has two quaternions; the one near the last keeps logs and differences smooth.
    sign = -1.0 if a * q[3] + b * q[4] + c * q[5] + d * q[6] < 0.0 else 1.0
    q[3] = sign * a
    q[4] = sign * b
    q[5] = sign * c
    q[6] = sign * d
    for j in range(na):
        q[7 + j] = joints[0, j]
        v[6 + j] = joints[1, j]
