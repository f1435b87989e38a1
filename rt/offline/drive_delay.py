"""The delay of the drives: by how much the measured torques follow the commanded ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LONGEST_DELAY_TICKS = 60
"""Longest delay that is looked for [ticks]."""
_LEAST_TICKS = 100
_LIKE = 0.9
"""Share of the ticks that the fraction is taken from: those most like the commanded torques."""


def commanded_torque(sensors: Any, command: Any, limit_Nm: Array) -> Array:
    """Returns the (n, na) torques that the drives were asked for, within their limits [Nm].

    Args:
        sensors: (n,) sensor rows with q and v.
        command: (n,) command rows.
        limit_Nm: (na,) torque limits [Nm].
    """
    asked = command["tau_ff"] + command["kp"] * (command["q_des"] - sensors["q"])
    asked = asked + command["kd"] * (command["v_des"] - sensors["v"])
    clipped: Array = np.clip(asked, -limit_Nm, limit_Nm)
    return clipped


def delay_in_ticks(asked: Array, given: Array, longest: int = LONGEST_DELAY_TICKS) -> tuple[int, float]:
    """Returns the delay after which the given torques are most like the commanded ones.

    Args:
        asked: (n, na) commanded torques [Nm].
        given: (n, na) measured torques [Nm].
        longest: longest delay that is looked for [ticks].

    Returns:
        The whole number of ticks with the smallest median error, and the vertex of the parabola through the
        mean squared errors there and beside it, as a fraction of ticks; NaN for both in a short log.
    """
    if len(asked) < _LEAST_TICKS + longest or not np.isfinite(given).all():
        return 0, np.nan
    n = len(asked) - longest
    errors = [asked[:n] - given[d : d + n] for d in range(longest + 1)]
    best = int(np.argmin([np.median(np.abs(error)) for error in errors]))
    # A drive that lacks torque for a while says nothing about its delay.
    usual = (errors[best] ** 2).max(axis=1)
    like = usual <= np.quantile(usual, _LIKE)
    beside = (max(best - 1, 0), best, min(best + 1, longest))
    squares = [float((errors[d][like] ** 2).mean()) for d in beside]
    bend = squares[0] - 2.0 * squares[1] + squares[2]
    shift = 0.5 * (squares[0] - squares[2]) / bend if bend > 0.0 and 0 < best < longest else 0.0
    return best, best + float(np.clip(shift, -0.5, 0.5))
