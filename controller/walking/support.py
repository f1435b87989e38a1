"""Limits on the zero-moment point: the usable area of the soles on the ground."""

from __future__ import annotations

import math

from kilohertz.controller.walking.dcm_plan import Point
from kilohertz.controller.walking.footsteps import Foothold
from kilohertz.controller.walking.gait import HALF_LENGTH_M, HALF_WIDTH_M, Gait
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats


@kernel
def inside_sole(z: Point, sole: Foothold, gait: Floats) -> Point:
    """Returns the point of the usable area of a sole that is nearest to z.

    Args:
        z: a point [m].
        sole: foothold of the sole.
        gait: the gait, as returned by `gait_row`.
    """
    x, y, yaw = sole
    c, s = math.cos(yaw), math.sin(yaw)
    dx, dy = z[0] - x, z[1] - y
    ahead = min(max(c * dx + s * dy, -gait[HALF_LENGTH_M]), gait[HALF_LENGTH_M])
    left = min(max(c * dy - s * dx, -gait[HALF_WIDTH_M]), gait[HALF_WIDTH_M])
    return x + c * ahead - s * left, y + s * ahead + c * left


def inside_both(z: Point, a: Foothold, b: Foothold, gait: Gait) -> Point:
    """Returns the point nearest to z in the box around the usable areas of two soles.

    Args:
        z: a point [m].
        a: foothold of one sole.
        b: foothold of the other sole; the box is aligned with the mean heading of both.
        gait: gait of the robot.
    """
    yaw = 0.5 * (a[2] + b[2])
    c, s = math.cos(yaw), math.sin(yaw)
    a_ahead, a_left = c * a[0] + s * a[1], c * a[1] - s * a[0]
    b_ahead, b_left = c * b[0] + s * b[1], c * b[1] - s * b[0]
    ahead, left = c * z[0] + s * z[1], c * z[1] - s * z[0]
    ahead = min(
        max(ahead, min(a_ahead, b_ahead) - gait.half_length_m), max(a_ahead, b_ahead) + gait.half_length_m
    )
    left = min(max(left, min(a_left, b_left) - gait.half_width_m), max(a_left, b_left) + gait.half_width_m)
    return c * ahead - s * left, s * ahead + c * left
