from __future__ import annotations

import numpy as np
import pytest

from kilohertz.rt.view.coarse_mesh import coarse_mesh


def sphere(n: int) -> tuple[np.ndarray, np.ndarray]:
    """A sphere of radius 1 with 4 n^2 triangles or so."""
    u, v = np.meshgrid(np.linspace(0, 2 * np.pi, 2 * n + 1), np.linspace(0, np.pi, n + 1))
    points = np.stack([np.cos(u) * np.sin(v), np.sin(u) * np.sin(v), np.cos(v)], axis=-1).reshape(-1, 3)
    corner = np.arange((n + 1) * (2 * n + 1)).reshape(n + 1, 2 * n + 1)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]
    faces = np.concatenate([np.stack([a, d, b], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])
    return points.astype(np.float32), faces.astype(np.uint32)


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (vertices[faces[:, i]].astype(float) for i in range(3))
    return float((np.cross(a, b) * c).sum() / 6.0)


def test_a_small_mesh_stays_as_it_is():
    vertices, faces = sphere(4)
    found = coarse_mesh(vertices, faces, len(faces))
    assert found[0] is vertices
    assert found[1] is faces


@pytest.mark.parametrize("most", [12, 300, 3000])
def test_a_large_mesh_becomes_small_enough_and_keeps_its_size_and_its_outside(most):
    vertices, faces = sphere(60)
    found, corners = coarse_mesh(vertices, faces, most)
    assert 0 < len(corners) <= most
    assert corners.max() < len(found)
    assert np.abs(found).max() <= np.abs(vertices).max()
    if most >= 300:
        # Triangles that turned over would count as negative.
        assert volume(found, corners) == pytest.approx(4.0 / 3.0 * np.pi, rel=0.15)


def test_no_triangle_is_left_without_an_area_or_twice():
    found, corners = coarse_mesh(*sphere(60), 500)
    assert all(len(set(row)) == 3 for row in corners.tolist())
    assert len(np.unique(corners, axis=0)) == len(corners)
    assert found.dtype == np.float32
    assert corners.dtype == np.uint32
