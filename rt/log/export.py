"""Exports a log to CSV or to NumPy arrays (npz)."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.controller.gains.live import live_paths
from kilohertz.robots.config.config_error import ConfigError, did_you_mean
from kilohertz.robots.config.user_file import create_user_file
from kilohertz.rt.log.file import LogReader, read_rows
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.schema import WARM_UP

_XYZ = ("x", "y", "z")
_JOINT_FIELDS = ("q", "v", "tau", "q_des", "v_des", "kp", "kd", "tau_ff")
_CONTACT_FIELDS = ("contact", "contact_force_N")
_WRENCH = ("fx", "fy", "fz", "mx", "my", "mz")


def check_groups(row: np.dtype[Any], groups: Sequence[str]) -> list[str]:
    """Returns the requested top-level fields of a row type, in its order; all fields if none is requested.

    Raises:
        ConfigError: a requested field does not exist.
    """
    names = list(row.names or ())
    for group in groups:
        if group not in names:
            raise ConfigError(
                f"a log has no '{group}'{did_you_mean(group, names)}; it has {', '.join(names)}"
            )
    return [name for name in names if name in groups] or names


def leaves(row: np.dtype[Any]) -> Iterator[tuple[str, ...]]:
    """Yields the path of every numeric field of a row: (name,) or (group, name)."""
    for name in row.names or ():
        if row[name].names:
            yield from ((name, below) for below in row[name].names or ())
        else:
            yield (name,)


def column_names(header: LogHeader, path: tuple[str, ...], length: int) -> list[str]:
    """Returns a column name for each number of a field, such as `sensors.q.left_knee_joint`."""
    field = path[-1]
    parts: Sequence[str]
    if field in _JOINT_FIELDS:
        base = length - len(header.joint_names)
        parts = [*(f"base{i}" for i in range(base)), *header.joint_names]
    elif field in _CONTACT_FIELDS:
        parts = header.contact_names
    elif field == "w_F":
        parts = [f"{contact}.{part}" for contact in header.contact_names for part in _WRENCH]
    elif field == "wrist":
        parts = [f"{hand}.{part}" for hand in header.hand_names for part in _WRENCH]
    elif field == "hand_active":
        parts = header.hand_names
    elif field == "p_WH_des":
        parts = [f"{hand}.{part}" for hand in header.hand_names for part in _XYZ]
    elif field == "numbers":
        parts = [".".join(key) for key in live_paths()]
    else:
        parts = _XYZ[:length] if length > 1 else ("",)
    if len(parts) != length:
        parts = [str(i) for i in range(length)]
    return [".".join((*path, part)) if part else ".".join(path) for part in parts]


def write_csv(reader: LogReader, file: Path, groups: Sequence[str]) -> int:
    """Writes one CSV line for each recorded tick, every number with full precision.

    Args:
        reader: open log, at its beginning.
        file: file to write.
        groups: top-level fields to write.

    Returns:
        Number of ticks written.
    """
    fields = [path for path in leaves(reader.row) if path[0] in groups]
    lengths = [_at(np.empty(1, reader.row), path).shape[1] for path in fields]
    names = [
        column
        for path, n in zip(fields, lengths, strict=True)
        for column in column_names(reader.header, path, n)
    ]
    written = 0
    with create_user_file(file) as raw, io.TextIOWrapper(raw, encoding="utf-8") as out:
        out.write(",".join(names) + "\n")
        for rows in reader.blocks():
            block = rows[rows["tick"] != WARM_UP]
            columns = [column for path in fields for column in _at(block, path).T.tolist()]
            out.writelines(",".join(map(repr, line)) + "\n" for line in zip(*columns, strict=True))
            written += len(block)
    return written


def write_npz(reader: LogReader, file: Path, groups: Sequence[str]) -> int:
    """Writes one array for each field, (ticks, length) or (ticks,), and the log's header as JSON.

    Args:
        reader: open log, at its beginning.
        file: file to write.
        groups: top-level fields to write.

    Returns:
        Number of ticks written.
    """
    rows = read_rows(reader, list(dict.fromkeys(("tick", *groups))))
    rows = rows[rows["tick"] != WARM_UP]
    arrays: dict[str, Any] = {}
    for path in leaves(rows.dtype):
        if path[0] not in groups:
            continue
        values = _at(rows, path)
        arrays[".".join(path)] = values[:, 0] if values.shape[1] == 1 else values
    with create_user_file(file) as out:
        np.savez(out, header=np.array(json.dumps(reader.header.as_text())), **arrays)
    return len(rows)


def _at(rows: NDArray[Any], path: tuple[str, ...]) -> NDArray[Any]:
    """Returns the numbers of a field, (n, length)."""
    values: Any = rows
    for name in path:
        values = values[name]
    found: NDArray[Any] = values.reshape(len(rows), -1)
    return found
