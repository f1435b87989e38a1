"""The self-test before a robot is armed: it must be still, inside its limits, and feel gravity."""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin

from robots.model import RobotModel
from robots.rows import SensorRow, Vector

GRAVITY_M_S2 = 9.81
GRAVITY_TOLERANCE_M_S2 = 0.5
STILL_RAD_S = 0.05
# A joint's velocity reading, and the gyroscope's, may be this far off while the encoders stand still.
STILL_READING_RAD_S = 0.15
STEEPEST_DEG = 30.0
BEYOND_RAD = 0.01
SAMPLES = 20


class SelfTest:
    """Judges a robot by the mean of its latest samples, so that noise neither hides nor fakes a motion.

    Args:
        robot: limits, IMU and nominal posture.
        dt_s: between samples [s].
    """

    def __init__(self, robot: RobotModel, dt_s: float) -> None:
        self._robot = robot
        self._dt_s = dt_s
        self._rows = np.zeros((SAMPLES, robot.new_sensor_row().data.size))
        self._mean = robot.new_sensor_row()
        self._count = 0
        self._up_B = _up_in_imu(robot)

    def add(self, sensors: SensorRow) -> None:
        """Takes one more sample. Hot path."""
        self._rows[self._count % SAMPLES] = sensors.data
        self._count += 1

    def problem(self) -> str | None:
        """Why the robot must not be armed, in one sentence; None where nothing speaks against it."""
        if self._count < SAMPLES:
            return f"only {self._count} of {SAMPLES} samples have come so far"
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
                    f"{name} says that it moves at {v_read:.3f} rad/s, and its encoder that it stands still"
                )
        return self._problem_of_base() if robot.floating else None

    def _encoder_speed(self) -> Vector:
        """(na,) mean speed over the samples, from positions [rad/s]."""
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
                f"the accelerometer feels {felt:.2f} m/s2 at rest, "
                f"not {GRAVITY_M_S2} +- {GRAVITY_TOLERANCE_M_S2} m/s2"
            )
        tilt = math.degrees(math.acos(max(-1.0, min(1.0, float(accel @ self._up_B) / felt))))
        if tilt > STEEPEST_DEG:
            return f"the base is tilted by {tilt:.0f} degrees; stand the robot up first"
        return None


def _up_in_imu(robot: RobotModel) -> Vector:
    """(3,) where up is for the IMU of a level base; its place in the trunk is part of the posture."""
    if robot.imu_frame_id is None:
        return np.zeros(3)
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    up: Vector = np.array(data.oMf[robot.imu_frame_id].rotation.T[:, 2])
    return up
