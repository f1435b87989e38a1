"""Construction of the structs of the compiled kernels for one robot: noises, thresholds, soles and arrays."""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.estimators.base_state import Imu, RobotState
from kilohertz.estimators.config import EstimatorGains, JointObserverGains
from kilohertz.estimators.contact_detection import Contacts, Detection
from kilohertz.estimators.contact_wrench import WrenchProblem
from kilohertz.estimators.divergence import Doubt, Trust
from kilohertz.estimators.floating_base_tick import Dynamics, TickSettings
from kilohertz.estimators.gyro_watch import GyroWatch
from kilohertz.estimators.imu_watch import ImuWatch
from kilohertz.estimators.inekf_layout import POINT, SOLE, ContactPoses
from kilohertz.estimators.joint_observer import Joints
from kilohertz.estimators.pose_noise import PoseNoise
from kilohertz.robots.model.robot_model import RobotModel

Array = NDArray[np.float64]

# Lever arm that converts the SD of the force balance to that of the moment balance [m].
MOMENT_ARM_M = 0.1


def pose_noise(robot: RobotModel, config: EstimatorGains) -> tuple[Array, Array]:
    """Computes the covariances of the contact poses that follow from the encoders.

    The encoder noise is transformed by the Jacobian of the leg in the nominal posture; the noise from
    backlash and bending is added. Both are assumed to be the same in all directions.

    Returns:
        (nc, 3, 3) covariances of the positions [m^2], and (nc, 3, 3) of the orientations [rad^2].
    """
    model, data = robot.pin_model, robot.pin_model.createData()
    pin.computeJointJacobians(model, data, np.array(robot.q_nominal))
    pin.updateFramePlacements(model, data)
    position, rotation = [], []
    for contact in robot.contacts:
        J = pin.getFrameJacobian(model, data, contact.frame_id, pin.LOCAL_WORLD_ALIGNED)[:, robot.n_base :]
        noise = config.joints.encoder_noise_rad**2 * np.sum(J**2, axis=1)
        position.append((noise[:3].mean() + config.leg_bend_m**2) * np.eye(3))
        rotation.append((noise[3:].mean() + config.leg_bend_rad**2) * np.eye(3))
    return np.array(position).reshape(-1, 3, 3), np.array(rotation).reshape(-1, 3, 3)


def torque_deviation(robot: RobotModel, config: EstimatorGains, accel_sd: float) -> Array:
    """Computes the SD of the error of each joint's equation of motion.

    The error consists of that of the torque, and of inertia times the error of the acceleration.

    Args:
        robot: the robot.
        config: noises.
        accel_sd: SD of the estimated joint accelerations [rad/s^2].

    Returns:
        (na,) SD of each joint's equation of motion [Nm].
    """
    M = pin.crba(robot.pin_model, robot.pin_model.createData(), np.array(robot.q_nominal))
    deviation: Array = np.hypot(config.contact.torque_noise_Nm, np.diagonal(M)[robot.n_base :] * accel_sd)
    return deviation


def wrench_problem(
    robot: RobotModel, config: EstimatorGains, weight_N: float, accel_sd: float, required: Array
) -> WrenchProblem:
    """Builds the least-squares problem for the wrenches of the robot's contacts.

    Args:
        robot: the robot.
        config: noises.
        weight_N: weight of the robot [N].
        accel_sd: SD of the estimated joint accelerations [rad/s^2].
        required: (nv,) array into which pinocchio writes the result of its inverse dynamics.
    """
    nc = len(robot.contacts)
    reach = [np.linalg.norm(contact.corners_F, axis=1).max() for contact in robot.contacts]
    return WrenchProblem(
        required=required,
        size=np.array([3 if len(c.corners_F) == 1 else 6 for c in robot.contacts], dtype=np.int64),
        torque_deviation_Nm=torque_deviation(robot, config, accel_sd),
        A=np.zeros((6 * nc + 1, 6 * nc + 1)),
        column=np.zeros((nc, 6)),
        force_deviation_N=float(config.contact.wrench_noise_fraction * weight_N),
        moment_deviation_Nm=float(config.contact.wrench_noise_fraction * weight_N * MOMENT_ARM_M),
        most_force_N=float(2.0 * weight_N),
        share=np.ones(nc),
        sensed=robot.description.torque_sensing,
        most_moment_Nm=float(2.0 * weight_N * max(*reach, 1e-3) if reach else 1.0),
    )


