"""The self-test before a robot is armed.

The robot must stand still with every joint inside its limits, its accelerometer must measure gravity, and the
measured joint torques must have the sign that holds the robot against gravity. Values that are as if in
another unit are named with that unit and the remedy.

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
from kilohertz.robots.model.units import (
    DEGREE,
    UPSIDE_DOWN,
    acceleration_unit,
    beyond_limits_rad,
    in_degrees,
    lacks_gravity,
    time_unit,
)
from kilohertz.robots.wire.row_messages import DEGREES_REMEDY

GRAVITY_TOLERANCE_M_S2 = 0.5
STILL_RAD_S = 0.05
# Largest velocity that a velocity sensor or the gyroscope may report while the encoder positions are
# constant.
STILL_READING_RAD_S = 0.15
STEEPEST_DEG = 30.0
BEYOND_RAD = 0.01
# Spread of the gyroscope's samples at rest that no gyroscope in rad/s has; in deg/s it is usual.
LOUDEST_GYRO_RAD_S = 0.4
# Time stamps may advance this many times faster or slower than the samples before they are taken for a
# wrong unit; a robot in slow motion or with a slow bus stays below.
FASTEST_CLOCK = 50.0
SAMPLES = 20
# Column of the time stamp in a sensor row.
T_S = 1
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
        return (
            self.unit_problem()
            or self._problem_of_joints()
            or (self._problem_of_base() if self._robot.floating else None)
            or self._problem_of_torques()
        )

    def unit_problem(self) -> str | None:
        """Returns one sentence about values in a wrong unit, also of a robot that still moves; else None.

        Only what is certain whatever the robot does is judged: the unit of the time stamps and that of the
        accelerometer. Positions that are implausible as radians are refused before they get here.
        """
        self._mean.data[:] = self._rows.mean(axis=0)
        problem = self._problem_of_clock()
        if problem is not None or not self._robot.floating:
            return problem
        felt = float(np.linalg.norm(self._mean.accel))
        return _acceleration_sentence(felt) if _acceleration_hint(felt) else None

    def _ordered(self) -> Vector:
        """Returns the stored samples from the oldest to the newest: (SAMPLES, n) rows."""
        return np.roll(self._rows, -(self._count % SAMPLES), axis=0)

    def _problem_of_clock(self) -> str | None:
        """Compares the time stamps with the period; those of a simulated robot stand still until armed."""
        step = float(np.median(np.diff(self._ordered()[:, T_S])))
        if step <= 0.0 or 1.0 / FASTEST_CLOCK < step / self._dt_s < FASTEST_CLOCK:
            return None
        unit, _ = time_unit(step, 0.3 * self._dt_s, 3.0 * self._dt_s) or ("another unit", 0.0)
        return (
            f"t_robot_s advances by {step:.4g} in a period of {self._dt_s:g} s, as if in {unit} and not in "
            "seconds: send seconds"
        )

    def _problem_of_joints(self) -> str | None:
        robot, mean = self._robot, self._mean
        outside = beyond_limits_rad(robot, mean.q) > BEYOND_RAD
        degrees = in_degrees(robot, mean.q) and (
            np.count_nonzero(outside) > 1 or np.abs(mean.q).max() > 2.0 * math.pi
        )
        for name, q, low, high in zip(
            robot.joint_names, mean.q, robot.position_lower_rad, robot.position_upper_rad, strict=True
        ):
            if not low - BEYOND_RAD <= q <= high + BEYOND_RAD:
                hint = f": {DEGREES_REMEDY}" if degrees else ""
                return f"{name} is at {q:.3f} rad, outside its limits {low:.3f} to {high:.3f} rad{hint}"
        for name, v, v_read in zip(robot.joint_names, self._encoder_speed(), mean.v, strict=True):
            if not abs(v) < STILL_RAD_S:
                hint = _velocity_hint(v, v_read)
                return f"{name} moves at {v:.3f} rad/s; it must be slower than {STILL_RAD_S} rad/s{hint}"
            if not abs(v_read) < STILL_READING_RAD_S:
                return (
                    f"{name} reports a velocity of {v_read:.3f} rad/s while its encoder position is "
                    "constant: check its velocity sensor"
                )
        return None

    def _encoder_speed(self) -> Vector:
        """Returns the (na,) mean joint velocity over the samples, from encoder positions [rad/s]."""
        half = SAMPLES // 2
        ordered = self._ordered()
        first, second = ordered[:half].mean(axis=0), ordered[half:].mean(axis=0)
        na = self._robot.na
        speed: Vector = (second - first)[2 : 2 + na] / (half * self._dt_s)
        return speed

    def _problem_of_base(self) -> str | None:
        gyro, accel = self._mean.gyro, self._mean.accel
        at = self._mean.data.size - self._mean.contact_force_N.size - gyro.size - accel.size
        spread = float(np.linalg.norm(self._rows[:, at : at + gyro.size].std(axis=0)))
        if spread > LOUDEST_GYRO_RAD_S:
            return (
                f"the samples of the gyroscope scatter by {spread:.2f} rad/s at rest, as if in deg/s and not "
                f"in rad/s: send {DEGREE:.6f} times the value"
            )
        turning = float(np.linalg.norm(gyro))
        if not turning < STILL_READING_RAD_S:
            hint = (
                "; if it is at rest, gyro is as if in deg/s and not in rad/s: "
                f"send {DEGREE:.6f} times the value"
                if DEGREE * turning < STILL_RAD_S
                else ""
            )
            return (
                f"the base turns at {turning:.3f} rad/s; "
                f"it must be slower than {STILL_READING_RAD_S} rad/s{hint}"
            )
        felt = float(np.linalg.norm(accel))
        if not abs(felt - GRAVITY_M_S2) <= GRAVITY_TOLERANCE_M_S2:
            return _acceleration_sentence(felt)
        cosine = float(accel @ self._up_B) / felt
        tilt = math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
        if cosine < UPSIDE_DOWN:
            return (
                f"the base is tilted by {tilt:.0f} degrees: if it is upright, accel has the wrong sign, or "
                "the IMU is mounted upside down; at rest send 9.81 m/s2 upwards (specific force), or correct "
                "rpy_BI_rad of the imu in robot.yaml"
            )
        if tilt > STEEPEST_DEG:
            return (
                f"the base is tilted by {tilt:.0f} degrees; stand the robot up first, or correct rpy_BI_rad "
                "of the imu in robot.yaml if it is upright"
            )
        return None

    def _problem_of_torques(self) -> str | None:
        robot, tau = self._robot, self._mean.tau
        # Whether the robot hangs or stands is decided by the magnitudes, because the signs are being tested.
        best = min(
            self._holding_torques(),
            key=lambda expected: float(np.linalg.norm(np.abs(tau) - np.abs(expected))),
        )
        share = TELLING_ON_FEET if robot.floating else TELLING
        telling = (np.abs(best) > share * robot.torque_limit_Nm) & (np.abs(tau) > 0.5 * np.abs(best))
        if np.count_nonzero(telling) > 1 and (tau * best < 0.0)[telling].all():
            return (
                "the measured joint torques are all the opposite of those that hold the robot against "
                "gravity: `tau` is the torque of the motors on the joints, not of the load; change its sign"
            )
        for name, measured, expected, tells in zip(robot.joint_names, tau, best, telling, strict=True):
            if tells and measured * expected < 0.0:
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


def _velocity_hint(from_encoder: float, read: float) -> str:
    """Returns what the ratio of the velocities from encoder and sensor says about units and signs.

    Args:
        from_encoder: mean velocity from the encoder's positions [rad/s].
        read: mean velocity that the robot reports [rad/s].
    """
    if abs(read) < 0.2 * abs(from_encoder) * DEGREE or not abs(read) > 0.0:
        return ""
    ratio = from_encoder / read
    if 0.5 * DEGREE < ratio < 2.0 * DEGREE:
        return f", and reports {read:.3f} rad/s, as if in deg/s and not in rad/s: send rad/s"
    if 0.5 / DEGREE < ratio < 2.0 / DEGREE:
        return f", and reports {read:.3f} rad/s: its position is as if in degrees and not in rad"
    if -2.0 < ratio < -0.5:
        return f", and reports {read:.3f} rad/s: position and velocity have opposite signs"
    return ""


def _acceleration_sentence(felt: float) -> str:
    return (
        f"the accelerometer measures {felt:.2f} m/s2 at rest, "
        f"not {GRAVITY_M_S2} +- {GRAVITY_TOLERANCE_M_S2} m/s2{_acceleration_hint(felt)}"
    )


def _acceleration_hint(felt: float) -> str:
    found = acceleration_unit(felt)
    if found is not None:
        return f", as if in {found[0]} and not in m/s2: send {found[1]:.6g} times the value"
    if lacks_gravity(felt):
        return ", as if gravity were removed: send the specific force, which is 9.81 m/s2 upwards at rest"
    return ""


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
