"""`khz robot check`: every shipped robot passes, and what is wrong or assumed is named."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from kilohertz.robots.model.description import shipped_robots
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.cli.output import screen
from kilohertz.rt.robot_folder.examine import examine
from kilohertz.rt.robot_folder.picture import picture
from kilohertz.rt.robot_folder.table import as_table


@pytest.mark.parametrize("name", shipped_robots())
def test_a_shipped_robot_passes(name: str) -> None:
    found = examine(RobotModel.load(name))
    assert found.problems == ()
    json.dumps(found.as_json(), allow_nan=False)
    assert (found.margin_m is not None) == (name in ("g1", "talos", "alexander"))
    assert [joint.name for joint in found.joints] == list(found.robot.joint_names)


def test_a_weak_joint_is_a_problem() -> None:
    robot = RobotModel.load("panda")
    found = examine(dataclasses.replace(robot, torque_limit_Nm=0.2 * robot.torque_limit_Nm))
    assert any("panda_joint" in sentence and "torque_limit_Nm" in sentence for sentence in found.problems)
    assert not found.passed


def test_holding_torques_balance_the_weight() -> None:
    """The torques of a standing robot with the forces of its soles are those of gravity, joint by joint."""
    robot = RobotModel.load("talos")
    knee = next(joint for joint in examine(robot).joints if joint.name == "leg_left_4_joint")
    # Half of the weight acts at most 0.25 m from the knee.
    assert 5.0 < abs(knee.holding_Nm) < 0.5 * robot.mass_kg * GRAVITY_M_S2 * 0.25


def test_assumptions_are_noted() -> None:
    notes = " ".join(examine(RobotModel.load("alexander")).notes)
    assert "no reflected rotor inertia is known for any joint" in notes
    assert "locked joints: panda_finger_joint1" in " ".join(examine(RobotModel.load("panda")).notes)


@pytest.mark.parametrize("name", ["g1", "panda"])
def test_table_and_picture_show_the_robot(name: str) -> None:
    found = examine(RobotModel.load(name))
    console = screen()
    with console.capture() as captured:
        console.print(as_table(found))
    assert name in captured.get()
    assert "passed" in captured.get()
    axes = picture(found).axes
    assert len(axes) == 3
    assert all(np.isfinite(each.dataLim.bounds).all() for each in axes)
