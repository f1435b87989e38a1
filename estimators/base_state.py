"""Conversion of the filter's state, which is that of the IMU, to pinocchio's q and v of the base."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.inekf_layout import STATE_BG, STATE_P, STATE_V
from kilohertz.estimators.leg_kinematics import joint_column
from kilohertz.estimators.so3 import multiply_transposed, quaternion, rotate, rotate_back
from kilohertz.robots.compile.kernels import kernel

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


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
def write_state(
    x: Array,
    joints: Array,
    gyro_smooth: Array,
    imu_R: Array,
    imu_p: Array,
    joint_address: IntArray,
    joint_axis: Array,
    frame_support: IntArray,
    q: Array,
    v: Array,
    scratch: Array,
    filter_work: Array,
) -> None:
    """The filter's state as pinocchio's q and v.

    Args:
        x: the filter's state.
        joints: (3, na) observed joints.
        gyro_smooth: (3,) low-passed gyro [rad/s].
        imu_R: (3, 3) R_BI.
        imu_p: (3,) p_BI [m].
        joint_address: (na,) see KinematicTables.
        joint_axis: (na, 6) see KinematicTables.
        frame_support: (nc + 1, na) see KinematicTables; the last row is the IMU's.
        q: (nq,) written; its quaternion keeps its sign.
        v: (nv,) written.
        scratch: (4, 6).
        filter_work: (1, 3, 3) or more, scratch.
    """
    na = joints.shape[1]
    R_WB, imu_support = filter_work[0], frame_support[frame_support.shape[0] - 1]
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
