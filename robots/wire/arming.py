"""The self-test before a robot is armed.

The robot must stand still with every joint inside its limits, its accelerometer must measure gravity, and the
measured joint torques must have the sign that holds the robot against gravity.

The signs are checked with the torques that hold the robot still, not with a torque pulse. A biped on its feet
must not be moved before it is balanced, and an arm without brakes must not be moved before its weight is
compensated. The check is skipped where the drives hold no load, as when they damp a robot that lies or hangs.
"""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import SensorRow, Vector

GRAVITY_TOLERANCE_M_S2 = 0.5
STILL_RAD_S = 0.05
# Largest velocity that a velocity sensor or the gyroscope may report while the encoder positions are
# constant.
STILL_READING_RAD_S = 0.15
STEEPEST_DEG = 30.0
BEYOND_RAD = 0.01
SAMPLES = 20
TELLING, TELLING_ON_FEET = 0.05, 0.07
"""Shares of the torque limit above which the sign of a torque is checked.

The share is larger for a robot on its feet, because the feet may press against each other."""


class SelfTest:
    """Checks the mean of the latest samples, so that noise neither hides a motion nor looks like one.

    Args:
        robot: model with the limits, the IMU and the nominal posture.
        dt_s: time between samples [s].
    """

    def __init__(self, robot: RobotModel, dt_s: float) -> None:
        self._robot = robot
        self._dt_s = dt_s
        self._rows = np.zeros((SAMPLES, robot.new_sensor_row().data.size))
        self._mean = robot.new_sensor_row()
        self._count = 0
        self._up_B = _up_in_imu(robot)

    def add(self, sensors: SensorRow) -> None:
        """Stores one sample. Hot path."""
        self._rows[self._count % SAMPLES] = sensors.data
        self._count += 1

    def problem(self) -> str | None:
        """Returns one sentence that says why the robot must not be armed; None if the test is passed."""
        if self._count < SAMPLES:
            return f"only {self._count} of {SAMPLES} sensor samples have been received so far; try again"
        self._mean.data[:] = self._rows.mean(axis=0)
        robot, mean = self._robot, self._mean
        for name, q, low, high in zip(
            robot.joint_names, mean.q, robot.position_lower_rad, robot.position_upper_rad, strict=True
        ):
            if not low - BEYOND_RAD <= q <= high + BEYOND_RAD:
                return f"{name} is at {q:.3f} rad, outside its limits {low:.3f} to {high:.3f} rad"
        for name, v, v_read in zip(robot.joint_names, self._encoder_speed(), mean.v, strict=True):
            if not abs(v) < STILL_RAD_S:
                return f"{name} moves at {v:.3f} rad/s; it must be slower than {STILL_RAD_S} rad/s"
            if not abs(v_read) < STILL_READING_RAD_S:
                return (
                    f"{name} reports a velocity of {v_read:.3f} rad/s while its encoder position is "
                    "constant: check its velocity sensor"
                )
        problem = self._problem_of_base() if robot.floating else None
        return problem or self._problem_of_torques()

    def _encoder_speed(self) -> Vector:
        """Returns the (na,) mean joint velocity over the samples, from encoder positions [rad/s]."""
        half = SAMPLES // 2
        ordered = np.roll(self._rows, -(self._count % SAMPLES), axis=0)
        first, second = ordered[:half].mean(axis=0), ordered[half:].mean(axis=0)
        na = self._robot.na
        speed: Vector = (second - first)[2 : 2 + na] / (half * self._dt_s)
        return speed

    def _problem_of_base(self) -> str | None:
        gyro, accel = self._mean.gyro, self._mean.accel
        turning = float(np.linalg.norm(gyro))
        if not turning < STILL_READING_RAD_S:
            return (
                f"the base turns at {turning:.3f} rad/s; it must be slower than {STILL_READING_RAD_S} rad/s"
            )
        felt = float(np.linalg.norm(accel))
        if not abs(felt - GRAVITY_M_S2) <= GRAVITY_TOLERANCE_M_S2:
            return (
                f"the accelerometer measures {felt:.2f} m/s2 at rest, "
                f"not {GRAVITY_M_S2} +- {GRAVITY_TOLERANCE_M_S2} m/s2"
            )
        tilt = math.degrees(math.acos(max(-1.0, min(1.0, float(accel @ self._up_B) / felt))))
        if tilt > STEEPEST_DEG:
            return f"the base is tilted by {tilt:.0f} degrees; stand the robot up first"
        return None

    def _problem_of_torques(self) -> str | None:
        robot, tau = self._robot, self._mean.tau
        # Whether the robot hangs or stands is decided by the magnitudes, because the signs are being tested.
        best = min(
            self._holding_torques(),
            key=lambda expected: float(np.linalg.norm(np.abs(tau) - np.abs(expected))),
        )
        share = TELLING_ON_FEET if robot.floating else TELLING
        for name, measured, expected, limit in zip(
            robot.joint_names, tau, best, robot.torque_limit_Nm, strict=True
        ):
            telling = abs(expected) > share * limit and abs(measured) > 0.5 * abs(expected)
            if telling and measured * expected < 0.0:
                return (
                    f"{name} reports {measured:.1f} Nm, but {expected:.1f} Nm would hold it against gravity: "
                    "check the signs of its angle and its torque"
                )
        return None

    def _holding_torques(self) -> list[Vector]:
        """Returns the (na,) torques that hold the measured posture: hanging, and standing on any soles."""
        robot = self._robot
        model, data = robot.pin_model, robot.pin_model.createData()
        if not robot.floating:
            held: Vector = pin.computeGeneralizedGravity(model, data, self._mean.q).copy()
            return [held]
        q = np.concatenate([np.zeros(3), self._orientation(), self._mean.q])
        gravity = pin.computeGeneralizedGravity(model, data, q).copy()
        pin.computeJointJacobians(model, data, q)
        pin.updateFramePlacements(model, data)
        rows = [np.zeros((0, robot.nv))]
        for contact in robot.contacts:
            frame = pin.ReferenceFrame.LOCAL_WORLD_ALIGNED
            J = pin.getFrameJacobian(model, data, contact.frame_id, frame)
            rows.append(J if len(contact.corners_F) >= 3 else J[:3])
        J = np.vstack(rows)
        # The smallest of all sole wrenches that carry the robot.
        wrench = np.linalg.lstsq(J[:, : robot.n_base].T, gravity[: robot.n_base], rcond=None)[0]
        on_soles = gravity - J.T @ wrench
        return [gravity[robot.n_base :], on_soles[robot.n_base :]]

    def _orientation(self) -> Vector:
        """Returns the (4,) quaternion (x, y, z, w) of the base from the accelerometer, with zero heading."""
        R_BI = _imu_rotation(self._robot)
        up_B = R_BI @ self._mean.accel
        turn = pin.Quaternion.FromTwoVectors(up_B / np.linalg.norm(up_B), np.array([0.0, 0.0, 1.0]))
        quaternion: Vector = np.array(turn.coeffs())
        return quaternion


def _imu_rotation(robot: RobotModel) -> Vector:
    """Returns the (3, 3) rotation R_BI from the IMU's axes to the base's, at the nominal posture."""
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    base = pin.Quaternion(robot.q_nominal[3:7]).matrix()
    rotation: Vector = base.T @ data.oMf[robot.imu_frame_id].rotation
    return rotation


def _up_in_imu(robot: RobotModel) -> Vector:
    """Returns the (3,) upward direction in IMU axes when the robot stands level in its nominal posture."""
    if robot.imu_frame_id is None:
        return np.zeros(3)
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    up: Vector = np.array(data.oMf[robot.imu_frame_id].rotation.T[:, 2])
    return up
