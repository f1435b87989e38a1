"""Capsules that cover the geometry of a link.

A capsule is the set of points within a radius of a segment. A convex body is covered by one capsule, or by
several where one would stand out too far: the body is then cut in halves, and each half gets a capsule of its
own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from kilohertz.robots.clearance.link_shapes import Shape
from kilohertz.robots.model.rows import Vector

STANDS_OUT_M, FAR_OUT_M = 0.02, 0.03
"""A capsule that stands out further beyond the body than this is divided, up to FEW_PIECES and MOST_PIECES
capsules [m]."""
FEW_PIECES, MOST_PIECES = 3, 8
"""Largest number of capsules for one convex body that go by STANDS_OUT_M, and by FAR_OUT_M."""

_DIRECTIONS = 120
"""Number of directions in which a body's outermost points are kept; the others stand for nothing."""
_CIRCLE_STEPS = 48
"""Steps towards the smallest circle around points; its radius is then within 2 %."""
_TURNS_RAD = (0.2, 0.07)
"""Angles by which the axis of a capsule is turned in search of a smaller capsule [rad]."""
_FLAT_M = 1e-4
"""Thickness that is given to a plate or a rod without thickness [m]."""


@dataclass(frozen=True)
class Capsule:
    """A capsule in the frame of a link.

    Attributes:
        a, b: (3,) end points of its segment; equal for a sphere [m].
        radius_m: its radius [m].
    """

    a: Vector
    b: Vector
    radius_m: float

    @property
    def volume_m3(self) -> float:
        """Volume [m^3]."""
        length, r = float(np.linalg.norm(self.b - self.a)), self.radius_m
        return float(np.pi * r * r * (length + 4.0 / 3.0 * r))

    def outside_m(self, points: Vector) -> Vector:
        """Returns how far (n, 3) points are outside of the capsule; negative inside [m]."""
        axis = self.b - self.a
        along = (points - self.a) @ axis / max(float(axis @ axis), 1e-12)
        nearest = self.a + np.clip(along, 0.0, 1.0)[:, None] * axis
        distance: Vector = np.linalg.norm(points - nearest, axis=1) - self.radius_m
        return distance


def cover(shape: Shape) -> list[Capsule]:
    """Returns the capsules that cover a shape. The result depends on nothing but the shape."""
    points = shape.points_L
    if len(points) <= 2:
        return [Capsule(points[0].copy(), points[-1].copy(), shape.radius_m)]
    body, left_out_m = _outermost(points)
    pieces, capsules = [body], [enclosing_capsule(body.points)]
    planes = body.equations
    while len(pieces) < MOST_PIECES:
        excess = [_stands_out_m(capsule, planes) for capsule in capsules]
        worst = int(np.argmax(excess))
        enough_m = STANDS_OUT_M if len(pieces) < FEW_PIECES else FAR_OUT_M
        halves = _best_halves(pieces[worst], planes) if excess[worst] > enough_m else None
        if halves is None:
            break
        pieces[worst : worst + 1] = halves
        capsules[worst : worst + 1] = [enclosing_capsule(half.points) for half in halves]
    extra = shape.radius_m + left_out_m
    return [Capsule(c.a, c.b, c.radius_m + extra) for c in capsules]


def enclosing_capsule(points: Vector, turns_rad: tuple[float, ...] = _TURNS_RAD) -> Capsule:
    """Returns a small capsule that contains points.

    The axis is the best of the principal axes of the points and of the frame, turned in small steps as long
    as the capsule gets smaller.

    Args:
        points: (n, 3) points [m].
        turns_rad: angles of these steps [rad].
    """
    principal = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2]
    axes = np.vstack([principal, np.eye(3)])
    volume = [_along(points, axis).volume_m3 for axis in axes]
    best, axis = min(volume), axes[int(np.argmin(volume))]
    for angle in turns_rad:
        side = np.cross(axis, np.eye(3)[int(np.argmin(np.abs(axis)))])
        side /= np.linalg.norm(side)
        for across in (side, np.cross(axis, side)):
            for sign in (1.0, -1.0):
                turned = axis + sign * angle * across
                turned /= np.linalg.norm(turned)
                smaller = _along(points, turned).volume_m3
                if smaller < best:
                    best, axis = smaller, turned
    return _along(points, axis, _CIRCLE_STEPS)


