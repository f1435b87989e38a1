"""What the compiled kernels need to know of one robot: noises, thresholds, soles; computed once."""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.estimators import contact_detection, contact_wrench, joint_observer, sole_motion
from kilohertz.estimators import floating_base_tick as tick
from kilohertz.estimators.config import EstimatorGains, JointObserverGains
from kilohertz.robots.model.robot_model import RobotModel

Array = NDArray[np.float64]

# A balance of moments is as good as that of forces at this arm [m].
MOMENT_ARM_M = 0.1


def pose_noise(robot: RobotModel, config: EstimatorGains) -> tuple[Array, Array]:
    """Covariances of the contacts' poses as the encoders give them: (nc, 3, 3) [m^2] and [rad^2].

    The encoders' noise passes through the leg's Jacobian in the nominal posture; play and bending come on
    top. Both are taken to be the same in all directions.
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
    """SD of what each joint's equation of motion lacks [Nm]: its torque, and inertia times acceleration.

    Args:
        robot: the robot.
        config: noises.
        accel_sd: SD of the joints' estimated accelerations [rad/s^2].
    """
    M = pin.crba(robot.pin_model, robot.pin_model.createData(), np.array(robot.q_nominal))
    deviation: Array = np.hypot(config.contact.torque_noise_Nm, np.diagonal(M)[robot.n_base :] * accel_sd)
    return deviation


def wrench_deviations(robot: RobotModel, config: EstimatorGains, weight_N: float) -> Array:
    """The vector of standard deviations of `contact_wrenches`."""
    reach = [np.linalg.norm(contact.corners_F, axis=1).max() for contact in robot.contacts]
    deviations: Array = np.zeros(contact_wrench.N_DEVIATIONS)
    deviations[contact_wrench.FORCE] = config.contact.wrench_noise_fraction * weight_N
    deviations[contact_wrench.MOMENT] = config.contact.wrench_noise_fraction * weight_N * MOMENT_ARM_M
    deviations[contact_wrench.MOST_FORCE] = 2.0 * weight_N
    deviations[contact_wrench.MOST_MOMENT] = 2.0 * weight_N * max(*reach, 1e-3) if reach else 1.0
    return deviations


def detection_parameters(config: EstimatorGains, weight_N: float) -> Array:
    """The parameter vector of `detect_contacts`."""
    parameters: Array = np.zeros(contact_detection.N_PARAMETERS)
    parameters[contact_detection.MAKE] = config.contact.make_fraction * weight_N
    parameters[contact_detection.BREAK] = config.contact.break_fraction * weight_N
    parameters[contact_detection.MAKE_TIME] = config.contact.make_time_s
    parameters[contact_detection.BREAK_TIME] = config.contact.break_time_s
    return parameters


def sole_boxes(robot: RobotModel) -> Array:
    """(nc, 2, 2) least and greatest x, y of each sole's corners in its frame [m]."""
    boxes = [[c.corners_F[:, :2].min(axis=0), c.corners_F[:, :2].max(axis=0)] for c in robot.contacts]
    return np.array(boxes, dtype=float).reshape(-1, 2, 2)


def joint_parameters(config: JointObserverGains) -> Array:
    """The parameter vector of `joint_observer.observe_joints`."""
    parameters: Array = np.zeros(joint_observer.N_PARAMETERS)
    parameters[joint_observer.ENCODER_VARIANCE] = config.encoder_noise_rad**2
    parameters[joint_observer.VELOCITY_VARIANCE] = config.velocity_noise_rad_s**2
    parameters[joint_observer.ACCEL_SD] = config.accel_rad_s2
    parameters[joint_observer.ACCEL_TIME] = config.accel_time_s
    return parameters


def stands_on_points(robot: RobotModel) -> bool:
    """Whether all contacts of the robot are points."""
    return bool(robot.contacts) and all(len(contact.corners_F) == 1 for contact in robot.contacts)


def tick_settings(
    config: EstimatorGains, gravity: float, max_step_s: float, weight_N: float, *, on_points: bool = False
) -> Array:
    """The settings vector of `floating_base_tick`."""
    settings: Array = np.zeros(tick.N_SETTINGS)
    settings[tick.GRAVITY] = gravity
    settings[tick.MAX_STEP] = max_step_s
    settings[tick.SLIP_GATE] = config.slip_gate
    if config.gyro_cutoff_Hz > 0.0:
        settings[tick.GYRO_TIME] = 1.0 / (2.0 * math.pi * config.gyro_cutoff_Hz)
    settings[tick.LANDING_TIME] = config.contact.landing_time_s
    drift = config.point_drift_m_per_sqrt_s if on_points else config.foot_drift_m_per_sqrt_s
    settings[tick.DRIFT] = drift**2
    settings[tick.TURN] = config.foot_turn_rad_per_sqrt_s**2
    settings[tick.SPIN] = config.foot_spin_rad_per_sqrt_s**2
    settings[tick.LANDING_DRIFT] = config.landing_drift_m_per_sqrt_s**2
    settings[tick.LANDING_TURN] = config.landing_turn_rad_per_sqrt_s**2
    settings[sole_motion.LEAST_PRESSURE] = config.contact.make_fraction * weight_N
    settings[tick.SETTLING_TIME] = config.settling_time_s
    settings[tick.SETTLED] = config.settled_factor
    settings[tick.EDGE] = config.edge_fraction
    return settings


def trust(config: EstimatorGains) -> Array:
    """What `doubt_filter` still believes."""
    largest: Array = np.array(
        [
            config.largest_disagreement,
            math.radians(config.largest_tilt_sd_deg) ** 2,
            math.radians(config.largest_turn_deg),
            config.largest_contradiction_m_s2,
        ]
    )
    return largest
