"""The runs of a study that are done, one JSON line each: an interrupted study goes on where it stopped."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from kilohertz.robots.config.config_error import ConfigError

NAME = "journal.jsonl"
FORMAT = 1


class Journal:
    """The file of the done runs of one study; a context manager.

    Each line is written whole before the next run counts as done. A last line that was cut off, as by
    `kill -9`, is removed when the file is opened again.

    Args:
        folder: folder of the study's results.
        identity: hash of what the runs follow from; see `Study.identity`.

    Attributes:
        done: position of the line of each run that is done.

    Raises:
        ConfigError: the folder holds the runs of another study, a line is damaged, or another process writes
            to it.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.path = folder / NAME
        self.done: dict[int, int] = {}
        self._file = self.path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise ConfigError(f"{folder}: another `khz` writes to this folder now") from None
        try:
            self._open(identity)
        except BaseException:
            self._file.close()
            raise

    def _open(self, identity: str) -> None:
        own = {"format": FORMAT, "identity": identity}
        self._file.seek(0)
        lines, position, header = self._file.readlines(), 0, None
        whole = lines[:-1] if lines and not lines[-1].endswith(b"\n") else lines
        for number, line in enumerate(whole, 1):
            entry = _entry(line)
            if header is None:
                header = entry
                if header != own:
                    raise ConfigError(
                        f"{self.path.parent} holds the runs of another study, or of another robot, gains or "
                        f"version: give another folder with -o, or remove {NAME}"
                    )
            elif entry is None or not isinstance(entry.get("index"), int):
                raise ConfigError(f"{self.path}:{number} is damaged: give another folder with -o")
            else:
                self.done[entry["index"]] = position
            position += len(line)
        self._file.truncate(position)
        if header is None:
            self._append(own)

    def add(self, entry: dict[str, Any]) -> None:
        """Writes a run that is done."""
        self.done[entry["index"]] = self._append(entry)

    def _append(self, entry: Any) -> int:
        position = self._file.seek(0, os.SEEK_END)
        self._file.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        return position

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yields the done runs in the order of their numbers."""
        for index in sorted(self.done):
            yield self.entry(index)

    def entry(self, index: int) -> dict[str, Any]:
        """Returns one done run."""
        self._file.seek(self.done[index])
        entry: dict[str, Any] = json.loads(self._file.readline())
        return entry

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _entry(line: bytes) -> dict[str, Any] | None:
    """Returns the content of a line; None if it is no JSON object."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
