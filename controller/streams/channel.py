"""Age of the newest sample of a stream, and the part of its command that is left after a silence."""

from __future__ import annotations

import math

from kilohertz.robots.model.rows import Vector

SILENCE_S, RAMP_S = 0.1, 0.3
"""Age of the newest sample from which a stream counts as silent, and the time in which its command then fades
out [s]."""


class Channel:
    """The age of one stream.

    Args:
        stamp: (1,) time of the newest sample on the controller's clock [s]; NaN while the stream is not in
            use.

    Attributes:
        fresh: whether the newest sample is younger than SILENCE_S.
        age_s: age of the newest sample, at most SILENCE_S [s]; targets are extrapolated by this time.
        fraction: part of the command that is left: 1 while fresh, then falling to 0 within RAMP_S.
    """

    def __init__(self, stamp: Vector) -> None:
        self._stamp_s = stamp
        self.reset()

    def reset(self) -> None:
        """Forgets the samples so far."""
        self.fresh = False
        self.age_s = SILENCE_S
        self.fraction = 0.0
        self._since_s = -math.inf

    def advance(self, t_s: float) -> None:
        """Updates the age for a tick whose sensor sample is of t_s [s]."""
        stamp_s = self._stamp_s.item()
        if math.isnan(stamp_s):
            # Released: the same as a silence that begins now.
            self._since_s = min(self._since_s, t_s)
            self.fresh = False
        else:
            self._since_s = stamp_s + SILENCE_S
            self.fresh = t_s <= self._since_s
        self.age_s = min(max(t_s - self._since_s + SILENCE_S, 0.0), SILENCE_S)
        self.fraction = 1.0 if self.fresh else max(0.0, 1.0 - (t_s - self._since_s) / RAMP_S)
