"""An arm of fewer than six joints holds the place of its hand before its orientation."""

from __future__ import annotations

from pathlib import Path

import pytest

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.upper_body.hands import hand_tasks
from kilohertz.robots.model.robot_model import RobotModel


@pytest.mark.parametrize("name", ["g1", "talos", "panda", "ur5"])
def test_an_arm_of_six_joints_or_more_keeps_its_weights(name: str) -> None:
    for task in hand_tasks(RobotModel.load(name), Gains()):
        assert task.weight == [10.0] * 3 + [1.0] * 3


def test_an_arm_of_five_joints_puts_its_place_first(tmp_path: Path) -> None:
    (tmp_path / "robot.yaml").write_text(
        "robot: so101\nmodel: example-robot-data:so_arm_description/urdf/so101.urdf\nbase: fixed\n"
        "hands:\n  hand: {link: gripper_link}\nlocked_joints_rad: {gripper: 0.5}\n"
    )
    (task,) = hand_tasks(RobotModel.load(tmp_path), Gains())
    assert task.weight == pytest.approx([10.0] * 3 + [1e-4] * 3)
