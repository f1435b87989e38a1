"""State estimation of a robot with a floating base: a contact-aided invariant EKF on IMU and encoders."""

from __future__ import annotations

import math
from functools import partial
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
from kilohertz.estimators.contact_wrench import expect_less_of_moving, weigh_contacts
from kilohertz.estimators.divergence import doubt_filter
from kilohertz.estimators.gyro_watch import watch_gyro
from kilohertz.estimators.hanging import HangingBase
from kilohertz.estimators.imu_watch import watch_imu
from kilohertz.estimators.inekf import InvariantEkf
from kilohertz.estimators.inekf_layout import (
    ACCEL_BIAS,
    CONTACTS,
    ROTATION,
    SLOT_ROTATION,
    SLOT_ROWS,
    SOLE,
    VELOCITY,
)
from kilohertz.estimators.leg_kinematics import KinematicTables
from kilohertz.estimators.odometry_frame import new_odometry
from kilohertz.estimators.outside_pose import new_outside_poses, reset_outside_poses, use_outside_pose
from kilohertz.estimators.pose_noise import SAMPLE_S, adapt_pose_noise, set_pose_noise
from kilohertz.estimators.sole_motion import find_pressure
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import OutsideRow, SensorRow

Array = NDArray[np.float64]

MAX_STEP_S = 5e-3
# Time after a reset at which the assumption of a level floor is checked [s], and the time for which this is
# postponed while the soles seem to rotate.
LEVEL_CHECK_S, LEVEL_PATIENCE_S = 0.3, 0.2
# Velocity that the rotation of the soles gives the IMU, above which they seem to rotate [m/s]. It is 0.005
# for a robot on a slope, and 0.05 for a gyro that is wrong enough to look like a slope.
LEVEL_SPIN_M_S = 0.02
LANDING_M_S = 0.1
"""SD of the velocity of a robot that is lowered onto its soles [m/s]."""

_AFTER_KINEMATICS = (
    tick.place_contacts,
    expect_less_of_moving,
    weigh_contacts,
    detect_contacts,
    find_pressure,
    tick.trust_contacts,
    tick.pivot_soles,
    set_pose_noise,
    tick.run_filter,
    use_outside_pose,
    adapt_pose_noise,
    watch_imu,
    watch_gyro,
    doubt_filter,
    write_state,
)


