"""Postures for poses of a hand: they have the pose, differ from each other and keep from the stops."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from bodies import ARMS, robot

from kilohertz.controller.joint_motion.inverse_kinematics import ArmKinematics, Goal, joint_range
from kilohertz.controller.upper_body.reach import arm_joints


@pytest.mark.parametrize("name", ARMS)
@pytest.mark.parametrize("turned", [False, True])
def test_every_solution_has_the_pose(name: str, turned: bool) -> None:
    model = robot(name)
    arm, hand, rng = ArmKinematics(model), model.hands[0], np.random.default_rng(0)
    found = 0
    for _ in range(8):
        q = rng.uniform(np.maximum(arm.low, -math.pi), np.minimum(arm.high, math.pi))
        pose = arm.pose(q, hand)
        goal = Goal(hand, pose.translation.copy(), pose.rotation.copy() if turned else None)
        solutions = list(itertools.islice(arm.solutions(goal, model.q_nominal, 12), 3))
        found += bool(solutions)
        for solution in solutions:
            reached = arm.pose(solution, hand)
            assert np.linalg.norm(reached.translation - pose.translation) < 1e-4
            if turned:
                np.testing.assert_allclose(reached.rotation, pose.rotation, atol=1e-3)
            assert ((solution >= arm.low - 1e-9) & (solution <= arm.high + 1e-9)).all()
        for a, b in itertools.combinations(solutions, 2):
            assert np.abs(a - b).max() > 0.05
    assert found >= 7


def test_a_pose_out_of_reach_has_no_solution() -> None:
    model = robot("panda")
    goal = Goal(model.hands[0], np.array([2.0, 0.0, 0.5]), None)
    assert not list(ArmKinematics(model).solutions(goal, model.q_nominal, 4))


def test_motions_end_off_the_stops() -> None:
    model = robot("panda")
    low, high = joint_range(model)
    assert (low > model.position_lower_rad).all()
    assert (high < model.position_upper_rad).all()
    assert ((low <= model.q_nominal) & (model.q_nominal <= high)).all()


def test_a_joint_turns_the_short_way_round() -> None:
    model = robot("ur5")
    arm, hand = ArmKinematics(model), model.hands[0]
    present = model.q_nominal.copy()
    present[0] = 4.0
    pose = arm.pose(present, hand)
    goal = Goal(hand, pose.translation.copy(), pose.rotation.copy())
    ways = [np.abs(q - present).max() for q in arm.solutions(goal, present, 6)]
    assert min(ways) < 1e-3
    assert all(abs(q[0] - present[0]) <= math.pi + 1e-9 for q in arm.solutions(goal, present, 6))


def test_the_arm_keeps_its_shape_along_a_line() -> None:
    model = robot("panda")
    arm, hand, q = ArmKinematics(model), model.hands[0], model.q_nominal.copy()
    pose = arm.pose(q, hand)
    goal = Goal(hand, pose.translation + np.array([0.0, 0.02, 0.01]), pose.rotation.copy())
    assert arm.follow(goal, q, model.q_nominal, np.array(arm_joints(model, hand)))
    np.testing.assert_allclose(arm.pose(q, hand).translation, goal.p_WH, atol=1e-5)
    assert np.abs(q - model.q_nominal).max() < 0.1


def test_a_stretched_arm_is_close_to_a_singularity() -> None:
    model = robot("ur5")
    arm, q = ArmKinematics(model), model.q_nominal.copy()
    bent = arm.condition(q, model.hands[0])
    q[2] = 0.0
    assert arm.condition(q, model.hands[0]) < 0.05 * bent
