"""The self-test before a robot is armed: still, inside its limits, feeling gravity, torques the right way.

The signs of torques are read from what holds the robot still, and not from a pulse: a biped on its feet must
not be moved by its joints before it is balanced, an arm without brakes not before its gravity is carried.
Where the drives hold nothing, damping a robot that lies or hangs, there is nothing to be read.
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
# A joint's velocity reading, and the gyroscope's, may be this far off while the encoders stand still.
STILL_READING_RAD_S = 0.15
STEEPEST_DEG = 30.0
BEYOND_RAD = 0.01
SAMPLES = 20
TELLING, TELLING_ON_FEET = 0.05, 0.07
"""Share of the torque limit above which a sign means something; feet may press against each other."""


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
        problem = self._problem_of_base() if robot.floating else None
        return problem or self._problem_of_torques()

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

    def _problem_of_torques(self) -> str | None:
        robot, tau = self._robot, self._mean.tau
        # Whether it hangs or stands is told by the sizes: the signs are in question.
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
                    f"{name} reports {measured:.1f} Nm where {expected:.1f} Nm would hold it: "
                    "check the signs of its angle and its torque"
                )
        return None

    def _holding_torques(self) -> list[Vector]:
        """(na,) torques that would hold the robot as it is: hanging, and on its soles where it has any."""
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
        # Of all wrenches on the soles that carry the robot, the smallest.
        wrench = np.linalg.lstsq(J[:, : robot.n_base].T, gravity[: robot.n_base], rcond=None)[0]
        on_soles = gravity - J.T @ wrench
        return [gravity[robot.n_base :], on_soles[robot.n_base :]]

    def _orientation(self) -> Vector:
        """(4,) quaternion of the base as the accelerometer tells it, facing ahead."""
        R_BI = _imu_rotation(self._robot)
        up_B = R_BI @ self._mean.accel
        turn = pin.Quaternion.FromTwoVectors(up_B / np.linalg.norm(up_B), np.array([0.0, 0.0, 1.0]))
        quaternion: Vector = np.array(turn.coeffs())
        return quaternion


def _imu_rotation(robot: RobotModel) -> Vector:
    """(3, 3) from the IMU's axes to the base's, at the nominal posture."""
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    base = pin.Quaternion(robot.q_nominal[3:7]).matrix()
    rotation: Vector = base.T @ data.oMf[robot.imu_frame_id].rotation
    return rotation


def _up_in_imu(robot: RobotModel) -> Vector:
    """(3,) where up is for the IMU of a level base; its place in the trunk is part of the posture."""
    if robot.imu_frame_id is None:
        return np.zeros(3)
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    up: Vector = np.array(data.oMf[robot.imu_frame_id].rotation.T[:, 2])
    return up
