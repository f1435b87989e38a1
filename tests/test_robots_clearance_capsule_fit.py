"""Capsules contain the body that they cover, and do not stand out far."""

from __future__ import annotations

import numpy as np
import pytest

from kilohertz.robots.clearance.capsule_fit import MOST_PIECES, Capsule, cover, enclosing_capsule
from kilohertz.robots.clearance.link_shapes import Shape
from kilohertz.robots.model.rows import Vector

BOX = np.array([[x, y, z] for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)])


def points_in(corners: Vector, n: int) -> Vector:
    """Random points in the convex hull of corners."""
    weights = np.random.default_rng(2).dirichlet(np.full(len(corners), 0.3), n)
    return np.asarray(weights @ corners)


@pytest.mark.parametrize("size", [(0.1, 0.1, 0.1), (0.4, 0.2, 0.15), (0.3, 0.1, 0.03), (0.05, 0.05, 0.5)])
def test_every_point_of_a_box_is_in_a_capsule(size: tuple[float, float, float]) -> None:
    corners = BOX * size
    capsules = cover(Shape(corners))
    assert 1 <= len(capsules) <= MOST_PIECES
    inside = points_in(corners, 2000)
    outside = np.min([capsule.outside_m(inside) for capsule in capsules], axis=0)
    assert outside.max() < 1e-6


def test_a_long_round_body_is_covered_by_one_tight_capsule() -> None:
    angle = np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False)
    rim = 0.015 * np.column_stack([np.cos(angle), np.sin(angle), np.zeros(40)])
    rod = np.vstack([rim, rim + np.array([0.0, 0.0, 0.4])])
    (capsule,) = cover(Shape(rod))
    assert capsule.radius_m == pytest.approx(0.015, rel=0.05)
    assert np.linalg.norm(capsule.b - capsule.a) == pytest.approx(0.4, abs=0.01)


def test_a_plate_without_thickness_is_covered() -> None:
    plate = np.array([[0.0, 0.0, 0.0], [0.2, 0.0, 0.0], [0.2, 0.1, 0.0], [0.0, 0.1, 0.0]])
    inside = points_in(plate, 500)
    assert np.min([capsule.outside_m(inside) for capsule in cover(Shape(plate))], axis=0).max() < 1e-6


def test_spheres_and_capsules_of_a_model_are_kept() -> None:
    (sphere,) = cover(Shape(np.array([[0.1, 0.2, 0.3]]), 0.05))
    assert sphere.radius_m == 0.05
    np.testing.assert_array_equal(sphere.a, sphere.b)
    ends = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.3]])
    (capsule,) = cover(Shape(ends, 0.04))
    np.testing.assert_array_equal([capsule.a, capsule.b], ends)


def test_the_fit_is_the_same_every_time() -> None:
    points = np.random.default_rng(3).normal(size=(500, 3)) * [0.1, 0.05, 0.2]
    first, second = cover(Shape(points)), cover(Shape(points.copy()))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.a, other.a)
        assert one.radius_m == other.radius_m


def test_distance_and_volume_of_a_capsule_are_those_of_geometry() -> None:
    capsule = Capsule(np.zeros(3), np.array([0.0, 0.0, 1.0]), 0.5)
    np.testing.assert_allclose(capsule.outside_m(np.array([[1.0, 0.0, 0.5], [0.0, 0.0, 2.0]])), [0.5, 0.5])
    assert capsule.volume_m3 == pytest.approx(np.pi * 0.25 * (1.0 + 2.0 / 3.0))
    assert enclosing_capsule(BOX).outside_m(BOX).max() < 1e-9
