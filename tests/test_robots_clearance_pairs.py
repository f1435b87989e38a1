"""Pairs of parts that can touch are found; neighbours, and pairs that touch by design, are left out."""

from __future__ import annotations

import bodies
import numpy as np

from kilohertz.robots.clearance.body_capsules import body_shapes
from kilohertz.robots.clearance.clearance import clearance_of
from kilohertz.robots.clearance.pairs import find_pairs, joints_between


def test_arms_and_body_of_a_biped_are_pairs_and_neighbours_are_not() -> None:
    robot = bodies.robot("g1")
    found = clearance_of(robot)
    names = found.body.parts
    pairs = {frozenset((names[i], names[j])) for i, j in found.pairs.parts.tolist()}
    for pair in (
        ("left_hand", "torso_link"),
        ("right_hand", "torso_link"),
        ("left_hand", "right_hand"),
        ("left_ankle_roll_link", "right_ankle_roll_link"),
        ("left_elbow_link", "torso_link"),
        ("right_elbow_link", "torso_link"),
    ):
        assert frozenset(pair) in pairs
    for i, j in found.pairs.parts.tolist():
        assert joints_between(robot.pin_model, found.body.joint[i], found.body.joint[j]) > 1
    assert (found.pairs.least_m <= 0.01).all()
    assert (found.pairs.braking_m_s2 >= 3.0).all()


def test_ignored_pairs_are_left_out() -> None:
    robot = bodies.robot("ur5")
    body = clearance_of(robot).body
    shapes = body_shapes(robot)
    whole = find_pairs(robot, body, shapes, 0.01, ())
    first, second = (body.parts[i] for i in whole.parts[0])
    fewer = find_pairs(robot, body, shapes, 0.01, [(second, first)])
    assert len(fewer.parts) == len(whole.parts) - 1
    np.testing.assert_array_equal(fewer.parts, whole.parts[1:])
