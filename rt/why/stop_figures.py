"""The quantity by which a watch of the controller stopped the robot, and its limit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.rt.run.replay import ReplayedBrain


@dataclass(frozen=True)
class StopFigure:
    """A quantity that was beyond its limit.

    Attributes:
        value: the quantity, in `unit`.
        limit: its limit.
        unit: unit of both.
    """

    value: float
    limit: float
    unit: str


def stop_figure(replayed: ReplayedBrain, reason: str) -> StopFigure | None:
    """Returns the quantity for which the robot was stopped in the tick that was just run again.

    Args:
        replayed: the controller after this tick.
        reason: reason of the stop, in the words of the controller.

    Returns:
        None for a stop without such a quantity, as one that was asked for.

    Source: as `kilohertz.controller.safety.falling.find_loss`.
    """
    brain, robot = replayed.brain, replayed.robot
    if "diverged" in reason:
        doubt = float(brain.estimator.doubt[0])
        return StopFigure(doubt, 1.0, "doubt") if math.isfinite(doubt) else None
    falling = getattr(brain.motion, "falling", None)
    if falling is None or not reason.startswith("a fall: "):
        return None
    motion: Any = brain.motion
    gains = replayed.gains.fall
    if "tilted" in reason:
        x, y = brain.estimator.q[3:5].tolist()
        upright = max(-1.0, min(1.0, 1.0 - 2.0 * (x * x + y * y)))
        return StopFigure(math.degrees(math.acos(upright)), gains.tilt_deg, "deg")
    height_m = motion.standing.height_m
    if "too low" in reason:
        return StopFigure(float(falling.p_SC[2]), gains.lowest * height_m, "m")
    if robot.floating and "capture point" in reason:
        point = falling.p_SC + falling.v_SC / math.sqrt(GRAVITY_M_S2 / height_m)
        out = max(abs(float(point[i])) - float(motion.half_support_m[i]) for i in range(2))
        return StopFigure(out, gains.reach * height_m, "m")
    return None
