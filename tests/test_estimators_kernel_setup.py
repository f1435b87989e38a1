"""Estimator settings derived from the robot model."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.estimators import kernel_setup
from kilohertz.estimators.config import EstimatorGains
from kilohertz.robots.model.robot_model import RobotModel


@pytest.mark.parametrize("name", ["g1", "bolt"])
def test_pose_noise_is_what_the_encoders_make_of_it(name):
    robot, config = RobotModel.load(name), EstimatorGains(leg_bend_m=0.0, leg_bend_rad=0.0)
    position, rotation = kernel_setup.pose_noise(robot, config)
    model, data = robot.pin_model, robot.pin_model.createData()
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(4000):
        q = pin.neutral(model)
        q[7:] = robot.q_nominal[7:] + config.joints.encoder_noise_rad * rng.normal(size=robot.na)
        pin.framesForwardKinematics(model, data, q)
        samples.append([data.oMf[c.frame_id].homogeneous for c in robot.contacts])
    samples = np.array(samples)
    spread = samples[:, :, :3, 3].var(axis=0).mean(axis=1)
    np.testing.assert_allclose(position, spread[:, None, None] * np.eye(3), rtol=0.1, atol=1e-12)
    mean = samples[:, :, :3, :3].mean(axis=0)
    turns = [[pin.log3(R @ M.T) for R, M in zip(row[:, :3, :3], mean, strict=True)] for row in samples]
    spread = np.var(turns, axis=0).mean(axis=1)
    np.testing.assert_allclose(rotation, spread[:, None, None] * np.eye(3), rtol=0.1, atol=1e-12)


def test_torques_of_heavy_joints_are_believed_less():
    robot = RobotModel.load("g1")
    deviation = kernel_setup.torque_deviation(robot, EstimatorGains(), 5.0)
    assert deviation.min() >= 1.0
    names = list(robot.joint_names)
    assert deviation[names.index("left_hip_pitch_joint")] > deviation[names.index("left_ankle_roll_joint")]


def test_sole_boxes_contain_the_corners():
    robot = RobotModel.load("g1")
    for box, contact in zip(kernel_setup.sole_boxes(robot), robot.contacts, strict=True):
        assert (contact.corners_F[:, :2] >= box[0]).all()
        assert (contact.corners_F[:, :2] <= box[1]).all()


def test_point_feet_have_their_own_drift_gain():
    config = EstimatorGains()
    drift = []
    for name in ("g1", "bolt"):
        points = kernel_setup.stands_on_points(RobotModel.load(name))
        settings = kernel_setup.tick_settings(config, on_points=points)
        drift.append(np.sqrt(settings.drift_m2_s))
    assert drift == pytest.approx([config.foot_drift_m_per_sqrt_s, config.point_drift_m_per_sqrt_s])
