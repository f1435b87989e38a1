"""Compiled watch over the support: how far the capture point is out of the soles, one call a tick."""

from __future__ import annotations

import math

import numpy as np

from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import Floats, Ints

_LEAST_HEIGHT_M = 0.05


@kernel
def watch_support(
    dt_s: float,
    p: Floats,
    R: Floats,
    p_WC: Floats,
    v_WC: Floats,
    corners_F: Floats,
    foot: Ints,
    fan: Floats,
    margin_m: Floats,
    corners_W: Floats,
    out: Floats,
) -> float:
    """For how long the capture point has been out of the soles' hull, or inside it by less than a margin [s].

    How far a point is out of a convex hull is the largest of its distances from the hull's tangents; those
    across the given directions, turned by the heading, stand for all of them.

    Args:
        dt_s: since the last call [s].
        p: (nf, 3) frames, those of the contacts first [m].
        R: (nf, 3, 3) their orientation.
        p_WC: (3,) centre of mass [m].
        v_WC: (3,) its velocity [m/s].
        corners_F: (k, 3) corners of all soles in their frames [m].
        foot: (k,) whose they are.
        fan: (n, 2) directions.
        margin_m: (1,) the margin [m].
        corners_W: (k, 2) work space.
        out: (5,) written: the time that is returned; how far out [m], < 0 inside; the way out, along the
            heading and to its left; how far to the left of the middle of the corners that point is [m].

    Source: the capture point of Pratt et al., Humanoids 2006, eq. 5. Beyond the edge of its support no
    centre of pressure brings it back.
    """
    count = foot[-1] + 1
    ground = sine = cosine = 0.0
    for f in range(count):
        ground += p[f, 2] / count
        sine += R[f, 1, 0]
        cosine += R[f, 0, 0]
    turn = math.hypot(sine, cosine)
    s, c = sine / turn, cosine / turn
    fall_s = math.sqrt(max(p_WC[2] - ground, _LEAST_HEIGHT_M) / GRAVITY_M_S2)
    x, y = p_WC[0] + fall_s * v_WC[0], p_WC[1] + fall_s * v_WC[1]
    for k in range(len(foot)):
        f = foot[k]
        dx, dy = p[f, 0] - x, p[f, 1] - y
        for r in range(3):
            dx += R[f, 0, r] * corners_F[k, r]
            dy += R[f, 1, r] * corners_F[k, r]
        corners_W[k, 0], corners_W[k, 1] = c * dx + s * dy, c * dy - s * dx
    out[4] = -np.mean(corners_W[:, 1])
    farthest = -np.inf
    for i in range(len(fan)):
        u, v = fan[i, 0], fan[i, 1]
        edge = -np.inf
        for k in range(len(foot)):
            edge = max(edge, u * corners_W[k, 0] + v * corners_W[k, 1])
        if -edge > farthest:
            farthest = -edge
            out[2], out[3] = u, v
    out[1] = farthest
    out_s: float = out[0] + dt_s if farthest > -margin_m[0] else 0.0
    out[0] = out_s
    return out_s
