"""Detection of a lost link: the time since the last message of a robot, measured by the receiver."""

from __future__ import annotations

import time

PREDICT_AFTER_POLLS = 2
STALL_S = 0.01
"""Time between two polls, which follow each other every millisecond, from which this computer stalled [s]."""
RECENT_S = 1.0
"""Time after a stall for which it may be the cause of what is seen at the robot [s]."""
LONGEST_STEP_S = 0.2
"""Longest time between two looks at the clock that counts as waiting for an answer [s]."""


class Silence:
    """Distinguishes a robot that sends nothing from a host that did not run the receiving process.

    A host that suspends both ends for a while is not a lost link. The link therefore counts as lost only if
    at least a third of the silent time was spent polling the socket, in polls of one millisecond.

    Args:
        limit_ms: time without a message after which the link is lost [ms].
        predict_after_polls: number of empty polls in a row after which a state is overdue.

    Attributes:
        limit_ms: time without a message after which the link is lost [ms].
        polls: number of polls in a row that received nothing.
        stalled_s: duration of the latest stall, in which this process did not look for messages [s]; 0 before
            the first one.
        stalls: number of stalls so far.
        longest_stall_s: duration of the longest of them [s]; 0 before the first one.
    """

    def __init__(self, limit_ms: int, predict_after_polls: int = PREDICT_AFTER_POLLS) -> None:
        self.limit_ms = limit_ms
        self.polls = 0
        self._predict_after_polls = predict_after_polls
        self._fewest_polls = -(-limit_ms // 3)
        self._since_s = self._looked_s = time.monotonic()
        self.stalls, self.stalled_s, self._stall_ended_s = 0, 0.0, 0.0
        self.longest_stall_s = 0.0

    def start(self) -> None:
        """Restarts all times: whatever this process did before, it did not have to look for messages."""
        self.polls = 0
        self._since_s = self._looked_s = time.monotonic()

    def broken(self) -> None:
        """Restarts the time of silence, because a state was received. Hot path."""
        self.polls = 0
        self._since_s = now_s = time.monotonic()
        if now_s - self._looked_s >= STALL_S:
            self._note_stall(now_s)
        self._looked_s = now_s

    def goes_on(self) -> bool:
        """Counts one poll that received nothing. Hot path.

        Returns:
            Whether the link is lost: both the time and the number of polls exceed their limits.
        """
        self.polls += 1
        now_s = time.monotonic()
        if now_s - self._looked_s >= STALL_S:
            self._note_stall(now_s)
        self._looked_s = now_s
        waited_ms = 1e3 * (now_s - self._since_s)
        return self.polls >= self._fewest_polls and waited_ms >= self.limit_ms

    def _note_stall(self, now_s: float) -> None:
        self.stalls += 1
        self.stalled_s, self._stall_ended_s = now_s - self._looked_s, now_s
        self.longest_stall_s = max(self.longest_stall_s, self.stalled_s)

    @property
    def recent_stall_s(self) -> float:
        """Duration of a stall in the last second, which may explain what is seen at the robot [s]; else 0."""
        recent = self.stalls and time.monotonic() - self._stall_ended_s < RECENT_S
        return self.stalled_s if recent else 0.0

    @property
    def worth_predicting(self) -> bool:
        """Whether the next state is overdue and should be predicted, not only slightly late."""
        return self.polls >= self._predict_after_polls


class Patience:
    """Time limit for an answer, in which the time does not count that this process was stopped.

    Args:
        limit_s: time limit [s].
    """

    def __init__(self, limit_s: float) -> None:
        self._left_s = limit_s
        self._looked_s = time.monotonic()

    def is_over(self) -> bool:
        """Returns whether the time is over; to be called repeatedly while waiting."""
        now_s = time.monotonic()
        self._left_s -= min(now_s - self._looked_s, LONGEST_STEP_S)
        self._looked_s = now_s
        return self._left_s < 0.0
