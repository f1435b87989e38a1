"""The arrays of the clearance rows describe the capsules, pairs and planes of the robot."""

from __future__ import annotations

import dataclasses

import bodies
import numpy as np

from kilohertz.controller.problem.clear_arrays import ACTIVE, DISTANCE, MOST_ROWS, PAIRS, PARTS, PLANES
from kilohertz.controller.whole_body.clear_tables import clear_arrays, row_name
from kilohertz.robots.clearance.clearance import Clearance, clearance_of
from kilohertz.robots.model.description import CollisionDescription, PlaneDescription


def above(height_m: float) -> Clearance:
    """The Panda with a plane under its hand."""
    found = clearance_of(bodies.robot("panda"))
    plane = PlaneDescription(parts=["hand"], normal=(0.0, 0.0, 2.0), at_least_m=height_m)
    rules = CollisionDescription(planes={"table": plane})
    description = found.robot.description.model_copy(update={"collision": rules})
    return dataclasses.replace(found, robot=dataclasses.replace(found.robot, description=description))


def test_a_robot_without_clearance_has_no_rows() -> None:
    clear = clear_arrays(None, 9, 12, lambda joint: [0] * 6)
    assert not clear.size[[PARTS, PAIRS, PLANES, ACTIVE]].any()
    assert clear.T.shape == (MOST_ROWS, 9)


def test_balls_contain_the_capsules_of_their_parts() -> None:
    found = clearance_of(bodies.robot("g1"))
    clear = clear_arrays(found, 35, 0, lambda joint: [0] * 6)
    for i in range(clear.size[PARTS]):
        own = slice(found.body.first[i], found.body.first[i + 1])
        for end in (found.body.a[own], found.body.b[own]):
            reach = np.linalg.norm(end - clear.ball[i, :3], axis=1) + found.body.radius_m[own]
            assert (reach <= clear.ball[i, 3] + 1e-9).all()


def test_names_of_rows_are_those_of_the_two_parts_with_a_hand_first() -> None:
    found = clearance_of(bodies.robot("g1"))
    names = {row_name(found, i) for i in range(len(found.pairs.parts))}
    assert {"clear.left_hand-pelvis", "clear.left_hand-torso_link", "clear.left_hand-right_hand"} <= names


def test_a_plane_has_rows_at_its_height_and_is_named() -> None:
    found = above(0.3)
    body = bodies.whole_body(found.robot, clearance=found)
    clear, rng = body.arrays.clear, np.random.default_rng(0)
    q = found.robot.q_nominal.copy()
    a, b = found._ends_in_base(q)
    hand = found.body.index("hand")
    own = slice(found.body.first[hand], found.body.first[hand + 1])
    low = min(float((end[own, 2] - found.body.radius_m[own]).min()) for end in (a, b))
    body = bodies.whole_body(found.robot, clearance=above(low - 0.005))
    clear = body.arrays.clear
    v = 0.01 * rng.normal(size=7)
    body.update(q, v)
    names = [row_name(above(0.0), int(clear.which[i])) for i in range(int(clear.size[ACTIVE]))]
    assert "clear.hand-table" in names
    row = names.index("clear.hand-table")
    assert abs(clear.row[row, DISTANCE] - 0.005) < 0.02
    np.testing.assert_allclose(clear.T[row] @ v, clear.row[row, 2], atol=1e-9)


def test_a_hand_does_not_cross_a_plane() -> None:
    found = above(0.0)
    hand = found.body.index("hand")
    a, b = found._ends_in_base(found.robot.q_nominal)
    own = slice(found.body.first[hand], found.body.first[hand + 1])
    low = min(float((end[own, 2] - found.body.radius_m[own]).min()) for end in (a, b))
    height_m = low - 0.02
    body = bodies.whole_body(found.robot, clearance=above(height_m))
    q, v = found.robot.q_nominal.copy(), np.zeros(7)
    for _ in range(1000):
        body.update(q, v)
        ref = body.reference("hand")
        ref[11] -= 0.3 if _ == 0 else 0.0
        body.assemble()
        assert body.solve()
        v = v + 1e-3 * body.solution.vdot
        q = q + 1e-3 * v
    a, b = found._ends_in_base(q)
    lowest = min(float((end[own, 2] - found.body.radius_m[own]).min()) for end in (a, b))
    assert height_m - 1e-3 < lowest < height_m + 0.01
