"""Decides whether a button is still held, from the times at which the page's keep-alives arrive here.

The page says many times per second that the button is held, and nothing when it is released. A browser or
network that is starved says so late, in bursts, or again after a pause: then nobody knows whether the button
is still held. Motion begins with regular keep-alives only, ends with the first gap, and does not begin again
before the page was silent, as it is between a release and the next press.
"""

from __future__ import annotations

import math

HELD_S = 0.25
"""Longest time between two keep-alives of a held button [s]; the page sends one each 0.05 s."""
BURST_S = 0.015
"""Keep-alives that are closer together were sent at other times than they arrive [s]."""
RELEASED_S = 0.5
"""Silence after which a keep-alive is that of a new press [s]."""


class HoldWatch:
    """Watches one stick of buttons.

    Attributes:
        ended_late: whether the last motion ended by a gap, after which keep-alives went on.
    """

    def __init__(self) -> None:
        self._last_s = -math.inf
        self._until_s = -math.inf
        self._ended = False
        self.ended_late = False

    def keep_alive(self, now_s: float) -> None:
        """Takes a keep-alive that arrives now [s]."""
        gap_s, self._last_s = now_s - self._last_s, now_s
        if gap_s >= RELEASED_S:
            # The first one of a press: a second one has to follow in time.
            self._ended = self.ended_late = False
            self._until_s = -math.inf
        elif self._until_s > -math.inf and not self._ended and now_s >= self._until_s:
            self._ended = self.ended_late = True
        elif BURST_S <= gap_s <= HELD_S and not self._ended:
            self._until_s = now_s + HELD_S

    def holds(self, now_s: float) -> bool:
        """Returns whether the button is held at this time [s]."""
        return not self._ended and now_s < self._until_s

    def release(self) -> None:
        """Ends the motion; the button has to be released and pressed again."""
        self._ended = True
