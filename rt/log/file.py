"""Reads logs, which `kilohertz.rt.log.writer` writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mcap.exceptions import EndOfFile
from mcap.records import Channel, Message, Metadata, Schema
from numpy.lib.recfunctions import repack_fields
from numpy.typing import NDArray

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.user_file import open_user_file
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.records import records_of
from kilohertz.rt.log.row_check import problem_of_rows
from kilohertz.rt.log.schema import type_of_schema
from kilohertz.rt.log.writer import ENCAPSULATION, END, EVENTS, HEADER, SCHEMA_NAME, SEQUENCE, TICKS

BLOCK_ROWS = 1000
MOST_EVENTS = 100_000
MOST_ROW_BYTES = 1_000_000


class LogReader:
    """Reads a log once from beginning to end; use it as a context manager.

    A log that was cut off is read up to its last complete chunk.

    Args:
        path: path of the log.

    Attributes:
        header: header of the log.
        row: NumPy type of the rows.
        events: events read so far, as dicts of t_s [s], kind and text.
        summary: summary of the run, as `--json` writes it; None before the end of the log is read, or if the
            controller ended without a summary.
        damage: why reading stopped before the end of the log; "" if it did not.
        lost: number of rows that are missing between those read so far.

    Raises:
        ConfigError: the file cannot be read, or is not a Kilohertz log.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: list[dict[str, Any]] = []
        self.summary: dict[str, Any] | None = None
        self.damage = ""
        self.lost = 0
        self._topics: dict[int, str] = {}
        self._content: list[bytes] = []
        self._size = 0
        self._next = 0
        self._header: LogHeader | None = None
        self._schema = ""
        self._file = open_user_file(path)
        self._records = self._read()
        # Up to the first row.
        any(self._records)
        try:
            if self._header is None:
                raise ValueError(self.damage or "it has no header")
            if not self._schema:
                raise ValueError(self.damage or "it contains no tick")
            self.header: LogHeader = self._header
            self.row: np.dtype[Any] = type_of_schema(self._schema)
            if self._size not in (0, self.row.itemsize):
                raise ValueError(f"its rows have {self._size} bytes, not {self.row.itemsize}")
            if self.row.itemsize > MOST_ROW_BYTES:
                raise ValueError(f"its rows have more than {MOST_ROW_BYTES} bytes")
            problem = problem_of_rows(self.row, self.header)
            if problem:
                raise ValueError(f"its {problem}")
        except (ValueError, TypeError, OverflowError) as error:
            self.close()
            raise ConfigError(f"{path} is not a Kilohertz log: {error}") from None

    def __enter__(self) -> LogReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def require(self, *fields: str) -> None:
        """Refuses a log whose rows lack top-level fields, or a part of them.

        Raises:
            ConfigError: a field is missing.
        """
        problem = problem_of_rows(self.row, self.header, fields)
        if problem:
            raise ConfigError(f"{self.path} cannot be used: its {problem}")

    def require_run(self) -> None:
        """Refuses a log that was imported: it holds sensors, and no ticks of our controller.

        Raises:
            ConfigError: the log was imported.
        """
        if "command" not in (self.row.names or ()):
            raise ConfigError(
                f"{self.path} was imported and holds no run of our controller: use `khz log estimate`, "
                "`khz log identify` or `khz log export`"
            )

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yields all rows in blocks of up to `BLOCK_ROWS`, (n,) of type `row`; can be iterated only once."""
        for is_row in self._records:
            if is_row and len(self._content) == BLOCK_ROWS:
                yield self._block()
        if self._content:
            yield self._block()

    def _block(self) -> NDArray[Any]:
        rows = np.frombuffer(b"".join(self._content), self.row)
        self._content.clear()
        return rows

    def _take(self, record: Any) -> bool:
        """Stores the content of a record; returns whether it is a row."""
        if isinstance(record, Channel):
            self._topics[record.id] = record.topic
        elif isinstance(record, Metadata) and record.name == HEADER:
            self._header = LogHeader.of_text(record.metadata)
        elif isinstance(record, Schema) and record.name == SCHEMA_NAME:
            self._schema = record.data.decode()
        elif isinstance(record, Metadata) and record.name == END:
            try:
                self.summary = json.loads(record.metadata["summary"])
            except (KeyError, ValueError):
                # The format protects rows by checksums, its metadata not.
                self.damage = "the summary at the end of the log is damaged"
        elif isinstance(record, Message):
            topic = self._topics.get(record.channel_id)
            if topic == EVENTS:
                self._take_event(record.data)
            elif topic == TICKS:
                content = record.data[len(ENCAPSULATION) :]
                if self._size and len(content) != self._size:
                    raise ValueError(f"a row has {len(content)} bytes, not {self._size}")
                self._size = len(content)
                self._content.append(content)
                self.lost += (record.sequence - self._next) & SEQUENCE
                self._next = record.sequence + 1
                return True
        return False

    def _take_event(self, content: bytes) -> None:
        event = json.loads(content)
        if not (
            isinstance(event, dict)
            and isinstance(event.get("t_s"), int | float)
            and isinstance(event.get("kind"), str)
            and isinstance(event.get("text"), str)
        ):
            raise ValueError("an event of the log is not one of ours")
        if len(self.events) == MOST_EVENTS:
            raise ValueError(f"it contains more than {MOST_EVENTS} events")
        self.events.append(event)

    def _read(self) -> Iterator[bool]:
        """Stores one record after another, as far as they can be read; yields whether it was a row."""
        try:
            for record in records_of(self._file):
                yield self._take(record)
        except EndOfFile:
            self.damage = "the log is cut off: the recorder or computer stopped, or the disk was full"
        except Exception as error:
            # On damaged bytes the library may raise any exception.
            self.damage = f"the log is damaged before byte {self._file.tell()}: {error}"


def read_rows(reader: LogReader, groups: Sequence[str] | None = None) -> NDArray[Any]:
    """Reads all remaining rows of a log.

    Args:
        reader: open log.
        groups: names of the top-level fields to keep; None for all.

    Returns:
        (n,) rows, with the kept fields.
    """
    wanted = reader.row if groups is None else repack_fields(reader.row[list(groups)])
    blocks = [np.empty(0, wanted)]
    for block in reader.blocks():
        blocks.append(block if groups is None else repack_fields(block[list(groups)]))
    return np.concatenate(blocks)
