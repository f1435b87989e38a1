"""Velocities that keys and sticks ask for."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

SLOWEST_M_S, FASTEST_M_S, STEP_M_S = 0.1, 1.0, 0.1
"""Range and step of the speed forward [m/s]."""
BACKWARD, LEFT = 0.5, 0.35
"""Speeds backward and sideways, relative to that forward: a biped walks most slowly sideways."""
TURN_RAD_M = 1.25
"""Turning rate per speed forward [rad/m]."""
KEYS = {
    "w": (1, 0, 0),
    "s": (-1, 0, 0),
    "a": (0, 1, 0),
    "d": (0, -1, 0),
    "q": (0, 0, 1),
    "e": (0, 0, -1),
    "up": (1, 0, 0),
    "down": (-1, 0, 0),
    "left": (0, 0, 1),
    "right": (0, 0, -1),
}
"""What each key asks for: forward, to the left, turning to the left."""


class Velocity(NamedTuple):
    """A walking velocity: forward and to the left [m/s], turning to the left [rad/s]."""

    forward_m_s: float
    left_m_s: float
    turn_rad_s: float


STILL = Velocity(0.0, 0.0, 0.0)


def of_fractions(forward: float, left: float, turn: float, speed_m_s: float) -> Velocity:
    """Returns the velocity for the deflections of a stick.

    Args:
        forward: deflection in [-1, 1], positive forward.
        left: deflection in [-1, 1], positive to the left.
        turn: deflection in [-1, 1], positive to the left.
        speed_m_s: speed forward at full deflection [m/s].
    """
    ahead = forward * speed_m_s * (1.0 if forward > 0.0 else BACKWARD)
    return Velocity(ahead, left * LEFT * speed_m_s, turn * TURN_RAD_M * speed_m_s)


def of_keys(held: Set[str], speed_m_s: float) -> Velocity:
    """Returns the velocity for the keys that are held; opposite keys cancel.

    Args:
        held: names of the keys that are held.
        speed_m_s: speed forward [m/s].
    """
    sums = [sum(KEYS[key][i] for key in held if key in KEYS) for i in range(3)]
    forward, left, turn = (float(min(max(each, -1), 1)) for each in sums)
    return of_fractions(forward, left, turn, speed_m_s)
