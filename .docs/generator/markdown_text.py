"""Small pieces of Markdown: escaped text, tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def plain(text: str) -> str:
    """Text on one line, in which only code between backticks keeps a meaning in Markdown."""
    parts = re.split(r"(`+[^`]*`+)", " ".join(text.split()))
    escaped = [re.sub(r"([\\*_\[\]{}<>|$])", r"\\\1", part) for part in parts[::2]]
    return "".join(a + b for a, b in zip(escaped, [*parts[1::2], ""], strict=True))


def code(text: object) -> str:
    """Text as code; a table keeps what is in it together."""
    return f"`{text}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
