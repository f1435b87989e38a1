"""What is handed to TSID is the problem that is solved here."""

from __future__ import annotations

import json

import numpy as np
import pytest

from controller.gains import load_gains
from robots.model import RobotModel
from rt.against import Comparison, _Bodies, as_json, comparison_table, describe, run_against


def test_the_description_is_the_declared_problem() -> None:
    robot = RobotModel.load("g1")
    gains = load_gains(robot)
    body = _Bodies(robot, gains).by_solver["exact"]
    problem = json.loads(json.dumps(describe(robot, gains, body)))
    assert len(problem["q"]) == robot.nq
    assert len(problem["posture"]["weights"]) == robot.na
    assert problem["com"]["kp"] == body.gain("com")[:3].tolist()
    assert {task["name"] for task in problem["orientations"]} == {"base", "trunk"}
    load = sum(contact["force"][2] for contact in problem["contacts"])
    assert load == pytest.approx(robot.mass_kg * 9.81)
    for contact, frame in zip(problem["contacts"], problem["frames"], strict=True):
        assert contact["frame"] == frame["name"]
        assert np.linalg.det(np.array(frame["R"])) == pytest.approx(1.0)
        # The pyramid inside the friction cone, as the controller's own wrench cone.
        assert contact["friction"] == pytest.approx(robot.contacts[0].friction / np.sqrt(2.0))


def test_a_robot_without_feet_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="does not stand on two feet"):
        run_against("ur5", 10)


def test_every_comparison_is_a_line_and_an_entry() -> None:
    comparisons = [Comparison("exact", "both feet", True, 10, 20.0, 100.0, 0.2, 1e-5)] * 3
    assert comparison_table(comparisons).row_count == 3
    assert as_json(comparisons)["against_tsid"][0]["ratio"] == 0.2
