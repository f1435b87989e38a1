"""Tables in a Markdown document that a command rewrites, between two lines that name the command."""

from __future__ import annotations


def markers(command: str) -> tuple[str, str]:
    """The lines before and after a command's table; they are comments that Markdown does not show."""
    return f"<!-- begin: {command} -->", f"<!-- end: {command} -->"


def block_of(text: str, command: str) -> str:
    """The text between a command's markers.

    Raises:
        ValueError: the document does not contain each marker once, in order.
    """
    return _parts(text, command)[1].strip("\n")


def between_markers(text: str, command: str, block: str) -> str:
    """The document with a new text between a command's markers, otherwise unchanged.

    Raises:
        ValueError: the document does not contain each marker once, in order.
    """
    begin, end = markers(command)
    before, _, after = _parts(text, command)
    return f"{before}{begin}\n{block}\n{end}{after}"


def _parts(text: str, command: str) -> tuple[str, str, str]:
    begin, end = markers(command)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"it must contain the line {begin} and after it the line {end}, once each")
    before, rest = text.split(begin)
    block, after = rest.split(end)
    return before, block, after
