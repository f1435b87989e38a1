"""Lists logs: what each of them is of and how its run ended, without reading its ticks."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from mcap.reader import SeekingReader
from mcap.records import Metadata

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.user_file import open_user_file
from kilohertz.rt.log.folder import being_written, logs_in
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.records import MOST_RECORD_BYTES, records_of
from kilohertz.rt.log.writer import END, HEADER

_FIRST_RECORDS = 8


def entries_of(folder: Path) -> list[dict[str, Any]]:
    """Returns an entry for each log in a folder, the newest first, as plain objects for JSON.

    An entry has `file`, `bytes`, `started`, `robot`, `scenario`, `seed`, `pace`, `duration_s`, `fell`,
    `fell_at_s`, `ended` (state at the end, or why it is not known) and `first_tick`; what is not known is
    None.
    """
    return [_entry(path, status.st_size) for path, status in logs_in(folder)]


def _entry(path: Path, size: int) -> dict[str, Any]:
    known: dict[str, Any] = {"file": str(path), "bytes": size}
    try:
        with open_user_file(path, follow_links=False) as file:
            header, summary = _header_of(file), _summary_of(file)
    except (ConfigError, ValueError, OSError) as error:
        header, summary = None, None
        known["ended"] = f"no log: {error}"
    if header is not None:
        started = datetime.fromtimestamp(header.started_ns * 1e-9)
        known |= {
            "started": started.isoformat(timespec="seconds"),
            "robot": header.robot_name,
            "scenario": header.scenario["name"],
            "seed": header.seed,
            "pace": header.pace,
            "first_tick": header.first_tick,
            "ended": _end_of(path, summary),
        }
    summary = summary or {}
    names = ("started", "robot", "scenario", "seed", "pace", "first_tick", "ended")
    return {
        **{"file": None, "bytes": None, **dict.fromkeys(names)},
        **known,
        **{name: summary.get(name) for name in ("duration_s", "fell", "fell_at_s")},
    }


def _end_of(path: Path, summary: dict[str, Any] | None) -> str:
    if summary is not None:
        return str(summary.get("exit_state", "unknown"))
    return "being written" if being_written(path) else "without a summary: crash, kill or full disk"


def _header_of(file: BinaryIO) -> LogHeader:
    """Reads the header at the beginning of a log.

    Raises:
        ValueError: there is none.
    """
    try:
        for _, record in zip(range(_FIRST_RECORDS), records_of(file), strict=False):
            if isinstance(record, Metadata) and record.name == HEADER:
                return LogHeader.of_text(record.metadata)
    except ValueError:
        raise
    except Exception as error:
        # On damaged bytes the library may raise any exception.
        raise ValueError(f"damaged ({type(error).__name__})") from None
    raise ValueError("it has no header of Kilohertz")


def _summary_of(file: BinaryIO) -> dict[str, Any] | None:
    """Reads the summary at the end of a log by the index of the file; None if it has none."""
    file.seek(0, io.SEEK_SET)
    try:
        for record in SeekingReader(file, record_size_limit=MOST_RECORD_BYTES).iter_metadata():
            if record.name == END:
                summary = json.loads(record.metadata["summary"])
                return summary if isinstance(summary, dict) else None
    except Exception:
        # The log was cut off or is damaged: the library may raise any exception.
        return None
    return None
