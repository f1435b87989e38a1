"""Shapes of links are where the model puts them."""

from __future__ import annotations

import bodies
import numpy as np
import pytest

from kilohertz.robots.clearance.link_shapes import Shape, link_shapes, visual_shapes


def test_the_collision_geometry_of_a_shipped_robot_is_read() -> None:
    shapes = link_shapes(bodies.robot("ur5"))
    forearm = np.vstack([shape.points_L for shape in shapes["forearm_link"]])
    assert 0.3 < np.ptp(forearm[:, 2]) < 0.6


def test_visual_geometry_is_read_for_some_links_only() -> None:
    shapes = visual_shapes(bodies.robot("ur5"), {"forearm_link"})
    assert set(shapes) == {"forearm_link"}


def test_a_shape_can_be_moved_and_touched() -> None:
    shape = Shape(np.array([[1.0, 0.0, 0.0]]), 0.1)
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    moved = shape.moved(turn, np.array([0.0, 0.0, 2.0]))
    np.testing.assert_allclose(moved.points_L, [[0.0, 1.0, 2.0]], atol=1e-12)
    assert moved.touching(np.array([0.0, 0.0, -1.0]))[0, 2] == pytest.approx(1.9)
