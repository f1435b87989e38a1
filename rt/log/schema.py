"""Describes the fields of a log row as a ROS 2 message definition, which log viewers read without plug-ins.

A row contains only numbers of 8 bytes, so its bytes are the ROS 2 message: that format adds no padding.
ROS 2 allows only lower-case field names; our name, such as p_WC, follows as a comment where it differs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

WARM_UP = -1
"""Tick number of a row that is no tick: the sensor sample with which the brain was warmed up and reset."""
_RULE = "=" * 80
_TYPES = {"int64": "<i8", "float64": "<f8"}


def schema_text(row: np.dtype[Any]) -> str:
    """Returns the ROS 2 message definition of a row type."""
    parts: list[str] = []
    top = _definition(row, parts)
    return "\n".join([top, *parts])


def _definition(row: np.dtype[Any], parts: list[str]) -> str:
    lines = []
    for name in row.names or ():
        field = row[name]
        if field.names:
            part = f"kilohertz/{name.title().replace('_', '')}"
            parts.append(f"{_RULE}\nMSG: {part}\n{_definition(field, parts)}")
            lines.append(f"{part} {name}")
        else:
            length = f"[{field.shape[0]}]" if field.shape else ""
            ours = f" # {name}" if name != name.lower() else ""
            kind = "int64" if field.base.kind == "i" else "float64"
            lines.append(f"{kind}{length} {name.lower()}{ours}")
    return "\n".join(lines)


def type_of_schema(text: str) -> np.dtype[Any]:
    """Returns the row type that a definition written by `schema_text` describes.

    Raises:
        ValueError: the text is not such a definition.
    """
    top, *parts = text.split(_RULE)
    known: dict[str, np.dtype[Any]] = {}
    for part in parts:
        head, _, body = part.strip().partition("\n")
        known[head.removeprefix("MSG: ")] = _fields(body, {})
    return _fields(top, known)


def _fields(text: str, known: Mapping[str, np.dtype[Any]]) -> np.dtype[Any]:
    fields: list[tuple[Any, ...]] = []
    for line in text.split("\n"):
        if not line:
            continue
        match = re.fullmatch(r"([\w/]+)(?:\[(\d+)\])? (\w+)(?: # (\w+))?", line)
        if match is None:
            raise ValueError(f"'{line}' is not a field definition of a log row")
        kind, length, name, ours = match.groups()
        name = ours or name
        if kind not in _TYPES and kind not in known:
            raise ValueError(f"'{kind}' is not a field type of a log row")
        entry = known.get(kind, _TYPES.get(kind))
        fields.append((name, entry, (int(length),)) if length else (name, entry))
    return np.dtype(fields)
