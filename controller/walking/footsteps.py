"""Next foothold, from the stance foot and the commanded velocity."""

from __future__ import annotations

import math

Foothold = tuple[float, float, float]
"""x, y [m] and yaw [rad] of the middle of a sole in the world."""


def next_foothold(
    stance: Foothold, side: float, velocity: tuple[float, float, float], period_s: float, width_m: float
) -> Foothold:
    """Returns the foothold that follows the stance foot.

    The middle line between the feet moves with the velocity. When the robot walks sideways, the leading foot
    covers the distance of both steps and the other foot only closes up, so the feet never cross.

    Args:
        stance: foothold of the stance foot.
        side: 1 if the stance foot is the left foot, -1 if it is the right one.
        velocity: forward, to the left [m/s] and turning [rad/s], in the robot's heading.
        period_s: time from one step to the next [s].
        width_m: sideways distance of the feet [m].
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
