"""Where the recorder puts the rows of a run: into a file, up to a size, or into memory until something fails.

The file of a run that leaves a log by itself has a largest size. What comes after is kept in memory, and its
end is written to a second file when the run ends. With `--no-log`, rows are kept in memory only, and written
if the robot fell, if guard, watchdog or link stopped the run, or if the controller crashed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kilohertz.rt.log.flight import FlightBuffer
from kilohertz.rt.log.folder import Limits, Storage, make_room
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.writer import LogWriter

Cells = NDArray[np.int64]

ROOM_EVERY_BYTES = 32_000_000
"""Growth of a log after which older ones are removed, if need be [bytes]."""
FLIGHT_BYTES = 256_000_000
"""Memory of the flight recorder [bytes]: two minutes of a humanoid."""
TAIL_BYTES = 64_000_000
"""Memory for the end of a run whose file is full [bytes]: half a minute of a humanoid."""
FULL = "log_full"


class Sink(Protocol):
    """Takes the rows of a run."""

    @property
    def written(self) -> int:
        """Number of rows that were taken."""
        ...

    @property
    def errno(self) -> int:
        """Error number after which no row is taken any more; 0 without an error."""
        ...

    def add(self, numbers: Cells, ticks: Cells, rows: Cells) -> None:
        """Takes rows, see `LogWriter.add`."""
        ...

    def add_event(self, t_s: float, kind: str, text: str) -> None:
        """Takes an event."""
        ...

    def flush(self) -> None:
        """Stores all rows that were taken."""
        ...

    def close(self, summary: dict[str, Any] | None) -> None:
        """Ends the log, with the summary of the run; None if it has none."""
        ...


class CappedLog:
    """Log with a largest size, in a folder with a largest size; the end of a longer run gets its own file.

    Args:
        path: a file that does not exist yet.
        header: header of the log.
        schema: definition of the rows.
        limits: limits of the folder.
        report: called with a sentence when the largest size is reached.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(
        self, path: Path, header: LogHeader, schema: str, limits: Limits, report: Callable[[str], None]
    ) -> None:
        self._writer = LogWriter(path, header, schema)
        self._path, self._header, self._schema, self._limits = path, header, schema, limits
        self._report = report
        self._room_at = ROOM_EVERY_BYTES
        self._tail: FlightBuffer | None = None
        self._after = 0

    @property
    def written(self) -> int:
        """Number of rows that were taken."""
        return self._writer.written + self._after

    @property
    def errno(self) -> int:
        """Error number after which no row is taken any more; 0 without an error."""
        return self._writer.errno

    def add(self, numbers: Cells, ticks: Cells, rows: Cells) -> None:
        """Takes rows; removes older logs from the folder while this one grows."""
        if self._tail is not None:
            self._tail.add(rows)
            self._after += len(rows)
            return
        self._writer.add(numbers, ticks, rows)
        size = self._writer.size
        if size >= self._room_at:
            make_room(self._path.parent, self._limits, ROOM_EVERY_BYTES)
            self._room_at = size + ROOM_EVERY_BYTES
        if size >= self._limits.one_run_bytes and len(ticks):
            self._begin_tail(max(int(ticks[-1]), 0))

    def _begin_tail(self, tick: int) -> None:
        self._writer.flush()
        self._tail = FlightBuffer(self._schema, min(TAIL_BYTES, self._limits.one_run_bytes))
        text = f"the log has reached its largest size; the end of the run goes to {_tail_of(self._path).name}"
        self._writer.add_event(tick * self._header.period_ns * 1e-9, FULL, text)
        self._report(text)

    def add_event(self, t_s: float, kind: str, text: str) -> None:
        """Takes an event."""
        self._writer.add_event(t_s, kind, text)
        if self._tail is not None:
            self._tail.events.append((t_s, kind, text))

    def flush(self) -> None:
        """Stores all rows that were taken."""
        self._writer.flush()

    def close(self, summary: dict[str, Any] | None) -> None:
        """Ends the log, and writes the end of a run that was longer."""
        self._writer.close(summary)
        if self._tail is not None:
            make_room(self._path.parent, self._limits, self._tail.n_bytes, 1)
            self._tail.write(_tail_of(self._path), self._header, self._schema, summary)


def _tail_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}-tail{path.suffix}")


class FlightLog:
    """Keeps the newest rows in memory, and writes them to a log only if the run ended badly.

    Args:
        path: a file that does not exist yet.
        header: header of the log.
        schema: definition of the rows.
        limits: limits of the folder.
        most_bytes: largest size of the rows in memory [bytes].

    Attributes:
        written, errno: see `Sink`.
        trouble: whether the run ended badly, as far as it is known; a controller that ends without a word has
            crashed.
    """

    def __init__(
        self, path: Path, header: LogHeader, schema: str, limits: Limits, most_bytes: int = FLIGHT_BYTES
    ) -> None:
        self.written = self.errno = 0
        self.trouble = True
        self._buffer = FlightBuffer(schema, most_bytes)
        self._path, self._header, self._schema, self._limits = path, header, schema, limits

    def add(self, numbers: Cells, ticks: Cells, rows: Cells) -> None:
        """Takes rows."""
        self._buffer.add(rows)
        self.written += len(rows)

    def add_event(self, t_s: float, kind: str, text: str) -> None:
        """Takes an event."""
        self._buffer.events.append((t_s, kind, text))

    def flush(self) -> None:
        """Does nothing: rows are written at the end, if at all."""

    def close(self, summary: dict[str, Any] | None) -> None:
        """Writes the log if the run ended badly."""
        if self.trouble:
            make_room(self._path.parent, self._limits, self._buffer.n_bytes, 1)
            self.errno = self._buffer.write(self._path, self._header, self._schema, summary)


def sink_of(
    path: Path, header: LogHeader, schema: str, storage: Storage | None, report: Callable[[str], None]
) -> Sink:
    """Returns where the rows of a run go.

    Args:
        path: a file that does not exist yet.
        header: header of the log.
        schema: definition of the rows.
        storage: how the log is kept in the user's folder of logs; None for a file without a largest size.
        report: called with a sentence when the largest size is reached.

    Raises:
        OSError: the file cannot be written.
    """
    if storage is None:
        return LogWriter(path, header, schema)
    if storage.only_trouble:
        return FlightLog(path, header, schema, storage.limits)
    return CappedLog(path, header, schema, storage.limits, report)