def _along(points: Vector, axis: Vector, steps: int = 0) -> Capsule:
    """Returns the capsule along an axis around the smallest circle of the points, found in some steps."""
    side = np.cross(axis, np.eye(3)[int(np.argmin(np.abs(axis)))])
    side /= np.linalg.norm(side)
    plane = np.array([side, np.cross(axis, side)])
    flat = points @ plane.T
    centre = 0.5 * (flat.min(axis=0) + flat.max(axis=0))
    # Source: Badoiu and Clarkson, "Smaller core-sets for balls", SODA 2003.
    for step in range(2, 2 + steps):
        off = flat - centre
        centre = centre + off[int(np.argmax(np.einsum("ij,ij->i", off, off)))] / step
    off = flat - centre
    across2 = np.einsum("ij,ij->i", off, off)
    radius = float(np.sqrt(across2.max()))
    along = points @ axis
    cap = np.sqrt(np.maximum(radius * radius - across2, 0.0))
    high, low = float((along - cap).max()), float((along + cap).min())
    if high < low:
        high = low = 0.5 * (high + low)
        radius = max(radius, float(np.sqrt(across2 + (along - high) ** 2).max()))
    middle = centre @ plane
    return Capsule(middle + low * axis, middle + high * axis, radius)


def _best_halves(body: ConvexHull, planes: Vector) -> tuple[ConvexHull, ConvexHull] | None:
    """Cuts a convex body across one of its principal axes, so that the two capsules stand out least."""
    points = body.points
    middle = points.mean(axis=0)
    best = None
    for axis in np.linalg.svd(points - middle, full_matrices=False)[2]:
        along = points @ axis
        at = 0.5 * (float(along.min()) + float(along.max()))
        try:
            halves = _cut(body, axis, at), _cut(body, -axis, -at)
        except QhullError:
            continue
        out = max(_stands_out_m(enclosing_capsule(half.points, ()), planes) for half in halves)
        if best is None or out < best[0]:
            best = out, halves
    return None if best is None else best[1]


def _cut(body: ConvexHull, axis: Vector, at: float) -> ConvexHull:
    """Returns the part of a convex body beyond a plane across an axis."""
    points = body.points
    height = points @ axis - at
    kept = [points[height >= 0.0]]
    for i, j in ((0, 1), (1, 2), (2, 0)):
        first, second = body.simplices[:, i], body.simplices[:, j]
        crosses = (height[first] > 0.0) != (height[second] > 0.0)
        a, b = first[crosses], second[crosses]
        share = (height[a] / (height[a] - height[b]))[:, None]
        kept.append(points[a] + share * (points[b] - points[a]))
    part = np.unique(np.vstack(kept).round(7), axis=0)
    hull = ConvexHull(part)
    return ConvexHull(part[hull.vertices])


def _stands_out_m(capsule: Capsule, planes: Vector) -> float:
    """Returns how far a capsule stands out beyond the planes (n, 4) of a convex body [m]."""
    ends = np.array([capsule.a, capsule.b])
    reach = (ends @ planes[:, :3].T + planes[:, 3]).max(axis=0) + capsule.radius_m
    return float(reach.max())


def _outermost(points: Vector) -> tuple[ConvexHull, float]:
    """Returns the convex hull of the outermost points, and how far the others are outside of it [m]."""
    # A spiral of evenly spread directions.
    index = np.arange(_DIRECTIONS) + 0.5
    z, turn = 1.0 - 2.0 * index / _DIRECTIONS, np.pi * (1.0 + np.sqrt(5.0)) * index
    level = np.sqrt(1.0 - z * z)
    directions = np.column_stack([level * np.cos(turn), level * np.sin(turn), z])
    directions = np.vstack([directions, np.eye(3), -np.eye(3)])
    outermost = points[np.unique(np.argmax(points @ directions.T, axis=0))]
    try:
        hull = ConvexHull(outermost)
    except QhullError:
        offsets = _FLAT_M * np.vstack([np.eye(3), -np.eye(3)])
        hull = ConvexHull((outermost[:, None] + offsets).reshape(-1, 3), qhull_options="QJ")
    hull = ConvexHull(hull.points[hull.vertices])
    outside = points @ hull.equations[:, :3].T + hull.equations[:, 3]
    return hull, max(0.0, float(outside.max()))
