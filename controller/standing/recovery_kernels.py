"""Compiled check of the support, one call a tick: how far the capture point is outside the soles."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import Floats, Ints, Kin, X, Y, Z

_LEAST_HEIGHT_M = 0.05


OUT_S, OUT_M, AWAY_X, AWAY_Y, LEFT_M = range(5)
"""Indices of `SupportWatch.out`. OUT_S: how long the capture point has been outside the convex hull of the
soles, reduced by the margin [s]. OUT_M: its distance outside the hull [m], negative inside. AWAY_X, AWAY_Y:
unit vector in which it leaves the hull, along the heading and to its left. LEFT_M: how far the capture point
is to the left of the mean of the corners [m]."""


class SupportWatch(NamedTuple):
    """Support polygon, and the position of the capture point relative to it."""

    corners_F: Floats
    """(n, 3) corners of all soles, each in the frame of its contact [m]."""
    foot: Ints
    """(n,) index of the contact that each corner belongs to."""
    fan: Floats
    """(d, 2) unit vectors in which the edge of the hull is checked, heading axes."""
    margin_m: Floats
    """(1,) a capture point inside the hull by less than this counts as outside [m]."""
    corners: Floats
    """(n, 2) corners relative to the capture point, heading axes [m]; written each tick."""
    out: Floats
    """(5,) result, indexed by OUT_S to LEFT_M."""


@kernel
def place_corners(k: Kin, watch: SupportWatch) -> None:
    """Writes the corners of all soles relative to the capture point, heading axes, into `watch.corners`.

    Source: the capture point of Pratt et al., Humanoids 2006, eq. 5.
    """
    count = watch.foot[-1] + 1
    ground = sine = cosine = 0.0
    for f in range(count):
        ground += k.p[f, Z] / count
        sine += k.R[f, Y, X]
        cosine += k.R[f, X, X]
    turn = math.hypot(sine, cosine)
    s, c = sine / turn, cosine / turn
    fall_s = math.sqrt(max(k.p_WC[Z] - ground, _LEAST_HEIGHT_M) / GRAVITY_M_S2)
    x, y = k.p_WC[X] + fall_s * k.v_WC[X], k.p_WC[Y] + fall_s * k.v_WC[Y]
    for i in range(len(watch.foot)):
        f = watch.foot[i]
        dx, dy = k.p[f, X] - x, k.p[f, Y] - y
        for r in range(3):
            dx += k.R[f, X, r] * watch.corners_F[i, r]
            dy += k.R[f, Y, r] * watch.corners_F[i, r]
        watch.corners[i, X], watch.corners[i, Y] = c * dx + s * dy, c * dy - s * dx


@kernel
def watch_support(dt_s: float, k: Kin, watch: SupportWatch) -> float:
    """Returns how long the capture point has been outside the soles' hull, reduced by a margin [s].

    The distance of a point outside a convex hull is the largest of its distances from the hull's tangents.
    Only the tangents normal to the given directions, turned by the heading, are checked; they stand for all
    of them. No centre of pressure brings back a capture point that is beyond the edge of the support.

    Args:
        dt_s: time since the last call [s].
        k: kinematics; the frames of the contacts come first.
        watch: support polygon; its `corners` and `out` are written.
    """
    place_corners(k, watch)
    corners, out = watch.corners, watch.out
    out[LEFT_M] = -np.mean(corners[:, Y])
    farthest = -np.inf
    for i in range(len(watch.fan)):
        u, v = watch.fan[i, X], watch.fan[i, Y]
        edge = -np.inf
        for j in range(len(watch.foot)):
            edge = max(edge, u * corners[j, X] + v * corners[j, Y])
        if -edge > farthest:
            farthest = -edge
            out[AWAY_X], out[AWAY_Y] = u, v
    out[OUT_M] = farthest
    out_s: float = out[OUT_S] + dt_s if farthest > -watch.margin_m[0] else 0.0
    out[OUT_S] = out_s
    return out_s
