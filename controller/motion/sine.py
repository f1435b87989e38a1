"""Acceleration check of sinusoidal motions."""

from __future__ import annotations

import math

from kilohertz.controller.motion.behaviour_error import BehaviourError
from kilohertz.robots.model.gravity import GRAVITY_M_S2


def check_period(what: str, period_s: float, amplitude_m: float, largest_accel_g: float) -> None:
    """Raises an error if the peak acceleration of a sinusoidal motion is too large.

    Args:
        what: name of the motion for the error message, such as "a squat of 0.10 m".
        period_s: period of the sine [s].
        amplitude_m: amplitude of the sine [m].
        largest_accel_g: largest allowed acceleration, in units of gravity.

    Raises:
        BehaviourError: if the period is too short; the message gives the shortest one.
    """
    shortest_s = 2.0 * math.pi * math.sqrt(amplitude_m / (largest_accel_g * GRAVITY_M_S2))
    if period_s < shortest_s:
        raise BehaviourError(
            ("period_s",),
            f"{what} every {period_s:g} s needs more than {largest_accel_g:g} times gravity's acceleration; "
            f"ask for a period_s of at least {shortest_s:.2f}",
        )
