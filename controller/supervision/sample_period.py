"""The period between two samples, from time stamps that may be late, come in bursts, or jump."""

from __future__ import annotations

import math

_SHORTEST_DT, _LONGEST_DT = 0.5, 3.0
"""Lower limit of the period between two samples, in nominal periods, and upper limit, in average periods.

The period is clamped to this range, so that a jump of the clock causes no jump of the state.
"""
_SLOW_S, _LONGEST_GAP = 0.005, 20.0
"""Average period from which longer gaps are accepted [s], as in logs and on slow robots, and the longest such
gap, in average periods."""
_LONGER, _SHORTER = 0.25, 0.03
"""Low-pass weights of a period that is longer, or shorter, than the average. The second is small because a
burst of samples often follows a pause."""
_MOST_AHEAD = 3.0
"""Largest time by which the sum of the periods may be ahead of the clock, in nominal periods. It is made up
for, so that samples which are stamped late and in bursts do not make time pass faster."""


class SamplePeriod:
    """Turns differences of time stamps into periods.

    Args:
        nominal_s: nominal period [s].

    Attributes:
        earliest_s, latest_s: range in which a difference is a period as it is [s]. While the average is not
            the nominal period, or the sum of the periods is ahead of the clock, `earliest_s` is NaN, which
            sends every difference through `likely`.
    """

    def __init__(self, nominal_s: float) -> None:
        self._nominal_s = nominal_s
        self.latest_s = (2.0 - _SHORTEST_DT) * nominal_s
        self.reset()

    def reset(self) -> None:
        """Forgets the samples so far."""
        self._usual_s, self._ahead_s = self._nominal_s, 0.0
        self.earliest_s = _SHORTEST_DT * self._nominal_s

    def likely(self, elapsed_s: float, *, first: bool) -> float:
        """Returns the period for a difference of time stamps, so that a jump of the clock has little effect.

        The lower limit is relative to the nominal period. The upper one is relative to the average period,
        which is longer in a log, or for a robot that is sampled at a lower rate.

        Args:
            elapsed_s: difference of the time stamps of this sample and the last one [s].
            first: whether the last sample is that of the reset; if it comes again, that is no burst.
        """
        usual, nominal = self._usual_s, self._nominal_s
        longest = usual * (_LONGEST_DT if usual < _SLOW_S else _LONGEST_GAP)
        change = min(max(elapsed_s, 0.0), 2.0 * usual) - usual
        self._usual_s = max(usual + change * (_LONGER if change > 0.0 else _SHORTER), nominal)
        shortest = _SHORTEST_DT * nominal
        # A clock that was set back says nothing about the time that has passed.
        since_s = elapsed_s - self._ahead_s if elapsed_s > -shortest else shortest
        period_s = min(max(since_s, shortest), longest)
        self._ahead_s = 0.0 if first else min(max(period_s - since_s, 0.0), _MOST_AHEAD * nominal)
        steady = self._usual_s == nominal and self._ahead_s == 0.0
        self.earliest_s = shortest if steady else math.nan
        return period_s
