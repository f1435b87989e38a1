"""Behaviour `squat`: the centre of mass moves down and up again."""

from __future__ import annotations

import math
from typing import Any

from kilohertz.controller.behaviours.base import (
    Behaviour,
    BehaviourError,
    Payload,
    Positive,
    UpperBodyParameters,
)
from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.controller.motion.profile import minimum_jerk
from kilohertz.controller.motion.sine import check_period
from kilohertz.controller.problem.soles import com_height
from kilohertz.robots.model.robot_model import RobotModel

_DEEPEST = 0.4
"""Largest depth relative to the nominal height of the centre of mass; knees and ankles allow no more."""
_LARGEST_ACCEL_G = 0.5
"""Largest acceleration that may be requested, in units of gravity; the soles lift off at 1."""
_RAMP_S = 1.0


class Squat(Behaviour):
    """Move the centre of mass down by `depth_m` and up again, repeatedly."""

    name = "squat"
    fields = (("depth_m", 1), ("period_s", 1))

    class Parameters(UpperBodyParameters):
        """Parameters of `squat`.

        Attributes:
            depth_m: distance of the lowest point below the nominal height [m].
            period_s: time from one lowest point to the next [s].
        """

        depth_m: Positive
        period_s: Positive

    @classmethod
    def check(cls, robot: RobotModel, parameters: Any) -> None:
        """Raises BehaviourError for a depth that the legs do not allow, or a period that lifts the soles."""
        height_m = com_height(robot)
        if parameters.depth_m > _DEEPEST * height_m:
            raise BehaviourError(
                ("depth_m",),
                f"a squat of {parameters.depth_m:.2f} m is too deep for '{robot.name}', whose centre of mass "
                f"stands {height_m:.2f} m high; ask for at most {_DEEPEST * height_m:.2f} m",
            )
        # Down and up again is a sine of half the depth.
        what = f"a squat of {parameters.depth_m:.2f} m"
        check_period(what, parameters.period_s, 0.5 * parameters.depth_m, _LARGEST_ACCEL_G)

    def start(self, payload: Payload) -> None:
        """Stores depth and period."""
        self._depth_m = float(payload["depth_m"][0])
        self._omega = 2.0 * math.pi / float(payload["period_s"][0])

    def advance(self, t_s: float, reference: PostureReference) -> None:
        """Writes a cosine between nominal height and depth; its amplitude grows in the first second."""
        w, depth = self._omega, self._depth_m
        ramp, slope, curvature = minimum_jerk(t_s / _RAMP_S)
        slope, curvature = slope / _RAMP_S, curvature / _RAMP_S**2
        f, df, ddf = (
            0.5 * (math.cos(w * t_s) - 1),
            -0.5 * w * math.sin(w * t_s),
            -0.5 * w * w * math.cos(w * t_s),
        )
        reference.p[2] = depth * ramp * f
        reference.v[2] = depth * (ramp * df + slope * f)
        reference.a[2] = depth * (ramp * ddf + 2 * slope * df + curvature * f)
