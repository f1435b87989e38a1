"""The controller's clock as the agent knows it: time of the sensor samples, also between two reports."""

from __future__ import annotations

import math

LONGEST_GAP_S = 0.1
"""Time after the newest report for which the clock still runs on [s]."""


class ControllerClock:
    """Extrapolates the time of the loop's newest report with the computer's clock.

    It stands still if the loop does.

    Args:
        slow_motion: factor by which the controller's clock is slower than that of the computer.

    Attributes:
        t_s: time of the newest report on the controller's clock [s]; NaN before the first one.
        mono_ns: time of this report on CLOCK_MONOTONIC [ns].
        rate: seconds of the controller's clock per second of the computer's.
    """

    def __init__(self, slow_motion: int = 1) -> None:
        self.t_s = math.nan
        self.mono_ns = 0
        self.rate = 1.0 / slow_motion

    def report(self, t_s: float, mono_ns: int) -> None:
        """Takes the times of a report."""
        self.t_s, self.mono_ns = t_s, mono_ns

    def now_s(self, mono_ns: int) -> float:
        """Returns the time on the controller's clock [s]; NaN before the first report.

        Args:
            mono_ns: time on CLOCK_MONOTONIC [ns].
        """
        elapsed_s = 1e-9 * (mono_ns - self.mono_ns) * self.rate
        return self.t_s + min(max(elapsed_s, 0.0), LONGEST_GAP_S)
