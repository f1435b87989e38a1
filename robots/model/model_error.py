"""The error of a model file that cannot be used, and the place in the file that it names."""

from __future__ import annotations

import re

_MOST_MENTIONS = 200
_LONGEST_TAG = 1000


class ModelFileError(ValueError):
    """The model file cannot be used. The text is one sentence."""


def at_line(source: str, tag: str, name: str) -> str:
    """Returns " (line N)" for an element of an XML file; empty if it is not found.

    Args:
        source: text of the file.
        tag: tag of the element.
        name: value of its attribute `name`.
    """
    at = -1
    for _ in range(_MOST_MENTIONS):
        at = source.find(name, at + 1)
        if at < 0:
            return ""
        start = source.rfind("<", max(0, at - _LONGEST_TAG), at)
        before = source[start:at]
        quoted = source[at + len(name) : at + len(name) + 1] in ("'", '"')
        if start >= 0 and quoted and re.fullmatch(rf"<{tag}\b[^<>]*\bname\s*=\s*[\"']", before):
            return f" (line {source.count(chr(10), 0, start) + 1})"
    return ""
