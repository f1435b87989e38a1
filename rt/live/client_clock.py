"""The controller's clock as a client knows it: learned from questions and answers."""

from __future__ import annotations

from collections import deque

SAMPLES = 16
JUMP_S = 2e-3
"""Difference of two answers, beyond what their round trips explain, that is no drift of the clocks [s]."""


class ClientClock:
    """Estimates the controller's time from the client's own clock.

    Of the latest answers the one with the shortest round trip counts: its error is at most half of that time.
    Answers from before a jump of the controller's clock are forgotten.

    Args:
        rate: seconds of the controller's clock per second of the client's.

    Attributes:
        offset_s: controller's time minus `rate` times the client's [s].
        round_trip_s: round trip of the answer that gave it [s].
    """

    def __init__(self, rate: float = 1.0) -> None:
        self.rate = rate
        self.offset_s = 0.0
        self.round_trip_s = float("inf")
        self._samples: deque[tuple[float, float]] = deque(maxlen=SAMPLES)

    def learn(self, asked_s: float, received_s: float, sent_s: float, answered_s: float) -> None:
        """Takes the four times of a question and its answer.

        Args:
            asked_s: time on the client's clock at which it sent the question [s].
            received_s: time on the controller's clock at which it received the question [s].
            sent_s: time on the controller's clock at which it sent the answer [s].
            answered_s: time on the client's clock at which it received the answer [s].
        """
        offset_s = 0.5 * (received_s + sent_s) - 0.5 * self.rate * (asked_s + answered_s)
        trip_s = answered_s - asked_s - (sent_s - received_s) / self.rate
        if any(abs(offset_s - o_s) > 0.5 * self.rate * (trip_s + t_s) + JUMP_S for t_s, o_s in self._samples):
            # The controller's clock has jumped: its loop, or a computer, stood still for a while.
            self._samples.clear()
        self._samples.append((trip_s, offset_s))
        self.round_trip_s, self.offset_s = min(self._samples)

    def time_s(self, own_s: float) -> float:
        """Returns the controller's time at a time of the client's clock [s]."""
        return self.rate * own_s + self.offset_s