def detection(config: EstimatorGains, weight_N: float) -> Detection:
    """Builds the thresholds at which the contacts of a robot with this weight [N] close and open."""
    return Detection(
        make_N=float(config.contact.make_fraction * weight_N),
        break_N=float(config.contact.break_fraction * weight_N),
        make_time_s=float(config.contact.make_time_s),
        break_time_s=float(config.contact.break_time_s),
    )


def sole_boxes(robot: RobotModel) -> Array:
    """Returns the (nc, 2, 2) smallest and largest x, y of each sole's corners in its contact frame [m]."""
    boxes = [[c.corners_F[:, :2].min(axis=0), c.corners_F[:, :2].max(axis=0)] for c in robot.contacts]
    return np.array(boxes, dtype=float).reshape(-1, 2, 2)


def new_contacts(robot: RobotModel, config: EstimatorGains) -> Contacts:
    """Builds the contacts of the robot; only their soles are set, all states are zero."""
    nc = len(robot.contacts)
    soles = [config.use_sole_orientation and len(c.corners_F) >= 3 for c in robot.contacts]
    return Contacts(
        p_BF=np.zeros((nc, 3)),
        R_BF=np.zeros((nc, 3, 3)),
        wrench_B=np.zeros((nc, 6)),
        force_N=np.zeros(nc),
        normal_force_N=np.zeros(nc),
        timer_s=np.zeros(nc),
        age_s=np.zeros(nc),
        p_FP=np.zeros((nc, 2)),
        margin=np.zeros(nc),
        spin=np.zeros((nc, 3)),
        sole_box=sole_boxes(robot),
        slot_kind=np.array([SOLE if sole else POINT for sole in soles], dtype=np.int64),
    )


def new_pose_noise(poses: ContactPoses, robot: RobotModel, config: EstimatorGains) -> PoseNoise:
    """Builds the noise of the contact poses that `pose_noise` computes, and writes it to `poses`."""
    position, rotation = pose_noise(robot, config)
    poses.position_covariance[:] = position
    poses.rotation_covariance[:] = rotation
    return PoseNoise(
        position=position,
        rotation=rotation,
        smooth=np.zeros((len(robot.contacts), 2, 3)),
        spread=np.zeros(2),
        time_s=float(config.adaptation_time_s),
        most=2.0 * math.log(config.largest_bend_factor),
    )


def new_joints(config: JointObserverGains, na: int) -> Joints:
    """Builds an observer of na joints, all at zero."""
    # Rows of one array, so that the states of a joint are close together in memory.
    q, v, vdot = np.zeros((3, na))
    return Joints(
        q=q,
        v=v,
        vdot=vdot,
        P=np.zeros((3, 3)),
        encoder_variance_rad2=float(config.encoder_noise_rad**2),
        velocity_variance_rad2_s2=float(config.velocity_noise_rad_s**2),
        accel_sd_rad_s2=float(config.accel_rad_s2),
        accel_time_s=float(config.accel_time_s),
    )


def new_imu() -> Imu:
    """Builds an IMU at rest at the origin of the base."""
    return Imu(R_BI=np.eye(3), p_BI=np.zeros(3), gyro_smooth=np.zeros(3), w_slow=np.zeros(3))


def stands_on_points(robot: RobotModel) -> bool:
    """Returns whether all contacts of the robot are points."""
    return bool(robot.contacts) and all(len(contact.corners_F) == 1 for contact in robot.contacts)


