"""Detection of a lost link: the time since the last message of a robot, measured by the receiver."""

from __future__ import annotations

import time

PREDICT_AFTER_POLLS = 2


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
    """

    def __init__(self, limit_ms: int, predict_after_polls: int = PREDICT_AFTER_POLLS) -> None:
        self.limit_ms = limit_ms
        self.polls = 0
        self._predict_after_polls = predict_after_polls
        self._fewest_polls = -(-limit_ms // 3)
        self._since_s = time.monotonic()

    def broken(self) -> None:
        """Restarts the time of silence, because a state was received. Hot path."""
        self.polls = 0
        self._since_s = time.monotonic()

    def goes_on(self) -> bool:
        """Counts one poll that received nothing. Hot path.

        Returns:
            Whether the link is lost: both the time and the number of polls exceed their limits.
        """
        self.polls += 1
        waited_ms = 1e3 * (time.monotonic() - self._since_s)
        return self.polls >= self._fewest_polls and waited_ms >= self.limit_ms

    @property
    def worth_predicting(self) -> bool:
        """Whether the next state is overdue and should be predicted, not only slightly late."""
        return self.polls >= self._predict_after_polls
