"""What is what in a row of a log: the definition of a ROS 2 message, as log viewers know it without plug-ins.

A row has numbers of 8 bytes only, so it has no padding in that format: it is the message. Names have small
letters only there; where ours have others too, as in p_WC, they stand behind as a comment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

_RULE = "=" * 80
_TYPES = {"int64": "<i8", "float64": "<f8"}


def schema_text(row: np.dtype[Any]) -> str:
    """The row as the definition of a ROS 2 message."""
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
    """The row that a definition of `schema_text` describes.

    Raises:
        ValueError: it is not one of those.
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
            raise ValueError(f"'{line}' is no field of a tick")
        kind, length, name, ours = match.groups()
        name = ours or name
        if kind not in _TYPES and kind not in known:
            raise ValueError(f"'{kind}' is no type of a tick")
        entry = known.get(kind, _TYPES.get(kind))
        fields.append((name, entry, (int(length),)) if length else (name, entry))
    return np.dtype(fields)
