"""The words of robot.yaml for position servos."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sim_runs import robot

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel

SO101 = """
robot: mine
model: example-robot-data:so_arm_description/urdf/so101.urdf
base: fixed
locked_joints_rad: {gripper: 0.3}
torque_limit_Nm: 3
joint_damping_Nms: {wrist_roll: 0.5}
"""
JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")


def load(folder, more):
    (folder / "robot.yaml").write_text(SO101 + more)
    return RobotModel.load(folder)


def refusal(folder, more):
    with pytest.raises(ConfigError) as caught:
        load(folder, more)
    return str(caught.value)


def test_drives_apply_torques_unless_told_otherwise(tmp_path):
    assert load(tmp_path, "").servo is None
    assert robot("panda").servo is None


def test_gains_are_one_number_or_a_value_per_joint(tmp_path):
    values = ", ".join(f"{name}: {10 + i}" for i, name in enumerate(JOINTS))
    more = f"drives: position\nservo: {{stiffness_Nm_rad: {{{values}}}, damping_Nms_rad: 0.2}}\n"
    servo = load(tmp_path, more).servo
    np.testing.assert_array_equal(servo.stiffness_Nm_rad, [10, 11, 12, 13, 14])
    np.testing.assert_array_equal(servo.damping_Nms_rad, 5 * [0.2])
    np.testing.assert_array_equal(servo.joint_damping_Nms, [0, 0, 0, 0, 0.5])
    assert servo.step_rad == 0.0


def test_the_resolution_is_a_fraction_of_a_turn():
    assert robot("so101").servo.step_rad == pytest.approx(2.0 * math.pi / 4096)


def test_servos_need_their_gains(tmp_path):
    assert "servo: is missing: servos need stiffness_Nm_rad" in refusal(tmp_path, "drives: position\n")


def test_gains_of_servos_without_servos_are_refused(tmp_path):
    more = "servo: {stiffness_Nm_rad: 10, damping_Nms_rad: 0}\n"
    assert "servo: is used for `drives: position` only" in refusal(tmp_path, more)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("{shoulder_pan: 3}", "'elbow_flex' has no value"),
        ("{wrist: 3}", "'wrist' is no joint of the model"),
    ],
)
def test_a_map_has_a_value_for_every_joint(tmp_path, values, said):
    more = f"drives: position\nservo: {{stiffness_Nm_rad: {values}, damping_Nms_rad: 0}}\n"
    assert said in refusal(tmp_path, more)


def test_a_floating_base_needs_torques(tmp_path):
    text = (robot("g1").folder / "robot.yaml").read_text()
    (tmp_path / "robot.yaml").write_text(
        text + "\ndrives: position\nservo: {stiffness_Nm_rad: 100, damping_Nms_rad: 1}\n"
    )
    with pytest.raises(ConfigError, match="position is not supported for a floating base"):
        RobotModel.load(tmp_path)


def test_the_hash_of_a_robot_without_servos_is_what_it_was(tmp_path):
    plain = load(tmp_path, "").config_sha256
    assert load(tmp_path, "drives: torque\n").config_sha256 == plain
    more = "drives: position\nservo: {stiffness_Nm_rad: 10, damping_Nms_rad: 0}\n"
    assert load(tmp_path, more).config_sha256 != plain
