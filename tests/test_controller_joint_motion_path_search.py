"""Ways around obstacles in the plane, where a wall has a gap."""

from __future__ import annotations

import numpy as np

from kilohertz.controller.joint_motion.path_search import search_way, way_is_free
from kilohertz.robots.model.rows import Vector

LOW, HIGH = np.full(2, -2.0), np.full(2, 2.0)
START, END = np.array([-1.0, 0.0]), np.array([1.0, 0.0])


def wall_with_a_gap(q: Vector) -> bool:
    return not (abs(q[0]) < 0.15 and q[1] < 1.2)


def closed_wall(q: Vector) -> bool:
    return abs(float(q[0])) >= 0.15


def test_a_line_through_an_obstacle_is_not_free() -> None:
    assert not way_is_free(wall_with_a_gap, START, END)
    assert way_is_free(wall_with_a_gap, START, np.array([-1.0, 1.5]))
    assert way_is_free(wall_with_a_gap, START, START)


def test_a_way_leads_through_the_gap_and_is_free() -> None:
    way = search_way(wall_with_a_gap, START, END, LOW, HIGH)
    assert way is not None
    np.testing.assert_array_equal(way[-1], END)
    assert len(way) < 8
    for a, b in zip([START, *way[:-1]], way, strict=True):
        assert way_is_free(wall_with_a_gap, a, b)


def test_the_same_question_gets_the_same_answer() -> None:
    ways = [search_way(wall_with_a_gap, START, END, LOW, HIGH) for _ in range(2)]
    assert ways[0] is not None
    assert ways[1] is not None
    np.testing.assert_array_equal(np.array(ways[0]), np.array(ways[1]))


def test_no_way_is_found_where_there_is_none() -> None:
    assert search_way(closed_wall, START, END, LOW, HIGH) is None
