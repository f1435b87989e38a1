"""Estimation of a robot that hangs from a gantry, without contacts: attitude, velocity, load on the soles.

With the soles in the air no leg gives odometry, and neither the place nor the height of the base can be
observed. The attitude follows the gyro, and is corrected slowly towards the accelerometer, which on average
measures gravity (the complementary filter of Mahony, Hamel, Pflimlin, "Nonlinear complementary filters on the
special orthogonal group", TAC 2008). The velocity is the integral of the measured acceleration and decays
within `SETTLE_S`: it is assumed, not measured, that the tether holds the robot still. A slow steady motion,
such as that of the winch, is therefore not in the estimate. The position stays where it was.

The load on the soles follows from the joint torques alone. The balance of forces of the whole robot, which
the estimate for a standing robot uses as well, does not hold: the tether carries an unknown part.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators import kernel_setup
from kilohertz.estimators.base_state import write_state
from kilohertz.estimators.config import EstimatorGains
from kilohertz.estimators.contact_wrench import weigh_contacts
from kilohertz.estimators.floating_base_tick import place_contacts
from kilohertz.estimators.inekf_layout import Filter
from kilohertz.estimators.joint_observer import Joints, accel_at, contact_forces_at, gyro_at
from kilohertz.estimators.so3 import cross, exp3, multiply, orthonormalise, rotate
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import struct_kernel
from kilohertz.robots.model.robot_model import RobotModel

Array = NDArray[np.float64]

TILT_PER_S = 1.0
"""Rate at which the vertical approaches that of the accelerometer [1/s]; a robot swings faster than that."""
BIAS_PER_S2 = 0.25
"""Rate at which the gyro bias follows the same error [1/s^2]: critical damping."""
LARGEST_BIAS_RAD_S = 0.05
"""Largest gyro bias that is learnt while the robot hangs [rad/s]."""
SETTLE_S = 0.2
"""Time within which the velocity decays [s]."""
CALM_M_S2 = 2.0
"""Difference of the specific force from gravity above which it does not show the vertical [m/s^2]."""
_UNKNOWN = 1e6
"""Factor on the standard deviation of the robot's balance of forces, which the tether upsets."""


class Hang(NamedTuple):
    """Scratch memory of `follow_gravity`."""

    felt: Array
    """(3,) specific force without bias, in the IMU's axes [m/s^2]."""
    error: Array
    """(3,) error of the vertical as a rotation of the IMU, in its axes [rad]."""
    turn: Array
    """(3,) rotation of one sample [rad]."""
    step: Array
    """(3, 3) the same as a matrix."""
    R: Array
    """(3, 3) orientation after the sample."""


@struct_kernel
def follow_gravity(row: Array, dt: float, joints: Joints, ekf: Filter, hang: Hang) -> None:
    """Updates attitude, gyro bias and velocity of the IMU with one sample; the position is kept.

    Args:
        row: data of the sensor row.
        dt: time since the last accepted sample [s].
        joints: the joint observer; only its number of joints is used.
        ekf: the filter, whose state is written; its covariance is not used.
        hang: scratch memory, written.
    """
    na = len(joints.q)
    gyro, accel = row[gyro_at(na) : accel_at(na)], row[accel_at(na) : contact_forces_at(na)]
    R, felt, error, turn = ekf.R_WI, hang.felt, hang.error, hang.turn
    for i in range(3):
        felt[i] = accel[i] - ekf.accel_bias[i]
    length = math.sqrt(felt[0] * felt[0] + felt[1] * felt[1] + felt[2] * felt[2])
    # The third row of R_WI is the estimated vertical in the IMU's axes.
    cross(felt, R[2], error)
    calm = abs(length - ekf.gravity_m_s2) < CALM_M_S2
    for i in range(3):
        error[i] = error[i] / length if calm else 0.0
        bias = ekf.gyro_bias[i] - dt * BIAS_PER_S2 * error[i]
        ekf.gyro_bias[i] = min(max(bias, -LARGEST_BIAS_RAD_S), LARGEST_BIAS_RAD_S)
        turn[i] = dt * (gyro[i] - ekf.gyro_bias[i] + TILT_PER_S * error[i])
    exp3(turn, hang.step)
    multiply(R, hang.step, hang.R)
    for i in range(3):
        for j in range(3):
            R[i, j] = hang.R[i, j]
    orthonormalise(R, hang.step)
    rotate(R, felt, turn)
    turn[2] -= ekf.gravity_m_s2
    keep = math.exp(-dt / SETTLE_S)
    for i in range(3):
        ekf.v_WI[i] = keep * (ekf.v_WI[i] + dt * turn[i])


class HangingBase:
    """The estimator of a hanging robot, on the arrays of the estimator of the same robot on its soles.

    Args:
        robot: the robot.
        config: noises.
        structs: structs of `FloatingBaseEstimator`, by name.

    Attributes:
        sole_load_N: (nc,) normal force on each sole, from joint torques or force sensors alone [N].
    """

    def __init__(self, robot: RobotModel, config: EstimatorGains, structs: dict[str, Any]) -> None:
        loads = kernel_setup.new_contacts(robot, config)
        self.sole_load_N = loads.normal_force_N
        problem = structs["problem"]
        free = problem._replace(
            A=np.zeros_like(problem.A),
            column=np.zeros_like(problem.column),
            share=np.ones_like(problem.share),
            force_deviation_N=_UNKNOWN * problem.force_deviation_N,
            moment_deviation_Nm=_UNKNOWN * problem.moment_deviation_Nm,
        )
        hang = Hang(np.zeros(3), np.zeros(3), np.zeros(3), np.zeros((3, 3)), np.zeros((3, 3)))
        own = {**structs, "contacts": loads, "problem": free, "hang": hang}
        self.weigh = bind("sole_load", [place_contacts, weigh_contacts], call={"row": "f8[::1]"}, structs=own)
        self.follow = bind(
            "hanging_base",
            [follow_gravity, write_state],
            call={"row": "f8[::1]", "dt": "f8"},
            structs=own,
        )
