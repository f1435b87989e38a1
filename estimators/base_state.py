"""Conversion of the filter state, which describes the IMU, to pinocchio's q and v of the base."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.inekf_layout import Filter
from kilohertz.estimators.joint_observer import ROW_Q, Joints
from kilohertz.estimators.leg_kinematics import KinematicTables, joint_column
from kilohertz.estimators.odometry_frame import Odometry, in_odometry
from kilohertz.estimators.so3 import multiply_transposed, quaternion, rotate, rotate_back
from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]

# Start index of the base quaternion (x, y, z, w) in q, of the joints in q, and of the joints in v.
QUATERNION, JOINTS_Q, JOINTS_V = 3, 7, 6


class Imu(NamedTuple):
    """Pose of the IMU on the robot at the last tick, and low-passed angular velocities."""

    R_BI: Array
    """(3, 3) orientation of the IMU in the base frame."""
    p_BI: Array
    """(3,) position of the IMU in the base frame [m]."""
    gyro_smooth: Array
    """(3,) low-passed gyro measurement, bias included, in the IMU frame [rad/s]."""
    w_slow: Array
    """(3,) low-passed angular velocity of the base in its axes [rad/s]; the base's angular acceleration is
    proportional to the difference from the present one."""


class RobotState(NamedTuple):
    """The estimated state, in pinocchio's convention."""

    q: Array
    """(nq,) configuration of the robot, with the base in the world."""
    v: Array
    """(nv,) velocity of the robot."""
    q_O: Array
    """(nq,) the same configuration, with the base in the odometry frame."""


class Scratch(NamedTuple):
    """Preallocated memory for intermediate results within one kernel."""

    omega: Array
    """(3,) scratch vector."""
    w_B: Array
    """(3,) angular velocity of the base, in its own axes [rad/s]; written by `base_twist`."""
    lever: Array
    """(3,) velocity of the IMU relative to the base origin [m/s]; written by `base_twist`."""
    column: Array
    """(6,) one column of a Jacobian, linear then angular."""
    R_WB: Array
    """(3, 3) orientation of the base in the world."""
    last_row: Array
    """(n,) the last sensor row that was used, without its number and time; NaN before the first."""


def new_scratch(row_size: int = 2) -> Scratch:
    """Allocates the scratch memory for the kernels of one estimator, whose sensor rows have this size."""
    last_row = np.full(row_size - ROW_Q, np.nan)
    return Scratch(np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(6), np.zeros((3, 3)), last_row)


@struct_kernel
def base_twist(
    omega_I: Array, imu: Imu, joint_velocity: Array, tables: KinematicTables, scratch: Scratch
) -> None:
    """Computes the angular velocity of the base, and the velocity of the IMU relative to the base origin.

    Args:
        omega_I: (3,) angular velocity w_WI_I of the IMU, bias removed [rad/s].
        imu: pose of the IMU in the base frame.
        joint_velocity: (na,) joint velocities [rad/s].
        tables: kinematic tables whose last frame is the IMU frame.
        scratch: written. `w_B` becomes w_WB_B [rad/s]; `lever` becomes w_WB_B x p_BI plus the velocity that
            the joints between base and IMU add, in base axes [m/s].
    """
    p_BI, w_B, lever, column = imu.p_BI, scratch.w_B, scratch.lever, scratch.column
    support = tables.frame_support[tables.frame_support.shape[0] - 1]
    rotate(imu.R_BI, omega_I, w_B)
    for i in range(3):
        lever[i] = 0.0
    for j in range(joint_velocity.shape[0]):
        if support[j] != 0:
            joint_column(tables.joint_address[j], tables.joint_axis[j], p_BI, column)
            for i in range(3):
                lever[i] += column[i] * joint_velocity[j]
                w_B[i] -= column[3 + i] * joint_velocity[j]
    lever[0] += w_B[1] * p_BI[2] - w_B[2] * p_BI[1]
    lever[1] += w_B[2] * p_BI[0] - w_B[0] * p_BI[2]
    lever[2] += w_B[0] * p_BI[1] - w_B[1] * p_BI[0]


@struct_kernel
def write_quaternion(components: tuple[float, float, float, float], q: Array) -> None:
    """Writes a quaternion behind the position in q.

    A quaternion and its negative are the same rotation; the one closer to the last keeps differences smooth.
    """
    a, b, c, d = components
    at = QUATERNION
    sign = -1.0 if a * q[at] + b * q[at + 1] + c * q[at + 2] + d * q[at + 3] < 0.0 else 1.0
    q[at] = sign * a
    q[at + 1] = sign * b
    q[at + 2] = sign * c
    q[at + 3] = sign * d


@struct_kernel
def write_state(
    ekf: Filter,
    joints: Joints,
    imu: Imu,
    tables: KinematicTables,
    odometry: Odometry,
    state: RobotState,
    scratch: Scratch,
) -> None:
    """Writes the state of the filter as pinocchio's q and v.

    Args:
        ekf: the filter.
        joints: joint positions and velocities from the joint observer.
        imu: pose of the IMU in the base frame, and its low-passed gyro measurement.
        tables: kinematic tables whose last frame is the IMU frame.
        odometry: the odometry frame.
        state: written; the sign of its quaternion stays continuous.
        scratch: written.
    """
    q, v, q_O, R_WB, omega = state.q, state.v, state.q_O, scratch.R_WB, scratch.omega
    multiply_transposed(ekf.R_WI, imu.R_BI, R_WB)
    for i in range(3):
        omega[i] = imu.gyro_smooth[i] - ekf.gyro_bias[i]
    base_twist(omega, imu, joints.v, tables, scratch)
    rotate(R_WB, imu.p_BI, omega)
    rotate_back(R_WB, ekf.v_WI, v[0:3])
    for i in range(3):
        omega[i] = ekf.p_WI[i] - omega[i]
        q[i] = odometry.origin_W[i] + omega[i]
        v[i] -= scratch.lever[i]
        v[3 + i] = scratch.w_B[i]
    write_quaternion(quaternion(R_WB), q)
    in_odometry(omega, odometry, q_O)
    c, s = math.cos(odometry.yaw[0]), math.sin(odometry.yaw[0])
    for j in range(3):
        x, y = R_WB[0, j], R_WB[1, j]
        R_WB[0, j] = c * x - s * y
        R_WB[1, j] = s * x + c * y
    write_quaternion(quaternion(R_WB), q_O)
    for j in range(len(joints.q)):
        q[JOINTS_Q + j] = joints.q[j]
        q_O[JOINTS_Q + j] = joints.q[j]
        v[JOINTS_V + j] = joints.v[j]
