"""Nearest points of two segments, in NumPy, for many pairs at once.

The compiled function of the tick is `kilohertz.controller.qp.clear_rows.nearest_points`; this is its
specification.
"""

from __future__ import annotations

import numpy as np

from kilohertz.robots.model.rows import Vector

MIDDLE_PULL = 0.003
"""Weight by which the nearest points are drawn to the middles of the segments, relative to their lengths.

Without it the nearest points of nearly parallel segments jump from one end to the other. The distance between
the two points is larger than the smallest one, for limbs by less than 1 mm.
"""
_LEAST_M2 = 1e-12


def nearest_points(a1: Vector, b1: Vector, a2: Vector, b2: Vector) -> tuple[Vector, Vector]:
    """Returns a point of each segment, (..., 3) each: the nearest ones, drawn a little to the middles.

    The points minimise the squared distance plus MIDDLE_PULL times the squared distances from the middles.

    Args:
        a1: (..., 3) first end points of the first segments [m].
        b1: (..., 3) second end points of the first segments [m].
        a2: (..., 3) first end points of the second segments [m].
        b2: (..., 3) second end points of the second segments [m].

    Source: Ericson, "Real-Time Collision Detection", 2005, section 5.1.9, here with a term that makes the
    minimum unique.
    """
    d1, d2, r = b1 - a1, b2 - a2, a1 - a2
    e1, e2 = (d1 * d1).sum(-1) + _LEAST_M2, (d2 * d2).sum(-1) + _LEAST_M2
    cross = (d1 * d2).sum(-1)
    h1, h2 = e1 * (1.0 + MIDDLE_PULL), e2 * (1.0 + MIDDLE_PULL)
    c = (d1 * r).sum(-1) - 0.5 * MIDDLE_PULL * e1
    f = (d2 * r).sum(-1) + 0.5 * MIDDLE_PULL * e2
    s = np.clip((cross * f - c * h2) / (h1 * h2 - cross * cross), 0.0, 1.0)
    t = np.clip((cross * s + f) / h2, 0.0, 1.0)
    s = np.clip((cross * t - c) / h1, 0.0, 1.0)
    return a1 + s[..., None] * d1, a2 + t[..., None] * d2
