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
from kilohertz.estimators.base_state import write_state
from kilohertz.estimators.config import EstimatorGains
from kilohertz.estimators.contact_detection import detect_contacts
from kilohertz.estimators.contact_wrench import weigh_contacts
from kilohertz.estimators.divergence import doubt_filter
from kilohertz.estimators.imu_watch import N_ROWS, watch_imu
from kilohertz.estimators.inekf import InvariantEkf
from kilohertz.estimators.inekf_layout import ACCEL_BIAS, CONTACTS, ROTATION
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
        nc, na = len(robot.contacts), robot.na
        self.q: Array = np.array(robot.q_nominal)
        self.v: Array = np.zeros(robot.nv)
        self.contact = np.ones(nc, dtype=bool)
        self.normal_force_N: Array = np.zeros(nc)
        self.contact_wrench_B: Array = np.zeros((nc, 6))
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
        self._joints: Array = np.zeros((3, na))
        self._joints_P: Array = np.zeros((3, 3))
        self._joint_parameters = kernel_setup.joint_parameters(config.joints)
        self._gyro_smooth: Array = np.zeros(3)
        self._imu_R: Array = np.eye(3)
        self._imu_p: Array = np.zeros(3)
        self._q_B: Array = pin.neutral(self._model)
        self._v_B: Array = np.zeros(robot.nv)
        self._vdot_B: Array = np.zeros(robot.nv)
        self._age: Array = np.zeros(nc)
        self._timer: Array = np.zeros(nc)
        self.doubt: Array = np.zeros(1)
        self._disagreement: Array = np.zeros(1)
        self._turned: Array = np.zeros((nc, 2))
        self._unrest: Array = np.zeros(2)
        self._upright: Array = np.zeros((nc, 2))
        self._since_reset_s: Array = np.zeros(1)
        self._contradiction: Array = np.zeros(1)
        self._p_BF: Array = np.zeros((nc, 3))
        self._R_BF: Array = np.zeros((nc, 3, 3))
        self._p_IF: Array = np.zeros((nc, 3))
        self._R_IF: Array = np.zeros((nc, 3, 3))
        self._position_covariance, self._rotation_covariance = kernel_setup.pose_noise(robot, config)
        self._slot_kind = np.array(
            [2 if config.use_sole_orientation and len(c.corners_F) >= 3 else 1 for c in robot.contacts],
            dtype=np.int64,
        )
        self._pending_s = 0.0
        self._level_check_s = 0.0
        arrays = self._arrays()
        self._before = bind(
            "floating_base_before",
            [tick.before_kinematics],
            call={"row": "f8[::1]", "dt": "f8"},
            persistent=arrays,
            returns="b1",
        )
        self._after = bind(
            "floating_base_after",
            [
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
            ],
            call={"row": "f8[::1]", "planned": "b1[::1]", "contact": "b1[::1]", "dt": "f8"},
            persistent=arrays,
            expected_s=10.0,
        )

    def _arrays(self) -> dict[str, NDArray[Any]]:
        """Every array of the tick, by the name its kernels know it by."""
        robot, config, ekf = self.robot, self.config, self.filter
        nc = len(robot.contacts)
        weight_N = robot.mass_kg * self._gravity
        assert robot.imu_frame_id is not None
        frames = [*(contact.frame_id for contact in robot.contacts), robot.imu_frame_id]
        tables = KinematicTables.of(robot, self._data, frames)
        accel_sd = joint_observer.steady_deviation(self._joint_parameters, SAMPLE_S)[2]
        return {
            "settings": kernel_setup.tick_settings(
                config,
                self._gravity,
                MAX_STEP_S,
                weight_N,
                on_points=kernel_setup.stands_on_points(robot),
            ),
            "x": ekf.x,
            "P": ekf.P,
            "memory": ekf.memory,
            "noise": ekf.noise,
            "slot_noise": ekf.slot_noise,
            "slot_velocity": ekf.slot_velocity,
            "active": ekf.active,
            "surprise": ekf.surprise,
            "filter_rows": ekf.rows,
            "filter_work": ekf.work,
            "joints": self._joints,
            "joints_P": self._joints_P,
            "joint_parameters": self._joint_parameters,
            "gyro_smooth": self._gyro_smooth,
            "imu_R": self._imu_R,
            "imu_p": self._imu_p,
            "joint_address": tables.joint_address,
            "joint_axis": tables.joint_axis,
            "frame_address": tables.frame_address,
            "frame_placement": tables.frame_placement,
            "frame_support": tables.frame_support,
            "q_B": self._q_B,
            "v_B": self._v_B,
            "vdot_B": self._vdot_B,
            "required": self._data.tau,
            "wrench_size": np.array(
                [3 if len(c.corners_F) == 1 else 6 for c in robot.contacts], dtype=np.int64
            ),
            "torque_deviation": kernel_setup.torque_deviation(robot, config, accel_sd),
            "wrench_deviations": kernel_setup.wrench_deviations(robot, config, weight_N),
            "wrench": self.contact_wrench_B,
            "wrench_A": np.zeros((6 * nc + 1, 6 * nc + 1)),
            "wrench_columns": np.zeros((nc, 6)),
            "parameters": kernel_setup.detection_parameters(config, weight_N),
            "timer": self._timer,
            "age": self._age,
            "slot_kind": self._slot_kind,
            "wanted": np.zeros(nc, dtype=np.int64),
            "p_FP": np.zeros((nc, 2)),
            "margin": np.zeros(nc),
            "sole_box": kernel_setup.sole_boxes(robot),
            "p_BF": self._p_BF,
            "R_BF": self._R_BF,
            "p_IF": self._p_IF,
            "R_IF": self._R_IF,
            "position_covariance": self._position_covariance,
            "rotation_covariance": self._rotation_covariance,
            "trust": kernel_setup.trust(config),
            "disagreement": self._disagreement,
            "upright": self._upright,
            "turned": self._turned,
            "unrest": self._unrest,
            "since_reset": self._since_reset_s,
            "hung": np.zeros((nc, 3)),
            "watched": np.zeros((N_ROWS, 3)),
            "contradiction": self._contradiction,
            "doubt": self.doubt,
            "force": np.zeros(nc),
            "normal_force": self.normal_force_N,
            "q": self.q,
            "v": self.v,
            "scratch": np.zeros((4, 6)),
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
        joint_observer.reset_joints(self._joints, self._joints_P, sensors.q, self._joint_parameters)
        self._q_B[7:] = sensors.q
        pin.framesForwardKinematics(self._model, self._data, self._q_B)
        imu = self._data.oMf[self.robot.imu_frame_id]
        self._imu_R[:] = imu.rotation
        self._imu_p[:] = imu.translation
        corners = []
        for c, contact in enumerate(self.robot.contacts):
            pose = self._data.oMf[contact.frame_id]
            self._R_BF[c] = pose.rotation
            self._p_BF[c] = pose.translation
            self._R_IF[c] = imu.rotation.T @ pose.rotation
            self._p_IF[c] = imu.rotation.T @ (pose.translation - imu.translation)
            corners.append(pose.translation + contact.corners_F @ pose.rotation.T)
        up_B, tilt_covariance, self.level_start = upward(
            imu.rotation @ sensors.accel,
            np.concatenate(corners) if corners else np.zeros((1, 3)),
            math.hypot(config.accel_bias_m_s2, config.accel_noise_m_s2),
            config.flat_start_m,
            config.flat_start_sigmas,
        )
        R_WB = level_rotation(up_B)
        height = -float((self._p_BF @ R_WB[2]).mean()) if corners else 0.0
        p_WB = np.array([0.0, 0.0, height])

        ekf = self.filter
        ekf.R_WI[:] = R_WB @ imu.rotation
        ekf.v_WI[:] = 0.0
        ekf.p_WI[:] = p_WB + R_WB @ imu.translation
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
        ekf.P[ROTATION : ROTATION + 3, ROTATION : ROTATION + 3] += R_WB @ tilt_covariance @ R_WB.T
        for c in range(len(self.robot.contacts)):
            ekf.open_slot(
                c,
                int(self._slot_kind[c]),
                self._p_IF[c],
                self._R_IF[c],
                self._position_covariance[c],
                self._rotation_covariance[c],
            )
        self._gyro_smooth[:] = sensors.gyro
        self._timer[:] = 0.0
        self.doubt[:] = 0.0
        self._disagreement[:] = 0.0
        self._unrest[:] = 0.0
        self._since_reset_s[:] = 0.0
        # Closed for long: nothing lands at reset.
        self._age[:] = config.contact.landing_time_s + 1.0
        self.contact[:] = True
        self.normal_force_N[:] = self.robot.mass_kg * self._gravity / max(1, len(corners))
        self._pending_s = 0.0
        self._level_check_s = LEVEL_CHECK_S if self.level_start else 0.0
        self.q[:3] = p_WB
        self.q[3:7] = pin.Quaternion(R_WB).coeffs()
        self.q[7:] = sensors.q
        self.v[:] = 0.0

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
        pin.forwardKinematics(self._model, self._data, self._q_B)
        pin.rnea(self._model, self._data, self._q_B, self._v_B, self._vdot_B)
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
        rotations = [ROTATION] + [CONTACTS + 6 * c + 3 for c in np.flatnonzero(ekf.active == 2)]
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
