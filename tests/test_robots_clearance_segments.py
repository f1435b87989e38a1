"""The nearest points of two segments are on them, and no other pair of points is much nearer."""

from __future__ import annotations

import numpy as np

from kilohertz.robots.clearance.segments import MIDDLE_PULL, nearest_points


def test_no_other_points_of_two_segments_are_much_nearer() -> None:
    rng = np.random.default_rng(1)
    a1, b1, a2, b2 = rng.uniform(-0.5, 0.5, (4, 200, 3))
    p, q = nearest_points(a1, b1, a2, b2)
    found = np.linalg.norm(p - q, axis=1)
    share = np.linspace(0.0, 1.0, 60)
    first = a1[:, None] + share[:, None] * (b1 - a1)[:, None]
    second = a2[:, None] + share[:, None] * (b2 - a2)[:, None]
    least = np.linalg.norm(first[:, :, None] - second[:, None], axis=3).min(axis=(1, 2))
    lengths = np.linalg.norm(b1 - a1, axis=1) ** 2 + np.linalg.norm(b2 - a2, axis=1) ** 2
    assert (found**2 <= least**2 + 0.25 * MIDDLE_PULL * lengths + 1e-9).all()
    for point, a, b in ((p, a1, b1), (q, a2, b2)):
        along = np.einsum("ij,ij->i", point - a, b - a) / np.einsum("ij,ij->i", b - a, b - a)
        assert ((along >= -1e-12) & (along <= 1.0 + 1e-12)).all()
        np.testing.assert_allclose(point, a + along[:, None] * (b - a), atol=1e-12)


def test_parallel_segments_have_their_nearest_points_in_the_middle() -> None:
    a, b = np.array([0.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.0])
    for tilt in (-1e-5, 0.0, 1e-5):
        up = np.array([0.0, 0.0, 0.2])
        p, q = nearest_points(a, b, a + up, b + up + np.array([0.0, 0.0, tilt]))
        np.testing.assert_allclose([p[0], q[0]], 0.5, atol=5e-3)


def test_a_segment_without_length_is_a_point() -> None:
    point, a, b = np.array([0.3, 0.4, 0.0]), np.zeros(3), np.array([1.0, 0.0, 0.0])
    p, q = nearest_points(point, point, a, b)
    np.testing.assert_allclose(p, point)
    np.testing.assert_allclose(q, [0.3, 0.0, 0.0], atol=2e-3)
