"""Writes logs as MCAP files, which Foxglove, Lichtblick and PlotJuggler open.

A log begins with a header for replays, stores each tick as a message, in chunks, and ends with the summary of
the run. A chunk is written completely or not at all: if the recorder dies, all chunks before can be read.

The recorder imports this module, and so starts in a fraction of the time that the controller's modules take.
"""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from mcap.writer import Writer
from numpy.typing import NDArray

from kilohertz.rt.log.folder import lock
from kilohertz.rt.log.header import LogHeader

TICKS, EVENTS = "/tick", "/events"
CHUNK_ROWS = 250
"""Ticks per chunk, 0.25 s at 1 kHz: the most that is lost when the recorder is killed."""
SCHEMA_NAME = "kilohertz/Tick"
HEADER, END = "kilohertz", "end"
"""Names of the metadata at the beginning and at the end of a log."""
# Header of a CDR message: plain encoding, little-endian.
ENCAPSULATION = b"\x00\x01\x00\x00"
SEQUENCE = 0xFFFFFFFF
_EVENT_SCHEMA = {
    "type": "object",
    "properties": {"t_s": {"type": "number"}, "kind": {"type": "string"}, "text": {"type": "string"}},
}
_NO_LIMIT = 1 << 62


class _WholeChunks:
    """Output stream for `mcap.writer.Writer` that buffers all data until it is committed or discarded."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        # Whoever makes room in the folder leaves a locked log alone. Not every file system has locks.
        with suppress(OSError):
            lock(self._file)
        self._written = 0
        self._pending = bytearray()

    def write(self, data: bytes) -> int:
        self._pending += data
        return len(data)

    def tell(self) -> int:
        return self._written + len(self._pending)

    def flush(self) -> None:
        """Does nothing: only `commit` writes to the file."""

    def commit(self) -> None:
        """Writes all buffered data; on an error it truncates the file, so that no part of the data remains.

        Raises:
            OSError: the data could not be written.
        """
        end = self.tell()
        try:
            while self._pending:
                n = os.write(self._file, self._pending)
                del self._pending[:n]
        except OSError:
            self._pending.clear()
            os.ftruncate(self._file, self._written)
            raise
        self._written = end

    def close(self) -> None:
        os.close(self._file)


class LogWriter:
    """Writes a log file; the recorder process uses it.

    Args:
        path: a file that does not exist yet.
        header: header of the log.
        schema: definition of the rows, from `kilohertz.rt.log.schema.schema_text`.

    Attributes:
        written: number of rows that are stored in the file.
        errno: error number after which nothing is written any more; 0 without an error.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, header: LogHeader, schema: str) -> None:
        self.written = 0
        self.errno = 0
        self._header = header
        self._added = 0
        self._file = _WholeChunks(path)
        # Typed as Any: the library wants a file object, but only calls `write`, `tell` and `flush`.
        stream: Any = self._file
        self._writer = Writer(stream, chunk_size=_NO_LIMIT)
        self._writer.start(profile="", library=f"kilohertz {header.version}")
        self._writer.add_metadata(HEADER, header.as_text())
        tick = self._writer.register_schema(SCHEMA_NAME, "ros2msg", schema.encode())
        event = self._writer.register_schema("event", "jsonschema", json.dumps(_EVENT_SCHEMA).encode())
        self._ticks = self._writer.register_channel(TICKS, "cdr", tick)
        self._events = self._writer.register_channel(EVENTS, "json", event)
        self._file.commit()

    @property
    def size(self) -> int:
        """Size of the log, including what is not yet written [bytes]."""
        return self._file.tell()

    def add(self, numbers: NDArray[np.int64], ticks: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        """Adds rows to the log.

        Args:
            numbers: (n,) sequence numbers of the rows in the ring.
            ticks: (n,) tick numbers of the rows, in periods since the start.
            rows: (n, cells) content of the rows, as 8-byte integers.
        """
        if self.errno:
            return
        header = self._header
        stamps = (header.started_ns + np.maximum(ticks, 0) * header.period_ns).tolist()
        for number, stamp, row in zip(numbers.tolist(), stamps, rows, strict=True):
            self._writer.add_message(
                self._ticks, stamp, ENCAPSULATION + row.tobytes(), stamp, number & SEQUENCE
            )
            self._added += 1
            if self._added % CHUNK_ROWS == 0:
                self.flush()

    def add_event(self, t_s: float, kind: str, text: str) -> None:
        """Adds an event: its time since the start [s], its kind and a sentence."""
        stamp = self._header.started_ns + round(t_s * 1e9)
        content = json.dumps({"t_s": t_s, "kind": kind, "text": text}).encode()
        self._writer.add_message(self._events, stamp, content, stamp)

    def flush(self) -> None:
        """Ends the open chunk and writes it to the file."""
        if not self.errno:
            self._writer.flush()
            self._commit()

    def _commit(self) -> None:
        try:
            self._file.commit()
        except OSError as error:
            self.errno = error.errno or errno.EIO
        else:
            self.written = self._added

    def close(self, summary: dict[str, Any] | None) -> None:
        """Writes the summary of the run and closes the file; None if there is no summary."""
        self.flush()
        if not self.errno:
            if summary is not None:
                self._writer.add_metadata(END, {"summary": json.dumps(summary)})
            self._writer.finish()
            self._commit()
        self._file.close()