def tick_settings(config: EstimatorGains, *, on_points: bool = False) -> TickSettings:
    """Builds the noises and thresholds of `floating_base_tick`, for a robot with soles or with point feet."""
    cutoff = config.gyro_cutoff_Hz
    drift = config.point_drift_m_per_sqrt_s if on_points else config.foot_drift_m_per_sqrt_s
    return TickSettings(
        gyro_time_s=1.0 / (2.0 * math.pi * cutoff) if cutoff > 0.0 else 0.0,
        edge=float(config.edge_fraction),
        landing_time_s=float(config.contact.landing_time_s),
        settling_time_s=float(config.settling_time_s),
        settled=float(config.settled_factor),
        drift_m2_s=float(drift**2),
        turn_rad2_s=float(config.foot_turn_rad_per_sqrt_s**2),
        spin_rad2_s=float(config.foot_spin_rad_per_sqrt_s**2),
        side_m2_s=float(config.foot_side_drift_m_per_sqrt_s**2),
        landing_drift_m2_s=float(config.landing_drift_m_per_sqrt_s**2),
        landing_turn_rad2_s=float(config.landing_turn_rad_per_sqrt_s**2),
    )


def new_watch(nc: int, config: EstimatorGains) -> ImuWatch:
    """Builds the observer that compares IMU and legs, with all states zero."""
    return ImuWatch(
        hung=np.zeros((nc, 3)),
        speed=np.zeros(3),
        lack=np.zeros(3),
        tilt=np.zeros(3),
        off=np.zeros(3),
        spun=np.zeros(3),
        felt=np.zeros(3),
        opposed=np.zeros(1),
        acceleration=np.zeros(3),
        legs=np.zeros(3),
        sole_spin=np.zeros(3),
        arm=np.zeros(3),
        load_N=np.zeros(1),
        landing_time_s=float(config.contact.landing_time_s),
    )


def new_gyro_watch() -> GyroWatch:
    """Builds the observer that compares gyro, legs and accelerometer, with all states zero."""
    return GyroWatch(
        speed=np.zeros(3),
        lack=np.zeros(3),
        off=np.zeros(3),
        expected=np.zeros(3),
        slide=np.zeros(3),
        power=np.zeros(2),
        turned=np.zeros(2),
    )


def new_doubt(nc: int) -> Doubt:
    """Builds the state of divergence detection, with all criteria zero."""
    return Doubt(
        doubt=np.zeros(1),
        disagreement=np.zeros(1),
        contradiction_m_s2=np.zeros(1),
        opposed_m2_s3=np.zeros(1),
        spun_rad=np.zeros(1),
        gyro_turn_rad=np.zeros(1),
        upright=np.zeros((nc, 2)),
        turned_rad=np.zeros((nc, 2)),
        speed_m_s=np.zeros(1),
        stepping_s=np.zeros(1),
        since_reset_s=np.zeros(1),
    )


def trust(config: EstimatorGains) -> Trust:
    """Builds the bounds of the divergence criteria of `doubt_filter`."""
    return Trust(
        disagreement=float(config.largest_disagreement),
        tilt_variance_rad2=math.radians(config.largest_tilt_sd_deg) ** 2,
        turn_rad=math.radians(config.largest_turn_deg),
        gyro_turn_rad=math.radians(config.largest_gyro_turn_deg),
        opposed_m2_s3=float(config.largest_opposed_power_m2_s3),
        contradiction_m_s2=float(config.largest_contradiction_m_s2),
    )


def new_dynamics(robot: RobotModel) -> Dynamics:
    """Builds the arguments of pinocchio for a robot at rest in the neutral configuration."""
    return Dynamics(q_B=pin.neutral(robot.pin_model), v_B=np.zeros(robot.nv), vdot_B=np.zeros(robot.nv))


def new_state(robot: RobotModel) -> RobotState:
    """Builds the state of a robot at rest in its nominal posture."""
    q = np.array(robot.q_nominal)
    return RobotState(q=q, v=np.zeros(robot.nv), q_O=q.copy())
