"""Behaviour `sway`: the centre of mass moves to and fro over the soles."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from kilohertz.controller.behaviours.base import (
    Behaviour,
    BehaviourError,
    Context,
    Payload,
    Positive,
    UpperBodyParameters,
)
from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.controller.motion.profile import minimum_jerk
from kilohertz.controller.problem.soles import com_height, sole_corners
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import exact_kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import Floats
from kilohertz.robots.model.robot_model import RobotModel

_AXES = {"x": 0, "y": 1}
_RAMP_S = 1.0


class Sway(Behaviour):
    """Move the centre of mass to and fro along a sine, with all soles on the ground."""

    name = "sway"
    fields = (("amplitude_m", 1), ("period_s", 1), ("axis", 1))

    class Parameters(UpperBodyParameters):
        """Parameters of `sway`.

        Attributes:
            amplitude_m: largest offset from the middle of the soles [m].
            period_s: period of the sine [s].
            axis: direction of the sway; x is forward, y is to the left.
        """

        amplitude_m: Positive
        period_s: Positive
        axis: Literal["x", "y"] = "y"

    @classmethod
    def check(cls, robot: RobotModel, parameters: Any) -> None:
        """Raises BehaviourError for a sway whose zero-moment point would leave the soles."""
        half_width_m = float(np.ptp(sole_corners(robot)[:, _AXES[parameters.axis]])) / 2.0
        height_m = com_height(robot)
        # A sine of the centre of mass moves the zero-moment point by (1 + (w / omega)^2) times its amplitude.
        gain = 1.0 + (2.0 * math.pi / parameters.period_s) ** 2 * height_m / GRAVITY_M_S2
        if parameters.amplitude_m * gain > half_width_m:
            raise BehaviourError(
                ("amplitude_m",),
                f"a sway of {parameters.amplitude_m:.3f} m every {parameters.period_s:.1f} s would tip "
                f"'{robot.name}' over its soles; ask for at most {half_width_m / gain:.3f} m, or a longer "
                "period_s",
            )

    @classmethod
    def write(cls, robot: RobotModel, parameters: Any, payload: Payload) -> None:
        """Writes amplitude [m], period [s] and the index of the axis."""
        payload["amplitude_m"][0], payload["period_s"][0] = parameters.amplitude_m, parameters.period_s
        payload["axis"][0] = _AXES[parameters.axis]

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._write_sine = bind(
            "sway_kernel",
            [write_sine],
            call={"t_s": "f8", "amplitude_m": "f8", "omega": "f8", "axis": "i8", "offset": "f8[:,::1]"},
        )

    def start(self, payload: Payload) -> None:
        """Stores amplitude, period and axis."""
        self._amplitude_m = float(payload["amplitude_m"][0])
        self._omega = 2.0 * math.pi / float(payload["period_s"][0])
        self._axis = int(payload["axis"][0])

    def advance(self, t_s: float, reference: PostureReference) -> None:
        """Writes a sine whose amplitude grows in the first second."""
        self._write_sine(t_s, self._amplitude_m, self._omega, self._axis, reference.offset)


_minimum_jerk = exact_kernel(minimum_jerk)


@exact_kernel
def write_sine(t_s: float, amplitude_m: float, omega: float, axis: int, offset: Floats) -> None:
    """Writes a sine whose amplitude grows along a minimum-jerk step.

    Args:
        t_s: time since the start [s].
        amplitude_m: amplitude [m].
        omega: angular frequency [rad/s].
        axis: column of `offset` to write.
        offset: (3, 3) position, velocity and acceleration as rows [m, m/s, m/s^2].
    """
    ramp, slope, curvature = _minimum_jerk(t_s / _RAMP_S)
    slope, curvature = slope / _RAMP_S, curvature / _RAMP_S**2
    w = omega
    f, df, ddf = math.sin(w * t_s), w * math.cos(w * t_s), -w * w * math.sin(w * t_s)
    offset[0, axis] = amplitude_m * ramp * f
    offset[1, axis] = amplitude_m * (ramp * df + slope * f)
    offset[2, axis] = amplitude_m * (ramp * ddf + 2 * slope * df + curvature * f)
