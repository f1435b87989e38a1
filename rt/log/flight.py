"""Keeps the newest rows of a run in memory, compressed, and of the older ones the worst ticks."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from kilohertz.rt.log.durations import TICK, stage_durations_ns
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.schema import WARM_UP, type_of_schema
from kilohertz.rt.log.writer import LogWriter

Cells = NDArray[np.int64]

BLOCK_ROWS = 250
WORST_KEPT = 10
"""Number of dropped ticks that are kept for each measure: duration, rung of the ladder, iterations."""


class FlightBuffer:
    """Rows of a run in memory of limited size; the oldest ones are dropped first.

    While nothing was dropped, the rows are a log that can be replayed. Later, the worst of the dropped ticks
    are kept besides.

    Args:
        schema: definition of the rows, from `kilohertz.rt.log.schema.schema_text`.
        most_bytes: largest size of the compressed rows [bytes].

    Attributes:
        n_bytes: size of the compressed rows [bytes].
        dropped: number of rows that were dropped.
        events: (time [s], kind, text) of the events of the run.
    """

    def __init__(self, schema: str, most_bytes: int) -> None:
        self._type = type_of_schema(schema)
        self._cells = self._type.itemsize // 8
        self._most = most_bytes
        self._blocks: deque[bytes] = deque()
        self._open = np.zeros((BLOCK_ROWS, self._cells), np.int64)
        self._n_open = 0
        self._pack = zstandard.ZstdCompressor(level=1)
        self._unpack = zstandard.ZstdDecompressor()
        self._worst: dict[str, tuple[NDArray[np.float64], Cells]] = {}
        self.n_bytes = 0
        self.dropped = 0
        self.events: list[tuple[float, str, str]] = []

    def add(self, rows: Cells) -> None:
        """Takes rows, (n, cells)."""
        while len(rows):
            part = rows[: BLOCK_ROWS - self._n_open]
            self._open[self._n_open : self._n_open + len(part)] = part
            self._n_open += len(part)
            rows = rows[len(part) :]
            if self._n_open == BLOCK_ROWS:
                packed = self._pack.compress(self._open.tobytes())
                self._blocks.append(packed)
                self.n_bytes += len(packed)
                self._n_open = 0
        while self.n_bytes > self._most and len(self._blocks) > 1:
            packed = self._blocks.popleft()
            self.n_bytes -= len(packed)
            self.dropped += BLOCK_ROWS
            self._keep_worst(self._rows_of(packed))

    def _rows_of(self, packed: bytes) -> Cells:
        return np.frombuffer(self._unpack.decompress(packed), np.int64).reshape(-1, self._cells)

    def _keep_worst(self, rows: Cells) -> None:
        """Keeps the worst of dropped rows and of those that were kept before."""
        rows = rows[rows[:, 0] != WARM_UP]
        named = rows.view(self._type)[:, 0]
        duration_ns, _ = stage_durations_ns(named["stamps_ns"])[TICK]
        measures = {"time": duration_ns, "ladder": named["rung"], "iterations": named["qp_iterations"]}
        for name, values in measures.items():
            known, kept = self._worst.get(name, (np.empty(0), rows[:0]))
            every, all_rows = np.concatenate((known, values)), np.concatenate((kept, rows))
            # Stable: of equal ticks the earlier ones stay.
            order = np.argsort(-every, kind="stable")[:WORST_KEPT]
            self._worst[name] = (every[order], all_rows[order])

    def worst_dropped(self) -> Cells:
        """Returns the worst of the dropped rows, (n, cells), by time."""
        kept = [rows for values, rows in self._worst.values() if len(rows)]
        if not kept:
            return self._open[:0]
        rows = np.concatenate(kept)
        _, first = np.unique(rows[:, 0], return_index=True)
        return rows[first]

    def write(self, path: Path, header: LogHeader, schema: str, summary: dict[str, Any] | None) -> int:
        """Writes the rows to a new log, the worst of the dropped ones first.

        Args:
            path: a file that does not exist yet.
            header: header of the run.
            schema: definition of the rows.
            summary: summary of the run; None if it has none.

        Returns:
            Error number; 0 if the log is complete.
        """
        if not self._blocks and not self._n_open:
            return 0
        first = self._rows_of(self._blocks[0])[0] if self._blocks else self._open[0]
        if self.dropped or first[0] > 0:
            header = replace(header, first_tick=int(first[0]))
        try:
            writer = LogWriter(path, header, schema)
        except OSError as error:
            return error.errno or errno.EIO
        for t_s, kind, text in self.events:
            writer.add_event(t_s, kind, text)
        number = 0
        for rows in (self.worst_dropped(), *self._unpacked(), self._open[: self._n_open]):
            writer.add(np.arange(number, number + len(rows)), rows[:, 0], rows)
            number += len(rows)
        writer.close(summary)
        return writer.errno

    def _unpacked(self) -> Iterator[Cells]:
        return (self._rows_of(packed) for packed in self._blocks)
