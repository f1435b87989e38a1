"""The trunk is held as it is in the nominal posture, whatever the axes of its link are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kilohertz as khz
from kilohertz.robots.model.description import ROBOTS_FOLDER
from kilohertz.robots.model.frames import placements
from kilohertz.robots.model.robot_model import RobotModel

# The camera of the G1 is part of its torso and looks down by 48 degrees.
CAMERA = "d435_link"


def g1_with_trunk(folder: Path, link: str) -> Path:
    text = (ROBOTS_FOLDER / "g1/robot.yaml").read_text()
    assert text.count("trunk: torso_link") == 1
    (folder / "robot.yaml").write_text(text.replace("trunk: torso_link", f"trunk: {link}"))
    return folder


def test_the_frame_of_the_trunk_is_level_and_ahead_in_the_nominal_posture(tmp_path: Path) -> None:
    robot = RobotModel.load(g1_with_trunk(tmp_path, CAMERA))
    placement = placements(robot.pin_model, robot.q_nominal)
    assert robot.trunk_frame is not None
    assert np.linalg.norm(placement(CAMERA).rotation - np.eye(3)) > 0.5
    assert placement(robot.trunk_frame).rotation == pytest.approx(np.eye(3), abs=1e-9)
    assert placement(robot.trunk_frame).translation == pytest.approx(placement(CAMERA).translation)
    assert RobotModel.load("g1").trunk_frame == "torso_link"


@pytest.mark.closed_loop
def test_a_trunk_with_turned_axes_costs_no_torque(tmp_path: Path) -> None:
    usual = khz.simulate("g1", scenario="stand", duration_s=1.5, seed=2).summary
    camera = khz.simulate(g1_with_trunk(tmp_path, CAMERA), scenario="stand", duration_s=1.5, seed=2).summary
    assert camera["exit_state"] == "active"
    assert camera["torque"]["peak_fraction"] < 1.2 * usual["torque"]["peak_fraction"]
