"""How long a robot has been silent, as whoever waits for it can tell."""

from __future__ import annotations

import time

PREDICT_AFTER_POLLS = 2


class Silence:
    """Tells a robot that says nothing from a host that did not let us listen.

    A host that stops both ends for a while is no lost link: of the time of silence, a third must have been
    spent listening, poll by poll of a millisecond.

    Args:
        limit_ms: how long is too long.
        predict_after_polls: how many that bring nothing make a state overdue.

    Attributes:
        polls: in a row that brought nothing.
    """

    def __init__(self, limit_ms: int, predict_after_polls: int = PREDICT_AFTER_POLLS) -> None:
        self.limit_ms = limit_ms
        self.polls = 0
        self._predict_after_polls = predict_after_polls
        self._fewest_polls = -(-limit_ms // 3)
        self._since_s = time.monotonic()

    def broken(self) -> None:
        """The robot has said something. Hot path."""
        self.polls = 0
        self._since_s = time.monotonic()

    def goes_on(self) -> bool:
        """One more poll has brought nothing. Hot path.

        Returns:
            Whether it has lasted too long.
        """
        self.polls += 1
        waited_ms = 1e3 * (time.monotonic() - self._since_s)
        return self.polls >= self._fewest_polls and waited_ms >= self.limit_ms

    @property
    def worth_predicting(self) -> bool:
        """Whether a state is overdue, and not only late."""
        return self.polls >= self._predict_after_polls
