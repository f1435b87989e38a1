"""Where the next foot goes, from the stance foot and the velocity that is asked for."""

from __future__ import annotations

import math

Foothold = tuple[float, float, float]
"""x, y [m] and yaw [rad] of a sole's middle in the world."""


def next_foothold(
    stance: Foothold, side: float, velocity: tuple[float, float, float], period_s: float, width_m: float
) -> Foothold:
    """The foothold that follows on a stance foot.

    The middle line between the feet moves with the velocity. Sideways the leading foot takes both feet's
    way, and the other one only closes up: so feet never cross.

    Args:
        stance: of the stance foot.
        side: 1 where it is the left foot, -1 where it is the right one.
        velocity: forward, to the left [m/s], turning [rad/s], in the robot's heading.
        period_s: from step to step.
        width_m: sideways distance of the feet.
    """
    x, y, yaw = stance
    forward, left, turn = velocity
    half = 0.5 * side * width_m
    x += half * math.sin(yaw)
    y -= half * math.cos(yaw)
    new_yaw = yaw + turn * period_s
    middle = 0.5 * (yaw + new_yaw)
    ahead = forward * period_s
    sideways = -half + (2.0 * left * period_s if side * left < 0.0 else 0.0)
    c, s = math.cos(new_yaw), math.sin(new_yaw)
    return (
        x + ahead * math.cos(middle) - sideways * s,
        y + ahead * math.sin(middle) + sideways * c,
        new_yaw,
    )
