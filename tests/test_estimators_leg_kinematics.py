"""Poses and Jacobian columns read from pinocchio's memory are pinocchio's own."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.estimators.leg_kinematics import KinematicTables, frame_pose, joint_column, pose_address
from kilohertz.robots.model.robot_model import RobotModel


@pytest.mark.parametrize("name", ["g1", "talos", "bolt", "ur5"])
def test_frames_and_columns_are_pinocchios(name):
    robot = RobotModel.load(name)
    model, data, check = robot.pin_model, robot.pin_model.createData(), robot.pin_model.createData()
    frames = [c.frame_id for c in robot.contacts] + [h.frame_id for h in robot.hands]
    frames += [robot.imu_frame_id] if robot.floating else []
    tables = KinematicTables.of(robot, data, frames)
    R, p, column = np.empty((3, 3)), np.empty(3), np.empty(6)
    for seed in range(5):
        q = pin.neutral(model)
        q[robot.nq_base :] = np.random.default_rng(seed).uniform(-2, 2, robot.na)
        pin.forwardKinematics(model, data, q)
        pin.computeJointJacobians(model, check, q)
        pin.updateFramePlacements(model, check)
        for row, frame in enumerate(frames):
            frame_pose(tables.frame_address[row], tables.frame_placement[row], R, p)
            np.testing.assert_allclose(R, check.oMf[frame].rotation, atol=1e-14)
            np.testing.assert_allclose(p, check.oMf[frame].translation, atol=1e-14)
            J = pin.getFrameJacobian(model, check, frame, pin.LOCAL_WORLD_ALIGNED)[:, robot.n_base :]
            for j in range(robot.na):
                column[:] = 0.0
                if tables.frame_support[row, j]:
                    joint_column(tables.joint_address[j], tables.joint_axis[j], p, column)
                np.testing.assert_allclose(column, J[:, j], atol=1e-13)


def test_a_pose_stays_where_it_is():
    robot = RobotModel.load("ur5")
    data = robot.pin_model.createData()
    before = pose_address(data, 3)
    for _ in range(3):
        pin.forwardKinematics(robot.pin_model, data, np.zeros(robot.nq))
    assert pose_address(data, 3) == before
