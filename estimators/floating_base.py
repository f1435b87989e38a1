"""The state of a robot with a floating base: IMU and encoders through a contact-aided invariant filter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.estimators import floating_base_tick as tick
from kilohertz.estimators import joint_observer, kernel_setup
from kilohertz.estimators.alignment import level_rotation, upward
from kilohertz.estimators.base_state import JOINTS_Q, QUATERNION, new_scratch, write_state
from kilohertz.estimators.config import EstimatorGains
from kilohertz.estimators.contact_detection import detect_contacts
from kilohertz.estimators.contact_wrench import weigh_contacts
from kilohertz.estimators.divergence import doubt_filter
from kilohertz.estimators.imu_watch import watch_imu
from kilohertz.estimators.inekf import InvariantEkf
from kilohertz.estimators.inekf_layout import (
    ACCEL_BIAS,
    CONTACTS,
    ROTATION,
    SLOT_ROTATION,
    SLOT_ROWS,
    SOLE,
)
from kilohertz.estimators.leg_kinematics import KinematicTables
from kilohertz.estimators.sole_motion import find_pressure
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import SensorRow

Array = NDArray[np.float64]

# Noises are given per sample at this rate; as spectral densities they hold at any rate.
SAMPLE_S = 1e-3
LONGEST_GAP_S = 1.0
MAX_STEP_S = 5e-3
# How long after a reset its belief in a level floor is put to the test.
LEVEL_CHECK_S = 0.3

_AFTER_KINEMATICS = (
    tick.place_contacts,
    weigh_contacts,
    detect_contacts,
    find_pressure,
    tick.trust_contacts,
    tick.pivot_soles,
    tick.run_filter,
    watch_imu,
    doubt_filter,
    write_state,
)


class FloatingBaseEstimator:
    """Where the base is and how it moves, and which contacts are closed.

    The base comes from a contact-aided right-invariant EKF (see InvariantEkf) fed with the IMU and with the
    poses of the closed contacts as the encoders give them; the joints from their own observer. The world is
    that of the last reset: the base starts above its origin with zero yaw, soles at z = 0.

    Attributes (arrays that stay, updated in place):
        q (nq,), v (nv,): state in pinocchio's convention.
        contact (nc,): which contacts are closed.
        normal_force_N (nc,): measured where there is a sensor, else estimated from joint torques; where
            neither is known for a while (torques not finite) the last known, and the plan is believed.
        contact_wrench_B (nc, 6): estimated force and moment on each contact, in the base's axes [N, Nm]; NaN
            while joint torques are not finite.
        doubt (1,): above 1 IMU and contacts contradict each other for so long that nothing here is to be
            believed.
        filter: the InvariantEkf; its state is the IMU's.
        level_start: whether the floor under the last reset is taken to be level.
        refused: samples refused because they were not finite, or not believable.

    Args:
        robot: a robot with a floating base and an IMU.
        config: noises and thresholds.

    Raises:
        ValueError: the robot has no floating base.
    """

    name = "invariant-ekf"

    def __init__(self, robot: RobotModel, config: EstimatorGains | None = None) -> None:
        if not robot.floating or robot.imu_frame_id is None:
            raise ValueError(f"{robot.name} has no floating base to estimate")
        self.robot = robot
        self.config = config = config if config is not None else EstimatorGains()
        nc = len(robot.contacts)
        self.contact = np.ones(nc, dtype=bool)
        self.level_start = False
        self.refused = 0
        self._model, self._data = robot.pin_model, robot.pin_model.createData()
        self._gravity = float(-self._model.gravity.linear[2])
        self.filter = InvariantEkf(nc, gravity=self._gravity, max_step=MAX_STEP_S, gate=config.slip_gate)
        self.filter.noise[:] = (
            config.gyro_noise_rad_s**2 * SAMPLE_S,
            config.accel_noise_m_s2**2 * SAMPLE_S,
            config.gyro_bias_walk_rad_s_per_sqrt_s**2,
            config.accel_bias_walk_m_s2_per_sqrt_s**2,
        )
        self._joints = kernel_setup.new_joints(config.joints, robot.na)
        self._imu = kernel_setup.new_imu()
        self._dynamics = kernel_setup.new_dynamics(robot)
        self._contacts = kernel_setup.new_contacts(robot, config)
        self._poses = self.filter.poses
        kernel_setup.set_pose_noise(self._poses, robot, config)
        self._doubt = kernel_setup.new_doubt(nc)
        self._state = kernel_setup.new_state(robot)
        self.q, self.v = self._state
        self.normal_force_N, self.contact_wrench_B = self._contacts.normal_force_N, self._contacts.wrench_B
        self.doubt: Array = self._doubt.doubt
        self._pending_s = 0.0
        self._level_check_s = 0.0
        structs = self._structs()
        self._before = bind(
            "floating_base_before",
            [tick.before_kinematics],
            call={"row": "f8[::1]", "dt": "f8"},
            structs=structs,
            returns="b1",
        )
        self._after = bind(
            "floating_base_after",
            _AFTER_KINEMATICS,
            call={"row": "f8[::1]", "planned": "b1[::1]", "contact": "b1[::1]", "dt": "f8"},
            structs=structs,
            expected_s=10.0,
        )

    def _structs(self) -> dict[str, Any]:
        """Every struct of the tick, by the name its kernels know it by."""
        robot, config = self.robot, self.config
        weight_N = robot.mass_kg * self._gravity
        assert robot.imu_frame_id is not None
        frames = [*(contact.frame_id for contact in robot.contacts), robot.imu_frame_id]
        accel_sd = joint_observer.steady_deviation(self._joints, SAMPLE_S)[2]
        return {
            "settings": kernel_setup.tick_settings(config, on_points=kernel_setup.stands_on_points(robot)),
            "ekf": self.filter.arrays,
            "joints": self._joints,
            "imu": self._imu,
            "tables": KinematicTables.of(robot, self._data, frames),
            "dynamics": self._dynamics,
            "problem": kernel_setup.wrench_problem(robot, config, weight_N, accel_sd, self._data.tau),
            "contacts": self._contacts,
            "poses": self._poses,
            "detection": kernel_setup.detection(config, weight_N),
            "trust": kernel_setup.trust(config),
            "doubt": self._doubt,
            "watch": kernel_setup.new_watch(len(robot.contacts), config),
            "state": self._state,
            "scratch": new_scratch(),
        }

    def reset(self, sensors: SensorRow) -> None:
        """Starts anew from a robot that stands still, all contacts closed.

        Raises:
            ValueError: the row holds numbers that are not finite.
        """
        config = self.config
        rows = (sensors.q, sensors.v, sensors.gyro, sensors.accel)
        if not all(np.isfinite(row).all() for row in rows) or not np.linalg.norm(sensors.accel) > 1.0:
            raise ValueError("a robot at rest measures finite numbers and gravity: check encoders and IMU")
        joint_observer.reset_joints(self._joints, sensors.q)
        imu, corners_B = self._place(sensors.q)
        up_B, tilt_covariance, self.level_start = upward(
            imu.rotation @ sensors.accel,
            corners_B,
            math.hypot(config.accel_bias_m_s2, config.accel_noise_m_s2),
            config.flat_start_m,
            config.flat_start_sigmas,
        )
        R_WB = level_rotation(up_B)
        contacts = self._contacts
        height = -float((contacts.p_BF @ R_WB[2]).mean()) if len(contacts.p_BF) else 0.0
        p_WB = np.array([0.0, 0.0, height])
        self._start_filter(R_WB @ imu.rotation, p_WB + R_WB @ imu.translation)
        rotation = slice(ROTATION, ROTATION + 3)
        self.filter.P[rotation, rotation] += R_WB @ tilt_covariance @ R_WB.T
        for c, kind in enumerate(contacts.slot_kind):
            poses = self._poses
            self.filter.open_slot(
                c,
                int(kind),
                poses.p_IF[c],
                poses.R_IF[c],
                poses.position_covariance[c],
                poses.rotation_covariance[c],
            )
        self._imu.gyro_smooth[:] = sensors.gyro
        contacts.timer_s[:] = 0.0
        # Closed for long: nothing lands at reset.
        contacts.age_s[:] = config.contact.landing_time_s + 1.0
        doubt = self._doubt
        for array in (
            doubt.doubt,
            doubt.disagreement,
            doubt.speed_m_s,
            doubt.stepping_s,
            doubt.since_reset_s,
        ):
            array[:] = 0.0
        self.contact[:] = True
        self.normal_force_N[:] = self.robot.mass_kg * self._gravity / max(1, len(contacts.p_BF))
        self._pending_s = 0.0
        self._level_check_s = LEVEL_CHECK_S if self.level_start else 0.0
        self.q[:3] = p_WB
        self.q[QUATERNION:JOINTS_Q] = pin.Quaternion(R_WB).coeffs()
        self.q[JOINTS_Q:] = sensors.q
        self.v[:] = 0.0

    def _place(self, q_joints: Array) -> tuple[pin.SE3, Array]:
        """Finds IMU and contacts for these joints; returns the IMU's pose and all corners in the base."""
        q_B, contacts, poses = self._dynamics.q_B, self._contacts, self._poses
        q_B[JOINTS_Q:] = q_joints
        pin.framesForwardKinematics(self._model, self._data, q_B)
        imu = self._data.oMf[self.robot.imu_frame_id]
        self._imu.R_BI[:] = imu.rotation
        self._imu.p_BI[:] = imu.translation
        corners = []
        for c, contact in enumerate(self.robot.contacts):
            pose = self._data.oMf[contact.frame_id]
            contacts.R_BF[c] = pose.rotation
            contacts.p_BF[c] = pose.translation
            poses.R_IF[c] = imu.rotation.T @ pose.rotation
            poses.p_IF[c] = imu.rotation.T @ (pose.translation - imu.translation)
            corners.append(pose.translation + contact.corners_F @ pose.rotation.T)
        return imu, np.concatenate(corners) if corners else np.zeros((1, 3))

    def _start_filter(self, R_WI: Array, p_WI: Array) -> None:
        """Starts the filter anew with the IMU at rest in this pose, and no contacts."""
        ekf, config = self.filter, self.config
        ekf.R_WI[:] = R_WI
        ekf.v_WI[:] = 0.0
        ekf.p_WI[:] = p_WI
        ekf.gyro_bias[:] = 0.0
        ekf.accel_bias[:] = 0.0
        ekf.memory[:] = 0.0
        ekf.set_variances(
            rotation=1e-8,
            velocity=1e-4,
            position=1e-8,
            gyro_bias=config.gyro_bias_rad_s**2,
            accel_bias=config.accel_bias_m_s2**2,
        )

    def update(self, sensors: SensorRow, planned_contact: NDArray[np.bool_], dt_s: float) -> None:
        """Takes in one sample, dt_s after the last; a sample that is refused leaves everything as it was.

        Args:
            sensors: the newest row.
            planned_contact: (nc,) contacts the plan has closed now.
            dt_s: time since the last update [s].
        """
        # A period that cannot be is a clock's fault, not time that passed.
        if not 0.0 < dt_s <= LONGEST_GAP_S:
            dt_s = SAMPLE_S
        # After a refused sample the next one has to cover its time too.
        dt = min(self._pending_s + dt_s, LONGEST_GAP_S)
        if not self._before(sensors.data, dt):
            self._pending_s = dt
            self.refused += 1
            return
        self._pending_s = 0.0
        q_B, v_B, vdot_B = self._dynamics
        pin.forwardKinematics(self._model, self._data, q_B)
        pin.rnea(self._model, self._data, q_B, v_B, vdot_B)
        self._after(sensors.data, planned_contact, self.contact, dt)
        if self._level_check_s > 0.0:
            self._level_check_s -= dt
            if self._level_check_s <= 0.0:
                self._check_level()

    def _check_level(self) -> None:
        """Takes back a level start where it would need an accelerometer bias that is not to be believed.

        At reset one noisy sample is compared with the soles; by now the filter has averaged many, and a
        floor that slopes shows as a horizontal bias. The world is then turned about its origin so that the
        bias vanishes, and the tilt is as uncertain as the bias was.
        """
        ekf, config = self.filter, self.config
        bias_W = ekf.R_WI @ ekf.accel_bias
        if np.hypot(bias_W[0], bias_W[1]) <= config.flat_start_sigmas * config.accel_bias_m_s2:
            return
        gravity = self._gravity
        # The accelerometer says up is along g z + bias; the rotation that takes this to z.
        # Robot and soles turn as one.
        soles = np.flatnonzero(ekf.active == SOLE)
        rotations = [ROTATION] + [CONTACTS + SLOT_ROWS * c + SLOT_ROTATION for c in soles]
        ekf.turn(pin.exp3(np.array((bias_W[1] / gravity, -bias_W[0] / gravity, 0.0))))
        ekf.accel_bias[:] = 0.0
        bias = slice(ACCEL_BIAS, ACCEL_BIAS + 3)
        ekf.P[bias] = 0.0
        ekf.P[:, bias] = 0.0
        ekf.P[bias, bias] = np.eye(3) * config.accel_bias_m_s2**2
        for row in rotations:
            for column in rotations:
                tilt = ekf.P[row : row + 2, column : column + 2]
                tilt += np.eye(2) * (config.accel_bias_m_s2 / gravity) ** 2
        self.level_start = False
