"""The error of a model file that cannot be used, and the place in the file that it names."""

from __future__ import annotations

import re


class ModelFileError(ValueError):
    """The model file cannot be used. The text is one sentence."""


def at_line(source: str, tag: str, name: str) -> str:
    """Returns " (line N)" for an element of an XML file; empty if it is not found.

    Args:
        source: text of the file.
        tag: tag of the element.
        name: value of its attribute `name`.
    """
    found = re.search(rf"<{tag}\b[^>]*\bname\s*=\s*[\"']{re.escape(name)}[\"']", source)
    return f" (line {source.count(chr(10), 0, found.start()) + 1})" if found else ""
