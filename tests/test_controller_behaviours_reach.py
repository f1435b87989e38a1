"""Reaching of arms in the simulator: the fastest way, straight lines, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bodies import ARMS, robot
from control_runs import run

from kilohertz.controller.behaviours.base import BehaviourError
from kilohertz.controller.joint_motion.plan_row import CURVE, KIND, VIA
from kilohertz.controller.supervision.request import make_request

OFFSET = {"offset_m": [0.05, 0.2, -0.1]}


@pytest.mark.parametrize("name", ARMS)
def test_a_hand_moves_along_a_line_and_keeps_its_orientation(name: str) -> None:
    result = run(name, 2.4, ((0.1, "reach", {**OFFSET, "path": "line"}),))
    hand, way = result.hand[:, 0], np.array(OFFSET["offset_m"])
    off = hand - hand[100]
    across = off - np.outer(off @ way / (way @ way), way)
    assert np.linalg.norm(across, axis=1).max() < 5e-4
    assert np.linalg.norm(hand[-1] - result.hand_des[-1, 0]) < 1e-4
    assert result.brain.output.behaviour_state == "done"


def test_a_line_takes_as_long_as_its_speed_says() -> None:
    slow = run("panda", 2.6, ((0.1, "reach", {**OFFSET, "path": "line", "speed_m_s": 0.1}),))
    speed = np.linalg.norm(np.diff(slow.hand[150:, 0], axis=0), axis=1) * 1e3
    assert speed.max() == pytest.approx(0.1, rel=0.05)


def test_the_same_goal_is_reached_sooner_by_the_joints() -> None:
    rows = [make_request(robot("panda"), "reach", {**OFFSET, **path}) for path in ({}, {"path": "line"})]
    assert [row.payload["plan"][KIND] for row in rows] == [VIA, CURVE]


def test_noise_and_friction_do_not_make_the_hand_overshoot() -> None:
    result = run(
        "ur5",
        2.2,
        ((0.2, "reach", OFFSET),),
        estimator="default",
        plant="default",
        sensors={"noise": "default", "delay_ms": 2.0},
    )
    goal = result.hand_des[-1, 0]
    way = goal - result.hand[200, 0]
    beyond = (result.hand[:, 0] - goal) @ (way / np.linalg.norm(way))
    assert beyond.max() < 1e-3
    assert np.linalg.norm(result.hand[-1, 0] - goal) < 2e-3


@pytest.mark.parametrize(
    ("name", "parameters", "where", "sentence"),
    [
        ("panda", {"p_WH_m": [0.0, 0.0, 1.6]}, ("p_WH_m",), "hand does not get there; the nearest is ["),
        ("panda", {"p_WH_m": [0.5, 0.0, -0.1]}, ("p_WH_m",), "and the ground would touch there"),
        ("ur5", {"offset_m": [0.5, 0.0, 0.0], "path": "line"}, ("offset_m",), "leave out path: line"),
        ("ur5", {"offset_m": [0.0, 0.0, 0.1], "speed_m_s": 0.1}, ("speed_m_s",), "needs path: line"),
        ("g1", {"hand": "left_hand", "offset_m": [0, 0, 0.1], "path": "line"}, ("path",), "leave it out"),
    ],
)
def test_what_is_not_possible_is_refused(
    name: str, parameters: dict[str, Any], where: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(BehaviourError) as refusal:
        make_request(robot(name), "reach", parameters)
    assert refusal.value.loc == where
    assert sentence in str(refusal.value)


def test_a_robot_on_legs_gets_no_plan() -> None:
    row = make_request(robot("g1"), "reach", {"hand": "left_hand", "offset_m": [0.1, 0.0, 0.0]})
    assert not row.payload["plan"].any()
