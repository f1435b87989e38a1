"""The log of a run as a file: MCAP, which Foxglove, Lichtblick and PlotJuggler open.

It begins with all that a replay needs, holds each tick as a message, in chunks, and ends with what came of
the run. A chunk is whole or not there: whatever happens to the recorder, all before it can be read.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from mcap.exceptions import EndOfFile
from mcap.records import Channel, Message, Metadata, Schema
from mcap.stream_reader import StreamReader
from mcap.writer import Writer
from numpy.lib.recfunctions import repack_fields
from numpy.typing import NDArray

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.schema import type_of_schema

TICKS, EVENTS = "/tick", "/events"
CHUNK_ROWS = 250
"""A quarter of a second: what is lost at most when the recorder is killed."""
SCHEMA_NAME = "kilohertz/Tick"
_EVENT_SCHEMA = {
    "type": "object",
    "properties": {"t_s": {"type": "number"}, "kind": {"type": "string"}, "text": {"type": "string"}},
}
# Of a CDR message: plain, little-endian.
_ENCAPSULATION = b"\x00\x01\x00\x00"
_HEADER, _END = "kilohertz", "end"
_SEQUENCE = 0xFFFFFFFF
_NO_LIMIT = 1 << 62
BLOCK_ROWS = 1000


class _WholeChunks:
    """The file as `mcap.writer.Writer` sees it: collects what it writes, until it is committed or dropped."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._written = 0
        self._pending = bytearray()

    def write(self, data: bytes) -> int:
        self._pending += data
        return len(data)

    def tell(self) -> int:
        return self._written + len(self._pending)

    def flush(self) -> None:
        """Only `commit` writes."""

    def commit(self) -> None:
        """Writes what is pending, or nothing of it.

        Raises:
            OSError: it could not be written.
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
    """Writes a log; for the recorder.

    Args:
        path: a file that is not there yet.
        header: of the run.
        schema: of its rows, see `kilohertz.rt.log.schema.schema_text`.

    Attributes:
        written: rows that are safe in the file.
        errno: why nothing is written any more; 0 as long as it is.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, header: LogHeader, schema: str) -> None:
        self.written = 0
        self.errno = 0
        self._header = header
        self._added = 0
        self._file = _WholeChunks(path)
        # As untyped as the library leaves it: all it asks for are `write`, `tell` and `flush`.
        stream: Any = self._file
        self._writer = Writer(stream, chunk_size=_NO_LIMIT)
        self._writer.start(profile="", library=f"kilohertz {header.version}")
        self._writer.add_metadata(_HEADER, header.as_text())
        tick = self._writer.register_schema(SCHEMA_NAME, "ros2msg", schema.encode())
        event = self._writer.register_schema("event", "jsonschema", json.dumps(_EVENT_SCHEMA).encode())
        self._ticks = self._writer.register_channel(TICKS, "cdr", tick)
        self._events = self._writer.register_channel(EVENTS, "json", event)
        self._file.commit()

    def add(self, numbers: NDArray[np.int64], ticks: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        """Adds rows.

        Args:
            numbers: (n,) of the rows, in the order in which they were pushed.
            ticks: (n,) when they were, in periods.
            rows: (n, cells).
        """
        if self.errno:
            return
        header = self._header
        stamps = (header.started_ns + np.maximum(ticks, 0) * header.period_ns).tolist()
        for number, stamp, row in zip(numbers.tolist(), stamps, rows, strict=True):
            self._writer.add_message(
                self._ticks, stamp, _ENCAPSULATION + row.tobytes(), stamp, number & _SEQUENCE
            )
            self._added += 1
            if self._added % CHUNK_ROWS == 0:
                self.flush()

    def add_event(self, t_s: float, kind: str, text: str) -> None:
        """Adds an event of the run."""
        stamp = self._header.started_ns + round(t_s * 1e9)
        content = json.dumps({"t_s": t_s, "kind": kind, "text": text}).encode()
        self._writer.add_message(self._events, stamp, content, stamp)

    def flush(self) -> None:
        """Ends the chunk that was begun, and writes it."""
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
        """Ends the file with what came of the run; None if nobody said."""
        self.flush()
        if not self.errno:
            if summary is not None:
                self._writer.add_metadata(_END, {"summary": json.dumps(summary)})
            self._writer.finish()
            self._commit()
        self._file.close()


class _WholeReads:
    """A file that never gives less than was asked for."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) < length:
            raise EndOfFile
        return data


class LogReader:
    """Reads a log from beginning to end, to its last whole chunk if it was cut off; a context manager.

    Args:
        path: of the log.

    Attributes:
        header: of the run.
        row: type of the rows.
        events: dicts of t_s [s], kind, text; those that were come to.
        summary: of the run, as `--json` writes it; None until it was come to, or if the controller ended
            without a word.
        damage: why reading ended before the log did; "" if it did not.
        lost: rows that are missing between those that were read.

    Raises:
        ConfigError: it cannot be read, or is no log of ours.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: list[dict[str, Any]] = []
        self.summary: dict[str, Any] | None = None
        self.damage = ""
        self.lost = 0
        self._topics: dict[int, str] = {}
        self._content: list[bytes] = []
        self._next = 0
        header: LogHeader | None = None
        schema = ""
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
        self._records = self._read()
        try:
            for record in self._records:
                if isinstance(record, Metadata) and record.name == _HEADER:
                    header = LogHeader.of_text(record.metadata)
                elif isinstance(record, Schema) and record.name == SCHEMA_NAME:
                    schema = record.data.decode()
                elif self._take(record):
                    break
            if header is None:
                raise ValueError(self.damage or "it has no header")
            if not schema:
                raise ValueError(self.damage or "it holds no tick")
            self.header, self.row = header, type_of_schema(schema)
        except (ValueError, TypeError) as error:
            self.close()
            raise ConfigError(f"{path} is no log of a run: {error}") from None

    def __enter__(self) -> LogReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def blocks(self) -> Iterator[NDArray[Any]]:
        """The rows, some at a time; once only."""
        for record in self._records:
            if self._take(record) and len(self._content) == BLOCK_ROWS:
                yield self._block()
        if self._content:
            yield self._block()

    def _block(self) -> NDArray[Any]:
        rows = np.frombuffer(b"".join(self._content), self.row)
        self._content.clear()
        return rows

    def _take(self, record: Any) -> bool:
        """Takes a record; whether it is a row."""
        if isinstance(record, Channel):
            self._topics[record.id] = record.topic
        elif isinstance(record, Metadata) and record.name == _END:
            self.summary = json.loads(record.metadata["summary"])
        elif isinstance(record, Message):
            topic = self._topics.get(record.channel_id)
            if topic == EVENTS:
                self.events.append(json.loads(record.data))
            elif topic == TICKS:
                self._content.append(record.data[len(_ENCAPSULATION) :])
                self.lost += (record.sequence - self._next) & _SEQUENCE
                self._next = record.sequence + 1
                return True
        return False

    def _read(self) -> Iterator[Any]:
        stream: Any = _WholeReads(self._file)
        try:
            yield from StreamReader(stream, validate_crcs=True, record_size_limit=1 << 30).records
        except EndOfFile:
            self.damage = "it ends in the middle: recorder or computer stopped, or the disk was full"
        except Exception as error:
            # What the library makes of bytes that are not as they should be is not to be foreseen.
            self.damage = f"it is damaged before byte {self._file.tell()}: {error}"


def read_rows(reader: LogReader, groups: Sequence[str] | None = None) -> NDArray[Any]:
    """All rows of a log that are not read yet, or some of their groups.

    Args:
        reader: of the log.
        groups: names of fields at the top of the row; None for all.
    """
    wanted = reader.row if groups is None else repack_fields(reader.row[list(groups)])
    blocks = [np.empty(0, wanted)]
    for block in reader.blocks():
        blocks.append(block if groups is None else repack_fields(block[list(groups)]))
    return np.concatenate(blocks)
