"""Holding torques balance gravity with forces that carry the weight; guessed limits leave room over them."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.robot_folder.holding import guessed_limits, holding_torques


def test_an_arm_holds_against_gravity() -> None:
    robot = RobotModel.load("panda")
    data = robot.pin_model.createData()
    expected = pin.computeGeneralizedGravity(robot.pin_model, data, robot.q_nominal)
    np.testing.assert_allclose(holding_torques(robot.pin_model, robot.q_nominal, 0, ()), expected)


def test_the_soles_of_a_biped_carry_what_its_joints_do_not() -> None:
    robot = RobotModel.load("g1")
    points = [(contact.frame_id, corner) for contact in robot.contacts for corner in contact.corners_F]
    torques = holding_torques(robot.pin_model, robot.q_nominal, robot.n_base, points)
    names = robot.joint_names
    left, right = names.index("left_knee_joint"), names.index("right_knee_joint")
    assert torques[left] == pytest.approx(torques[right], rel=1e-2)
    # In the air the knee carries the shank and the foot, on the ground half of the robot.
    hanging = pin.computeGeneralizedGravity(robot.pin_model, robot.pin_model.createData(), robot.q_nominal)
    assert abs(torques[left]) > 3.0 * abs(hanging[6 + left])


@pytest.mark.parametrize("name", ["g1", "talos"])
def test_guessed_limits_are_between_the_holding_torque_and_a_hundred_times_the_true_limit(name: str) -> None:
    robot = RobotModel.load(name)
    points = [(contact.frame_id, corner) for contact in robot.contacts for corner in contact.corners_F]
    torques = holding_torques(robot.pin_model, robot.q_nominal, robot.n_base, points)
    legs = {
        robot.pin_model.getJointId(joint) for joint in robot.joint_names if "knee" in joint or "leg" in joint
    }
    limits = guessed_limits(robot.pin_model, robot.q_nominal, torques, legs)
    assert (limits >= 2.9 * np.abs(torques)).all()
    assert (limits < 100.0 * robot.torque_limit_Nm).all()
