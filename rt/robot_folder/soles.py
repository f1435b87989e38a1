"""Finds the sole of a foot: the largest flat face of its geometry that points down."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from kilohertz.robots.clearance.link_shapes import Shape
from kilohertz.robots.model.rows import Vector

_FACE_COSINE = float(np.cos(np.deg2rad(8.0)))
"""Facets whose normals are closer than 8 deg belong to one face."""
_DOWN_COSINE = float(np.cos(np.deg2rad(40.0)))
"""A face within 40 deg of the vertical can be the sole: a foot may be tilted before the posture is found."""
_FLAT = (0.0025, 0.01, 0.02)
"""Distances from the plane of the sole within which points belong to it, as fractions of the longer side of
the foot, in the order in which they are tried."""
_ENOUGH = 0.4
"""Fraction of the area of the foot that a sole covers."""
_SMALLEST_SIDE_M = 0.015
"""A sole with a shorter side is an edge or a point."""
_SAME_CORNER_M = 0.004
_EQUAL_M = 1e-4
_GRID = 32


def find_sole(shapes: list[Shape], down_L: Vector, forward_L: Vector) -> Vector:
    """Finds the corners of a sole.

    Args:
        shapes: geometry of the foot.
        down_L: (3,) unit vector of the link that points down.
        forward_L: (3,) unit vector of the link that points forward.

    Returns:
        (k, 3) corners in the frame of the link [m]: four or three for a surface, two for an edge, one for a
        point.
    """
    normal = _sole_normal(shapes, down_L)
    points = np.vstack([shape.touching(normal) for shape in shapes])
    x = forward_L - (forward_L @ normal) * normal
    x = x / np.linalg.norm(x)
    axes = np.column_stack([x, np.cross(x, normal), normal])
    flat = points @ axes
    lowest = float(flat[:, 2].max())
    extent = float(np.ptp(flat[:, 0]) * np.ptp(flat[:, 1]))
    best, best_area = flat[np.argmax(flat[:, 2]), :2][None], -1.0
    for tolerance in _FLAT:
        near = flat[:, 2] > lowest - tolerance * float(np.ptp(flat[:, :2], axis=0).max()) - _EQUAL_M
        corners = _corners(flat[near, :2])
        area = _area(corners)
        if area > best_area:
            best, best_area = corners, area
        if area > _ENOUGH * extent:
            break
    corners_L: Vector = np.column_stack([best, np.full(len(best), lowest)]) @ axes.T
    return corners_L


def lowest_point(shapes: list[Shape], down_L: Vector) -> Vector:
    """Returns the (3,) point of a geometry that is furthest along a unit vector of the link [m]."""
    points = np.vstack([shape.touching(down_L) for shape in shapes])
    lowest: Vector = points[int(np.argmax(points @ down_L))]
    return lowest


def _sole_normal(shapes: list[Shape], down_L: Vector) -> Vector:
    """Returns the outward normal of the largest face near the bottom; straight down if there is none."""
    points = np.vstack([shape.touching(down_L) for shape in shapes])
    try:
        hull = ConvexHull(points)
    except (QhullError, ValueError):
        return _plane_normal(points, down_L)
    normals = hull.equations[:, :3]
    a, b, c = (points[hull.simplices[:, i]] for i in range(3))
    areas = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    candidates = np.flatnonzero(normals @ down_L > _DOWN_COSINE)
    best, best_area = down_L, 0.0
    for seed in candidates[np.argsort(-areas[candidates])][:20]:
        members = normals @ normals[seed] > _FACE_COSINE
        area = float(areas[members].sum())
        if area > best_area:
            best, best_area = areas[members] @ normals[members], area
    normal: Vector = best / np.linalg.norm(best)
    return normal


def _plane_normal(points: Vector, down_L: Vector) -> Vector:
    """Returns the normal of points that lie in one plane; straight down if they span none or face away."""
    if len(points) < 3:
        return down_L
    _, extents, axes = np.linalg.svd(points - points.mean(axis=0))
    if extents[1] < _SMALLEST_SIDE_M:
        return down_L
    normal: Vector = axes[2] if axes[2] @ down_L > 0.0 else -axes[2]
    return normal if normal @ down_L > _DOWN_COSINE else down_L


def _corners(points: Vector) -> Vector:
    """Returns the (k, 2) corners that stand for the convex hull of points in the plane of the sole."""
    middle: Vector = 0.5 * (points.min(axis=0) + points.max(axis=0))
    sides = np.ptp(points, axis=0)
    if sides.max() < _SMALLEST_SIDE_M:
        return middle[None]
    if sides.min() < _SMALLEST_SIDE_M:
        end = np.array([0.5 * sides[0], 0.0]) if sides[0] > sides[1] else np.array([0.0, 0.5 * sides[1]])
        return np.vstack([middle + end, middle - end])
    try:
        hull = points[ConvexHull(points).vertices]
    except QhullError:
        ends = points[[int(np.argmin(points @ sides)), int(np.argmax(points @ sides))]]
        return np.array(ends)
    distinct = _distinct(hull)
    return distinct if len(distinct) <= 4 else _inscribed_rectangle(hull)


def _distinct(hull: Vector) -> Vector:
    """Returns the corners of a convex polygon without those that are close to their predecessor."""
    kept = [hull[0]]
    for corner in hull[1:]:
        if np.linalg.norm(corner - kept[-1]) > _SAME_CORNER_M and (
            np.linalg.norm(corner - kept[0]) > _SAME_CORNER_M
        ):
            kept.append(corner)
    return np.array(kept)


def _inscribed_rectangle(hull: Vector) -> Vector:
    """Returns the (4, 2) corners of the largest rectangle inside a convex polygon, parallel to its axes."""
    xs = np.linspace(hull[:, 0].min(), hull[:, 0].max(), _GRID)
    closed = np.vstack([hull, hull[:1]])
    low, high = np.full(_GRID, np.inf), np.full(_GRID, -np.inf)
    for a, b in itertools.pairwise(closed):
        if abs(b[0] - a[0]) < 1e-12:
            inside, y = np.abs(xs - a[0]) < 1e-9, np.stack([np.full(_GRID, a[1]), np.full(_GRID, b[1])])
        else:
            inside = (xs >= min(a[0], b[0]) - 1e-12) & (xs <= max(a[0], b[0]) + 1e-12)
            y = np.tile(a[1] + (xs - a[0]) / (b[0] - a[0]) * (b[1] - a[1]), (2, 1))
        low[inside] = np.minimum(low, y.min(axis=0))[inside]
        high[inside] = np.maximum(high, y.max(axis=0))[inside]
    best, corners = -1.0, hull[:4]
    for i in range(_GRID):
        for j in range(i + 1, _GRID):
            y0, y1 = max(low[i], low[j]), min(high[i], high[j])
            area = (xs[j] - xs[i]) * (y1 - y0)
            if y1 > y0 and area > best:
                best = area
                corners = np.array([[xs[j], y1], [xs[j], y0], [xs[i], y0], [xs[i], y1]])
    return corners


def _area(corners: Vector) -> float:
    if len(corners) < 3:
        return 0.0
    x, y = corners.T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))
