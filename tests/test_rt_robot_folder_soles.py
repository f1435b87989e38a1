"""The sole of a foot is the largest flat face near its bottom: surface, edge or point."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.robots.clearance.link_shapes import Shape
from kilohertz.rt.robot_folder.soles import find_sole, lowest_point

DOWN, AHEAD = np.array([0.0, 0.0, -1.0]), np.array([1.0, 0.0, 0.0])
BOX = np.array([[x, y, z] for x in (-0.1, 0.15) for y in (-0.04, 0.04) for z in (-0.06, 0.0)])


def test_the_sole_of_a_box_is_its_lower_face() -> None:
    corners = find_sole([Shape(BOX)], DOWN, AHEAD)
    expected = [(x, y, -0.06) for x in (-0.1, 0.15) for y in (-0.04, 0.04)]
    np.testing.assert_allclose(sorted(map(tuple, corners)), sorted(expected), atol=1e-9)


@pytest.mark.parametrize("rpy", [(0.0, 0.3, 0.0), (-0.25, 0.1, 0.0), (0.0, 0.0, 0.4)])
def test_the_sole_of_a_turned_foot_turns_with_it(rpy: tuple[float, float, float]) -> None:
    R = pin.rpy.rpyToMatrix(*rpy)
    corners = find_sole([Shape(BOX @ R.T)], DOWN, R[:, 0])
    np.testing.assert_allclose((corners @ R)[:, 2], -0.06, atol=1e-6)
    x, y = (corners @ R)[:, :2].T
    assert (np.ptp(x), np.ptp(y)) == pytest.approx((0.25, 0.08), rel=0.05)


def test_four_balls_are_a_sole_of_four_corners() -> None:
    places = ((0.12, 0.03), (0.12, -0.03), (-0.05, 0.025), (-0.05, -0.025))
    centres = np.array([[x, y, -0.03] for x, y in places])
    corners = find_sole([Shape(centre[None], 0.005) for centre in centres], DOWN, AHEAD)
    np.testing.assert_allclose(
        sorted(map(tuple, corners)), sorted((x, y, -0.035) for x, y in places), atol=1e-9
    )


def test_a_rounded_sole_is_a_rectangle_inside_its_outline() -> None:
    angles = np.linspace(0.0, 2.0 * np.pi, 60, endpoint=False)
    rim = np.column_stack([0.12 * np.cos(angles), 0.05 * np.sin(angles)])
    mesh = np.vstack([np.column_stack([rim, np.full(60, z)]) for z in (-0.05, 0.0)])
    corners = find_sole([Shape(mesh)], DOWN, AHEAD)
    assert len(corners) == 4
    assert ((corners[:, 0] / 0.12) ** 2 + (corners[:, 1] / 0.05) ** 2 <= 1.0 + 1e-6).all()
    # The largest rectangle inside an ellipse has 2 / pi of its area.
    area = np.ptp(corners[:, 0]) * np.ptp(corners[:, 1])
    assert area == pytest.approx(2.0 * 0.12 * 0.05, rel=0.03)


def test_a_ball_is_a_point_and_a_bar_an_edge() -> None:
    ball = [Shape(np.array([[0.01, 0.0, -0.02]]), 0.02)]
    np.testing.assert_allclose(find_sole(ball, DOWN, AHEAD), [[0.01, 0.0, -0.04]])
    tilted = np.array([np.sin(0.3), 0.0, -np.cos(0.3)])
    np.testing.assert_allclose(lowest_point(ball, tilted), [0.01, 0.0, -0.02] + 0.02 * tilted)
    bar = [Shape(np.array([[-0.05, 0.0, 0.0], [0.05, 0.0, 0.0]]), 0.01)]
    np.testing.assert_allclose(np.abs(find_sole(bar, DOWN, AHEAD)), [[0.05, 0.0, 0.01]] * 2, atol=1e-9)
