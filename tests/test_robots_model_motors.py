from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from kilohertz.robots.model.motors import copper_loss_W_Nm2
from kilohertz.robots.model.robot_model import RobotModel


def robot_with(losses):
    description = SimpleNamespace(copper_loss_W_Nm2=losses)
    return SimpleNamespace(na=2, joint_names=("hip", "knee"), description=description)


def test_one_number_is_that_of_every_joint():
    np.testing.assert_array_equal(copper_loss_W_Nm2(robot_with(0.2)), [0.2, 0.2])


def test_a_joint_without_a_value_is_unknown():
    np.testing.assert_array_equal(copper_loss_W_Nm2(robot_with({"knee": 0.3})), [np.nan, 0.3])
    np.testing.assert_array_equal(copper_loss_W_Nm2(robot_with({})), [np.nan, np.nan])


def test_the_losses_of_the_g1_follow_from_the_torque_speed_lines_of_its_motors():
    robot = RobotModel.load("g1")
    loss = dict(zip(robot.joint_names, copper_loss_W_Nm2(robot), strict=True))
    assert loss["left_knee_joint"] == pytest.approx((22.7 - 14.5) / 111.0, rel=1e-3)
    assert loss["left_hip_pitch_joint"] == pytest.approx((35.52 - 22.63) / 71.0, rel=1e-3)
    # Two motors that share a torque have half the loss of one.
    assert loss["left_ankle_pitch_joint"] == pytest.approx(0.5 * loss["left_elbow_joint"])
    assert np.isfinite(list(loss.values())).all()
