"""Live gains of one run: what their watcher sends goes into the loop's row, what becomes of it goes back."""

from __future__ import annotations

from typing import Any

from kilohertz.controller.gains.live import GainsRow
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.gains.tuning import NONE, ON_TRIAL, ROLLED_BACK, Tuning
from kilohertz.rt.live.gains_mailbox import Answer, GainsMailbox
from kilohertz.rt.live.gains_watch import told

_EVENTS_KEPT = 1000


class LiveRun:
    """Stands between a run's watcher and its loop.

    Args:
        gains: that the run begins with.
        tuning: of the run's controller.

    Attributes:
        mailbox: for the watcher.
        row: for the loop, as its gains.
        events: what became of the gains that came: dicts of t_s [s], kind, text.
    """

    def __init__(self, gains: Gains, tuning: Tuning) -> None:
        self.mailbox = GainsMailbox()
        self.row = GainsRow(gains)
        self.events: list[dict[str, Any]] = []
        self._tuning = tuning
        self._generation, self._state = 0, NONE
        self._rolled_back = 0

    def between_ticks(self, t_s: float) -> None:
        """Hands over what is new either way; its time belongs to no tick.

        Args:
            t_s: time of the tick that has ended [s].
        """
        self.mailbox.collect(self.row)
        tuning = self._tuning
        if tuning.state != self._state or tuning.generation != self._generation:
            self._generation, self._state = tuning.generation, tuning.state
            self._rolled_back += tuning.state == ROLLED_BACK
            self.mailbox.answer(tuning)
            if len(self.events) < _EVENTS_KEPT:
                answer = Answer(tuning.generation, tuning.in_force, tuning.state, tuning.reason)
                trial = f"gains {tuning.generation} on trial"
                text = trial if tuning.state == ON_TRIAL else told(answer)
                self.events.append({"t_s": t_s, "kind": "gains", "text": text})

    def figures(self) -> dict[str, int]:
        """For the summary: the newest gains, those in force at the end, how many were rolled back."""
        tuning = self._tuning
        return {
            "generation": tuning.generation,
            "in_force": tuning.in_force,
            "rolled_back": self._rolled_back,
        }
