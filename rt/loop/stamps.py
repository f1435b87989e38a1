"""Time stamps of the stages of the last ticks in one block of memory, and their export to a trace viewer."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The stages of `controller.brain` come first and in the same order, so that the stage index is the column.
BRAIN_STAGES = ("estimate", "kinematics", "assemble", "solve", "guard")
WRITE, RECORD, READ = 5, 6, 7
STAGE_COLUMNS = (*BRAIN_STAGES, "write", "record", "read")
ORDER = (READ, 0, 1, 2, 3, 4, WRITE, RECORD)
DUE, START, TICK = 8, 9, 10
N_COLUMNS = 11

KEPT_TICKS = 2000
WORST_CONTEXT_TICKS = 32


class StageRing:
    """Ring buffer of the end-of-stage time stamps of the last two seconds, one row per tick.

    If a stage does not run in a tick, its cell keeps the time stamp of an older tick. This stamp is before
    the start of the tick, so that a reader can recognise it and no cell has to be cleared.

    Args:
        n_ticks: number of rows.
        now: function that returns the current time stamp [ns].

    Attributes:
        cells: the rows, a flat memoryview of int64.
        mark: function that writes the time stamp of the end of a stage, given by its column. Hot path. It is
            compiled if `now` is `time.monotonic_ns`.
        worst_ns: longest time so far from the due time of a tick until its command was written [ns]; set by
            `keep_worst`.
    """

    __slots__ = ("_now", "_row", "_worst", "_worst_rows", "cells", "mark", "worst_ns")

    def __init__(self, n_ticks: int = KEPT_TICKS, now: Callable[[], int] = time.monotonic_ns) -> None:
        self._now = now
        self.cells = memoryview(bytearray(8 * n_ticks * N_COLUMNS)).cast("q")
        self._row = memoryview(bytearray(8)).cast("q")
        self.mark: Callable[[int], None] = self._mark
        if now is time.monotonic_ns and sys.platform == "linux":
            self.mark = self._compiled()
        self._worst_rows = min(WORST_CONTEXT_TICKS, n_ticks)
        self._worst = memoryview(bytearray(8 * self._worst_rows * N_COLUMNS)).cast("q")
        self.clear()

    def _compiled(self) -> Callable[[int], None]:
        # Loaded where a loop runs: the recorder and readers of logs start without a compiler.
        from kilohertz.rt.loop.stage_mark import bind_mark

        return bind_mark(self.cells, self._row)

    def clear(self) -> None:
        """Empties the ring for the next run."""
        for cells in (self.cells, self._worst):
            np.frombuffer(cells, dtype=np.int64)[:] = 0
        self._row[0] = len(self.cells) - N_COLUMNS
        self.worst_ns = -1

    @property
    def row(self) -> int:
        """Start index of the row of the current tick in `cells`."""
        return self._row[0]

    def begin(self, tick: int, due_ns: int, start_ns: int) -> None:
        """Starts the row of the next tick, in place of the oldest row. Hot path.

        Args:
            tick: number of the tick.
            due_ns: time stamp at which the tick was due [ns].
            start_ns: time stamp of its start [ns].
        """
        cells = self.cells
        row = self._row[0] + N_COLUMNS
        if row == len(cells):
            row = 0
        cells[row + DUE] = due_ns
        cells[row + START] = start_ns
        cells[row + TICK] = tick
        self._row[0] = row

    def _mark(self, stage: int) -> None:
        self.cells[self._row[0] + stage] = self._now()

    def keep_worst(self, response_ns: int) -> None:
        """Copies the current row and the rows before it, so that the worst tick is not overwritten.

        Args:
            response_ns: time from the due time of the current tick until its command was written, the largest
                so far [ns].
        """
        self.worst_ns = response_ns
        end = self.row + N_COLUMNS
        wanted = self._worst_rows * N_COLUMNS
        from_end = max(0, wanted - end)
        if from_end:
            self._worst[:from_end] = self.cells[len(self.cells) - from_end :]
        self._worst[from_end:] = self.cells[end - (wanted - from_end) : end]

    def rows(self) -> NDArray[np.int64]:
        """Returns the (n, 11) rows of the ticks that are still in the ring, oldest first."""
        return _in_order(self.cells)

    def worst_rows(self) -> NDArray[np.int64]:
        """Returns the (n, 11) rows of the worst tick (the last row) and of the ticks right before it."""
        return _in_order(self._worst)


def _in_order(cells: memoryview) -> NDArray[np.int64]:
    rows = np.frombuffer(cells, dtype=np.int64).reshape(-1, N_COLUMNS)
    used = rows[rows[:, START] > 0]
    return used[np.argsort(used[:, TICK], kind="stable")]


def chrome_trace(rows: NDArray[np.int64]) -> dict[str, Any]:
    """Builds a timeline of the stages which, written as JSON, chrome://tracing and ui.perfetto.dev can open.

    Args:
        rows: (n, 11) rows of a `StageRing`, oldest first.

    Returns:
        The trace: one slice for the delay of the wake-up, one for the tick, and one for each of its stages;
        times are relative to the due time of the first tick [us].
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
