"""What the commands of `khz` print and write, and how they refuse what cannot be written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

NARROWEST_SCREEN = 110


class RefusedError(Exception):
    """Something that cannot be done, in one sentence for the user."""


def screen() -> Console:
    """Standard output, for tables."""
    from rich.console import Console

    console = Console(highlight=False)
    # What is not a terminal has no width, and tables read by a program should not be broken into lines.
    return console if console.is_terminal else Console(highlight=False, width=NARROWEST_SCREEN)


def check_file(path: Path | None) -> None:
    """Refuses a file that could not be written, before the work and not after it."""
    if path is None:
        return
    if path.is_dir():
        raise RefusedError(f"{path} is a folder, not a file to write to")
    if not path.parent.is_dir():
        raise RefusedError(f"{path} cannot be written: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise RefusedError(f"{path} cannot be written: permission denied")


def check_folder(path: Path | None) -> None:
    """Refuses a folder that could be neither made nor written to."""
    if path is None:
        return
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not existing.is_dir():
        raise RefusedError(f"{path} cannot be a folder: {existing} is a file")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise RefusedError(f"nothing can be written into {path}: permission denied at {existing}")


def write_json(path: Path | None, content: dict[str, Any]) -> None:
    """Writes what `--json` asks for, where it does."""
    if path is None:
        return
    try:
        path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise RefusedError(f"{path} could not be written: {error.strerror}") from None


@contextmanager
def drawing_into(folder: Path) -> Iterator[list[Path]]:
    """Makes the folder and tells what was drawn into it; says so where the library for it is missing.

    Yields:
        Where the paths of what is drawn are put.
    """
    drawn: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield drawn
    except ImportError as error:
        typer.echo(f"no plots: matplotlib cannot be used here ({error})", err=True)
        return
    except OSError as error:
        raise RefusedError(f"the plots could not be written: {error}") from None
    screen().print(f"\n  drawn into {folder}: {', '.join(path.name for path in drawn)}", soft_wrap=True)


def check_block(path: Path | None, command: str) -> str:
    """What the command's table in a document is now; empty where none is named.

    Raises:
        RefusedError: the document has no place for it; to be told before the work and not after it.
    """
    if path is None:
        return ""
    check_file(path)
    from kilohertz.rt.bench.markers import block_of

    with _table_of(path):
        return block_of(path.read_text("utf-8"), command)


def write_block(path: Path | None, command: str, block: str) -> None:
    """Puts a table between the command's markers in a document, where one is named."""
    if path is None:
        return
    from kilohertz.rt.bench.markers import between_markers

    with _table_of(path):
        path.write_text(between_markers(path.read_text("utf-8"), command, block), encoding="utf-8")


@contextmanager
def _table_of(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise RefusedError(f"{path} cannot take the table: {error}") from None


def warn_of_unfinished(gains_file: Path | None) -> None:
    """Says on standard error where a file of gains looks as if it were not all there."""
    from kilohertz.controller.gains.schema import unfinished

    problem = unfinished(gains_file) if gains_file is not None else None
    if problem is not None:
        typer.echo(str(problem), err=True)
