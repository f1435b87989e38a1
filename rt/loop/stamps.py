"""The stage stamps of the last ticks, kept in one block of memory, and their timeline for a trace viewer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The stages of `controller.brain` come first and in its order, so that the brain's own index is the column.
BRAIN_STAGES = ("estimate", "kinematics", "assemble", "solve", "guard")
WRITE, RECORD, READ = 5, 6, 7
STAGE_COLUMNS = (*BRAIN_STAGES, "write", "record", "read")
ORDER = (READ, 0, 1, 2, 3, 4, WRITE, RECORD)
DUE, START, TICK = 8, 9, 10
N_COLUMNS = 11

KEPT_TICKS = 2000
WORST_CONTEXT_TICKS = 32


class StageRing:
    """End-of-stage stamps of the last two seconds, one row a tick, written in place.

    A stage that did not run in a tick leaves the stamp of an older tick in its cell. That lies before the
    tick's start, so a reader knows it without a cell ever being cleared.

    Args:
        n_ticks: rows kept.
        now: the clock, stamps in ns.

    Attributes:
        cells: the rows, a flat memoryview of int64.
        row: where the current tick's row starts in `cells`.
        worst_ns: the longest time from due to written seen so far [ns], set by `keep_worst`.
    """

    __slots__ = ("_now", "_worst", "_worst_rows", "cells", "row", "worst_ns")

    def __init__(self, n_ticks: int = KEPT_TICKS, now: Callable[[], int] = time.monotonic_ns) -> None:
        self._now = now
        self.cells = memoryview(bytearray(8 * n_ticks * N_COLUMNS)).cast("q")
        self.row = len(self.cells) - N_COLUMNS
        self.worst_ns = -1
        self._worst_rows = min(WORST_CONTEXT_TICKS, n_ticks)
        self._worst = memoryview(bytearray(8 * self._worst_rows * N_COLUMNS)).cast("q")

    def begin(self, tick: int, due_ns: int, start_ns: int) -> None:
        """Opens the row of the next tick over the oldest one. Hot path."""
        cells = self.cells
        row = self.row + N_COLUMNS
        if row == len(cells):
            row = 0
        cells[row + DUE] = due_ns
        cells[row + START] = start_ns
        cells[row + TICK] = tick
        self.row = row

    def mark(self, stage: int) -> None:
        """Stamps the end of a stage, by its column. Hot path."""
        self.cells[self.row + stage] = self._now()

    def keep_worst(self, response_ns: int) -> None:
        """Copies the current row and those before it aside, so that the worst tick survives the ring.

        Args:
            response_ns: time from due to written of the current tick, the largest so far [ns].
        """
        self.worst_ns = response_ns
        end = self.row + N_COLUMNS
        wanted = self._worst_rows * N_COLUMNS
        from_end = max(0, wanted - end)
        if from_end:
            self._worst[:from_end] = self.cells[len(self.cells) - from_end :]
        self._worst[from_end:] = self.cells[end - (wanted - from_end) : end]

    def rows(self) -> NDArray[np.int64]:
        """(n, 11) rows of the ticks still in the ring, oldest first."""
        return _in_order(self.cells)

    def worst_rows(self) -> NDArray[np.int64]:
        """(n, 11) rows of the worst tick (the last) and of those right before it."""
        return _in_order(self._worst)


def _in_order(cells: memoryview) -> NDArray[np.int64]:
    rows = np.frombuffer(cells, dtype=np.int64).reshape(-1, N_COLUMNS)
    used = rows[rows[:, START] > 0]
    return used[np.argsort(used[:, TICK], kind="stable")]


def chrome_trace(rows: NDArray[np.int64]) -> dict[str, Any]:
    """A timeline of stages that chrome://tracing and ui.perfetto.dev open, once written as JSON.

    Args:
        rows: (n, 11) rows of a `StageRing`, oldest first.

    Returns:
        The trace: one slice from due to woken, one for the tick, and one for each stage inside; times in us
        from the first tick's grid point.
    """
    events: list[dict[str, Any]] = [
        {"name": "process_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": "kilohertz"}},
        {"name": "thread_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": "tick"}},
    ]
    origin_ns = int(rows[0, DUE]) if len(rows) else 0

    def add(name: str, from_ns: int, to_ns: int, tick: int) -> None:
        events.append(
            {
                "name": name,
                "ph": "X",
                "pid": 1,
                "tid": 1,
                "ts": (from_ns - origin_ns) / 1000.0,
                "dur": (to_ns - from_ns) / 1000.0,
                "args": {"tick": tick},
            }
        )

    for row in rows.tolist():
        start_ns, tick = row[START], row[TICK]
        if row[DUE] < start_ns:
            add("wake", row[DUE], start_ns, tick)
        stages = [(column, row[column]) for column in ORDER if row[column] >= start_ns]
        if row[WRITE] >= start_ns:
            add("tick", start_ns, row[WRITE], tick)
        for column, end_ns in stages:
            add(STAGE_COLUMNS[column], start_ns, end_ns, tick)
            start_ns = end_ns
    return {"traceEvents": events, "displayTimeUnit": "ns"}
