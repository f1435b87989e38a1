"""The outline of a sole for drawing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

POINT_FOOT_M = 0.02
"""Distance from a point foot to the corners of the diamond that stands for it [m]."""


def sole_polygon(corners_F: Vector) -> Vector:
    """Returns the corners of a sole to draw, in order around it; a small diamond for a point or an edge.

    Args:
        corners_F: (k, 3) corners in the contact frame [m].
    """
    middle = corners_F.mean(axis=0)
    if len(corners_F) < 3:
        reach = corners_F - middle
        steps = (
            np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]) * POINT_FOOT_M
        )
        corners = np.concatenate([middle + end + steps for end in reach])
    else:
        corners = corners_F
    around = np.arctan2(corners[:, 1] - middle[1], corners[:, 0] - middle[0])
    ordered: Vector = corners[np.argsort(around)]
    return ordered


def fan(count: int) -> NDArray[np.uint32]:
    """Returns the triangles of a convex polygon, (count - 2, 3)."""
    return np.array([[0, i, i + 1] for i in range(1, count - 1)], np.uint32)
