"""Connects a run to the watcher of its gains file: passes new gains to the loop and results back."""

from __future__ import annotations

from typing import Any

from kilohertz.controller.gains.live import GainsRow
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.gains.tuning import NONE, ON_TRIAL, ROLLED_BACK, Tuning
from kilohertz.rt.live.gains_mailbox import Answer, GainsMailbox
from kilohertz.rt.live.gains_watch import result_text

_EVENTS_KEPT = 1000


class LiveRun:
    """Passes gains from the watcher process to the loop, and results from the loop to the watcher.

    Args:
        gains: gains at the start of the run.
        tuning: tuning supervisor of the run's controller.

    Attributes:
        mailbox: shared memory to the watcher.
        row: gains that the loop passes to the controller.
        events: results of gain changes, as dicts of t_s [s], kind and text.
    """

    def __init__(self, gains: Gains, tuning: Tuning) -> None:
        self.mailbox = GainsMailbox()
        self.row = GainsRow(gains)
        self.events: list[dict[str, Any]] = []
        self._tuning = tuning
        self._generation, self._state = 0, NONE
        self._rolled_back = 0

    def between_ticks(self, t_s: float) -> None:
        """Passes on new gains and results; called between two ticks, outside the measured tick time.

        Args:
            t_s: time of the last tick [s].
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
                text = trial if tuning.state == ON_TRIAL else result_text(answer)
                self.events.append({"t_s": t_s, "kind": "gains", "text": text})

    def figures(self) -> dict[str, int]:
        """Returns the newest gains' number, the number in force, and the roll-back count, for the summary."""
        tuning = self._tuning
        return {
            "generation": tuning.generation,
            "in_force": tuning.in_force,
            "rolled_back": self._rolled_back,
        }
