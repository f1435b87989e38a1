"""Connects a run to the watcher of its gains file: passes new gains to the loop and results back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kilohertz.controller.gains.live import GainsRow
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.gains.tuning import NONE, ON_TRIAL, ROLLED_BACK, Tuning
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.live.gains_mailbox import Answer, GainsMailbox
from kilohertz.rt.live.gains_watch import result_text

EVENTS_KEPT = 1000
"""Number of events, and of sets of gains, that are kept of a run."""


@dataclass
class GainsSet:
    """Gains that were in force in a run.

    Attributes:
        generation: number of the gains; 0 for those of the start.
        numbers: (n,) values of the live gains, in the order of `live_paths`.
        spans: times from which and until which they were in force [s]; the last may be open.
        answer: newest result of their trial; None for the gains of the start.
    """

    generation: int
    numbers: Vector
    spans: list[tuple[float, float | None]] = field(default_factory=list)
    answer: Answer | None = None


class LiveRun:
    """Passes gains from the watcher process to the loop, and results from the loop to the watcher.

    Args:
        gains: gains at the start of the run.
        tuning: tuning supervisor of the run's controller.

    Attributes:
        mailbox: shared memory to the watcher.
        row: gains that the loop passes to the controller.
        sets: the gains that were in force, in the order of their first time.
    """

    def __init__(self, gains: Gains, tuning: Tuning) -> None:
        self.mailbox = GainsMailbox()
        self.row = GainsRow(gains)
        start = GainsSet(0, self.row.numbers.copy(), [(0.0, None)])
        self.sets = [start]
        self._sets = {0: start}
        self._tuning = tuning
        self._events: list[dict[str, Any]] = []
        self._left_out, self._last_s = 0, 0.0
        self._generation, self._state, self._in_force, self._waiting = 0, NONE, 0, False
        self._rolled_back = 0

    def between_ticks(self, t_s: float) -> None:
        """Passes on new gains and results; called between two ticks, outside the measured tick time.

        Args:
            t_s: time of the last tick [s].
        """
        tuning = self._tuning
        if tuning.in_force != self._in_force:
            self._switch(t_s)
        if tuning.state != self._state or tuning.generation != self._generation:
            self._tell_result(t_s)
        if tuning.waiting != self._waiting:
            self._waiting = tuning.waiting
            if self._waiting:
                number = self.row.generation
                self._add(t_s, f"gains {number} wait for motion that can be compared with that before them")
        self.mailbox.collect(self.row)

    def _switch(self, t_s: float) -> None:
        """Notes that other gains have come into force in the last tick."""
        before, now = self._sets.get(self._in_force), self._tuning.in_force
        if before is not None:
            before.spans[-1] = before.spans[-1][0], t_s
        self._in_force = now
        if now not in self._sets and len(self.sets) < EVENTS_KEPT:
            self._sets[now] = GainsSet(now, self._tuning.target.copy())
            self.sets.append(self._sets[now])
        if now in self._sets:
            self._sets[now].spans.append((t_s, None))

    def _tell_result(self, t_s: float) -> None:
        tuning = self._tuning
        self._generation, self._state = tuning.generation, tuning.state
        self._rolled_back += tuning.state == ROLLED_BACK
        self.mailbox.answer(tuning)
        answer = Answer.of(tuning)
        if tuning.generation in self._sets:
            self._sets[tuning.generation].answer = answer
        trial = f"gains {tuning.generation} on trial"
        self._add(t_s, trial if tuning.state == ON_TRIAL else result_text(answer))

    def _add(self, t_s: float, text: str) -> None:
        self._last_s = t_s
        if len(self._events) < EVENTS_KEPT:
            self._events.append({"t_s": t_s, "kind": "gains", "text": text})
        else:
            self._left_out += 1

    @property
    def events(self) -> list[dict[str, Any]]:
        """Events of the gains, as dicts of t_s [s], kind and text; the last says how many are left out."""
        if not self._left_out:
            return self._events
        text = f"{self._left_out} later events of gains are left out"
        return [*self._events, {"t_s": self._last_s, "kind": "gains", "text": text}]

    def figures(self) -> dict[str, int]:
        """Returns the newest gains' number, the number in force, and the roll-back count, for the summary."""
        tuning = self._tuning
        return {
            "generation": tuning.generation,
            "in_force": tuning.in_force,
            "rolled_back": self._rolled_back,
        }