class FloatingBaseEstimator:
    """Estimates pose and velocity of the base, the joint states, and which contacts are closed.

    The base state is estimated by a contact-aided right-invariant EKF (see InvariantEkf) from the IMU and the
    poses of the closed contacts, which follow from the encoders. The joint states have their own observer.
    The world frame is defined at the last reset: the base starts above its origin with zero yaw, and the
    soles are at z = 0. The odometry frame begins as the world, and corrections do not move standing contacts
    in it, see `odometry_frame`: a controller should plan in it, while `q` is the best estimate of the place.

    Attributes (persistent arrays, updated in place):
        q (nq,), v (nv,): state in pinocchio's convention, with the base in the world.
        q_O (nq,): the same as q, with the base in the odometry frame.
        contact (nc,): whether each contact is closed.
        normal_force_N (nc,): normal force, measured where there is a sensor, else estimated from the joint
            torques. While neither is known (torques not finite), it is the last known value, and `contact`
            follows the plan.
        contact_wrench_B (nc, 6): estimated force and moment on each contact, in the base's axes [N, Nm]; NaN
            while joint torques are not finite.
        doubt (1,): above 1, IMU and contacts have contradicted each other for so long that the estimate must
            not be used.
        filter: the InvariantEkf; its state is that of the IMU.
        level_start: whether the floor was assumed level at the last reset.
        outside: the OutsideRow of poses measured from outside; a pose with a new number is used by the next
            update.
        outside_ignored (1,): number of outside poses since the last reset that were ignored, because they
            contradict the estimate or are too old.
        sole_load_N (nc,): normal force on each sole after `update_hanging` and `update_tethered`, which does
            not assume that the soles carry the whole robot.

    Args:
        robot: a robot with a floating base and an IMU.
        config: noises and thresholds.
        outside: row that somebody else writes outside poses into; None for one of its own.

    Raises:
        ValueError: the robot has no floating base.
    """

    name = "invariant-ekf"

    def __init__(
        self, robot: RobotModel, config: EstimatorGains | None = None, outside: OutsideRow | None = None
    ) -> None:
        if not robot.floating or robot.imu_frame_id is None:
            raise ValueError(f"{robot.name} has no floating base to estimate")
        self.robot = robot
        self.config = config = config if config is not None else EstimatorGains()
        nc = len(robot.contacts)
        self.contact = np.ones(nc, dtype=bool)
        self.level_start = False
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
        q_B, v_B, vdot_B = self._dynamics
        self._place_frames = partial(pin.forwardKinematics, self._model, self._data, q_B)
        self._find_torques = partial(pin.rnea, self._model, self._data, q_B, v_B, vdot_B)
        self._contacts = kernel_setup.new_contacts(robot, config)
        self._poses = self.filter.poses
        self._on_points = kernel_setup.stands_on_points(robot)
        self._pose_noise = kernel_setup.new_pose_noise(self._poses, robot, config)
        self._watch = kernel_setup.new_watch(nc, config)
        self._gyro_watch = kernel_setup.new_gyro_watch()
        self._doubt = kernel_setup.new_doubt(nc)
        self.outside = outside if outside is not None else OutsideRow()
        self._outside = new_outside_poses(
            self.outside,
            len(self.filter.P),
            position_sd_m=config.outside.position_noise_m,
            rotation_sd_rad=config.outside.rotation_noise_rad,
            delay_s=config.outside.delay_s,
            gate=config.outside.gate,
        )
        self.outside_ignored = self._outside.ignored
        self._state = kernel_setup.new_state(robot)
        self.q, self.v, self.q_O = self._state
        self._odometry = new_odometry(nc)
        self.normal_force_N, self.contact_wrench_B = self._contacts.normal_force_N, self._contacts.wrench_B
        self.doubt: Array = self._doubt.doubt
        self._scratch = new_scratch(robot.new_sensor_row().data.size)
        self._clock = tick.TickClock(np.zeros(1), np.zeros(1, np.int64))
        self._level_check_s = 0.0
        structs = self._structs()
        self._before = bind(
            "floating_base_before",
            [tick.begin_tick],
            call={"row": "f8[::1]", "period_s": "f8"},
            structs={**structs, "clock": self._clock},
            returns="f8",
        )
        self._after = bind(
            "floating_base_after",
            _AFTER_KINEMATICS,
            call={"row": "f8[::1]", "planned": "b1[::1]", "contact": "b1[::1]", "dt": "f8"},
            structs=structs,
            expected_s=10.0,
        )
        self._hanging = HangingBase(robot, config, structs)
        self.sole_load_N = self._hanging.sole_load_N
        self._landing = robot.new_sensor_row()

    @property
    def refused(self) -> int:
        """Number of samples that were refused because they were not finite or not plausible."""
        return int(self._clock.refused[0])

    def _structs(self) -> dict[str, Any]:
        """Builds every struct of the tick, by the name that the kernels use for it."""
        robot, config = self.robot, self.config
        weight_N = robot.mass_kg * self._gravity
        assert robot.imu_frame_id is not None
        frames = [*(contact.frame_id for contact in robot.contacts), robot.imu_frame_id]
        accel_sd = joint_observer.steady_deviation(self._joints, SAMPLE_S)[2]
        return {
            "settings": kernel_setup.tick_settings(config, on_points=self._on_points),
            "ekf": self.filter.arrays,
            "joints": self._joints,
            "imu": self._imu,
            "tables": KinematicTables.of(robot, self._data, frames),
            "dynamics": self._dynamics,
            "problem": kernel_setup.wrench_problem(robot, config, weight_N, accel_sd, self._data.tau),
            "contacts": self._contacts,
            "poses": self._poses,
            "pose_noise": self._pose_noise,
            "detection": kernel_setup.detection(config, weight_N),
            "trust": kernel_setup.trust(config),
            "doubt": self._doubt,
            "watch": self._watch,
            "odometry": self._odometry,
            "outside": self._outside,
            "gyro_watch": self._gyro_watch,
            "state": self._state,
            "scratch": self._scratch,
        }

    def reset(self, sensors: SensorRow) -> None:
        """Resets the estimator to a robot that stands still with all contacts closed.

        Args:
            sensors: sensor row of the robot at rest.

        Raises:
            ValueError: a value is not finite, or the accelerometer does not measure gravity.
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
        for array in self._odometry:
            array[:] = 0
        self._imu.gyro_smooth[:] = sensors.gyro
        self._imu.w_slow[:] = 0.0
        self._scratch.last_row[:] = sensors.data[joint_observer.ROW_Q :]
        contacts.timer_s[:] = 0.0
        # The contacts count as closed for long, so that none has its landing noise after the reset.
        contacts.age_s[:] = config.contact.landing_time_s + 1.0
        self._forget_doubts()
        reset_outside_poses(self._outside)
        self.contact[:] = True
        self.normal_force_N[:] = self.robot.mass_kg * self._gravity / max(1, len(contacts.p_BF))
        self._clock.pending_s[0] = 0.0
        self._level_check_s = LEVEL_CHECK_S + LEVEL_PATIENCE_S if self.level_start else 0.0
        self.q[:3] = p_WB
        self.q[QUATERNION:JOINTS_Q] = pin.Quaternion(R_WB).coeffs()
        self.q[JOINTS_Q:] = sensors.q
        self.q_O[:] = self.q
        self.v[:] = 0.0

    def _forget_doubts(self) -> None:
        """Resets the adapted noise and the criteria of divergence."""
        doubt = self._doubt
        for array in (
            self._pose_noise.smooth,
            self._pose_noise.spread,
            doubt.doubt,
            doubt.disagreement,
            doubt.speed_m_s,
            doubt.stepping_s,
            doubt.since_reset_s,
        ):
            array[:] = 0.0

    def _place(self, q_joints: Array) -> tuple[pin.SE3, Array]:
        """Computes the poses of IMU and contacts for the given joint positions.

        Args:
            q_joints: (na,) joint positions [rad].

        Returns:
            The pose of the IMU in the base frame, and (k, 3) the corners of all soles in the base frame [m].
        """
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
        """Resets the filter to an IMU at rest in the given pose in the world, without contacts."""
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
        """Updates the state with one sample; one that is refused or repeats the last one changes nothing.

        Args:
            sensors: the newest sensor row.
            planned_contact: (nc,) whether each contact is planned closed now.
            dt_s: time since the last update [s].
        """
        dt = self._before(sensors.data, dt_s)
        if dt > 0.0:
            self._place_frames()
            self._find_torques()
            self._after(sensors.data, planned_contact, self.contact, dt)
            if self._level_check_s > 0.0:
                self._check_level_in_time(dt)

    def _check_level_in_time(self, dt: float) -> None:
        """Checks the assumption of a level floor once, after the time of the check has come."""
        self._level_check_s -= dt
        if self._level_check_s <= LEVEL_PATIENCE_S and self._soles_stand():
            self._level_check_s = 0.0
            self._check_level()

    def begin_hanging(self) -> None:
        """Continues from the present attitude as that of a robot that hangs: all contacts are open."""
        self.contact[:] = False
        self.sole_load_N[:] = 0.0
        self.doubt[:] = 0.0
        self.filter.accel_bias[:] = 0.0

    def update_hanging(self, sensors: SensorRow, planned_contact: NDArray[np.bool_], dt_s: float) -> None:
        """Updates the state of a robot that hangs with one sample, see `kilohertz.estimators.hanging`.

        Args:
            sensors: the newest sensor row.
            planned_contact: (nc,) not used: no contact is planned.
            dt_s: time since the last update [s].
        """
        dt = self._before(sensors.data, dt_s)
        if dt > 0.0:
            self._place_frames()
            self._find_torques()
            self._hanging.weigh(sensors.data)
            self._hanging.follow(sensors.data, dt)
            self.normal_force_N[:] = self.sole_load_N
            self._landing.data[:] = sensors.data

    def update_tethered(self, sensors: SensorRow, planned_contact: NDArray[np.bool_], dt_s: float) -> None:
        """Like `update`, and also weighs the soles of a robot that a tether may carry in part."""
        self.update(sensors, planned_contact, dt_s)
        self._hanging.weigh(sensors.data)

    def land(self) -> None:
        """Continues from the last attitude as that of a robot that was lowered onto its soles and stands.

        The world is defined anew, as at a reset. The robot may still sink with the winch.
        """
        row = self._landing
        # What the accelerometer would measure at rest: the robot is not at rest while it is lowered.
        row.accel[:] = self._gravity * self.filter.R_WI[2]
        self.reset(row)
        velocity = slice(VELOCITY, VELOCITY + 3)
        self.filter.P[velocity, velocity] += LANDING_M_S**2 * np.eye(3)

    def _soles_stand(self) -> bool:
        """Returns whether no standing sole seems to rotate; feet that are points may always do so.

        Soles that seem to rotate are those of a wrong gyro or of a robot that tips. Then a horizontal bias of
        the accelerometer is no sign of a slope.
        """
        return self._on_points or float(np.linalg.norm(self._gyro_watch.expected)) < LEVEL_SPIN_M_S

    def _check_level(self) -> None:
        """Reverts the assumption of a level floor if it needs an implausible accelerometer bias.

        At reset, a single noisy sample is compared with the soles. By now the filter has averaged many
        samples, and a sloping floor appears as a horizontal bias. In this case the world is rotated about its
        origin so that the bias vanishes, and the variance of the bias becomes that of the tilt.
        """
        ekf, config = self.filter, self.config
        bias_W = ekf.R_WI @ ekf.accel_bias
        if np.hypot(bias_W[0], bias_W[1]) <= config.flat_start_sigmas * config.accel_bias_m_s2:
            return
        gravity = self._gravity
        # The accelerometer's vertical is along g z + bias; the rotation below takes this direction to z.
        # Robot and soles rotate together, so that all their tilt errors are correlated.
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
        # The world has rotated, not the soles.
        self._doubt.upright[:] = (ekf.R_WI @ self._poses.R_IF[:, :, 2:])[:, :2, 0]
        self.level_start = False
