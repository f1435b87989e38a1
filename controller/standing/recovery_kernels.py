"""Compiled watch over the support: how far the capture point is out of the soles, one call a tick."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import Floats, Ints, Kin, X, Y, Z

_LEAST_HEIGHT_M = 0.05


OUT_S, OUT_M, AWAY_X, AWAY_Y, LEFT_M = range(5)
"""Entries of `SupportWatch.out`: for how long the capture point has been out of the soles' hull [s]; how far
out it is [m], negative inside; the way out, along the heading and to its left; how far to the left of the
middle of the corners the capture point is [m]."""


class SupportWatch(NamedTuple):
    """The support, and where the capture point is from it."""

    corners_F: Floats
    """(n, 3) corners of all soles in their frames [m]."""
    foot: Ints
    """(n,) whose they are."""
    fan: Floats
    """(d, 2) directions."""
    margin_m: Floats
    """(1,) inside the hull by less than this counts as out of it."""
    corners: Floats
    """(n, 2) corners from the capture point, heading axes [m]."""
    out: Floats
    """(5,) OUT_S to LEFT_M."""


@kernel
def place_corners(k: Kin, watch: SupportWatch) -> None:
    """Writes the corners of all soles, seen from the capture point.

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
    """For how long the capture point has been out of the soles' hull, or inside it by less than a margin [s].

    How far a point is out of a convex hull is the largest of its distances from the hull's tangents; those
    across the given directions, turned by the heading, stand for all of them. Beyond the edge of its support
    no centre of pressure brings the capture point back.

    Args:
        dt_s: since the last call [s].
        k: kinematics, frames of the contacts first.
        watch: its `out` is written.
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
