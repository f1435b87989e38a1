"""Output of the `khz` commands: tables, JSON, folders of plots, and checks that they can be written."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from kilohertz.robots.config.user_file import create_user_file

if TYPE_CHECKING:
    from rich.console import Console

NARROWEST_SCREEN = 110
SHOWN = 200
"""Longest part of a path that is shown in a sentence about its length."""
NO_READER = (errno.EPIPE, errno.EIO)
"""Errors of writing to a pipe whose reader has ended, and to a terminal that was closed."""
STANDARD_OUTPUT = Path("-")
"""The path that stands for standard output in `--json -`."""


class RefusedError(Exception):
    """A request that cannot be carried out; the text is one sentence for the user."""


def screen(json_file: Path | None = None) -> Console:
    """Console on standard output.

    Args:
        json_file: the command's `--json`; a console for `-` prints nothing, so that standard output holds
            only the JSON.
    """
    from rich.console import Console

    class Screen(Console):
        """Console that passes on that nobody reads any more, instead of ending the process with status 1."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    quiet = json_file == STANDARD_OUTPUT
    console = Screen(highlight=False, quiet=quiet)
    # Output that is not a terminal has no width; a program that reads a table needs its lines unbroken.
    return console if console.is_terminal else Screen(highlight=False, width=NARROWEST_SCREEN, quiet=quiet)


def say(text: str, json_file: Path | None = None) -> None:
    """Prints one line on standard output, unless the JSON goes there (`--json -`)."""
    if json_file != STANDARD_OUTPUT:
        typer.echo(text)


def progress(text: str) -> None:
    """Prints one line of progress on standard error; does nothing if nobody can read it any more."""
    try:
        typer.echo(text, err=True)
    except OSError as error:
        if error.errno not in NO_READER:
            raise
        write_to_nowhere()


@contextmanager
def perhaps_without_reader() -> Iterator[None]:
    """Prints as long as somebody reads: a terminal that was closed does not end the work of a command."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in NO_READER:
            raise
        write_to_nowhere()


def write_to_nowhere() -> None:
    """Discards what is printed from now on, for output streams that nobody reads any more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        try:
            os.write(number, b"")
        except OSError:
            os.dup2(nowhere, number)
    os.close(nowhere)


def check_file(path: Path | None) -> None:
    """Refuses a file that cannot be written; called before the work starts.

    Raises:
        RefusedError: it is a folder, its folder does not exist, or writing is not permitted.
    """
    if path is None or path == STANDARD_OUTPUT:
        return
    try:
        if path.is_dir():
            raise RefusedError(f"{path} is a folder, not a file to write to")
        if not path.parent.is_dir():
            raise RefusedError(f"{path} cannot be written: there is no folder {path.parent}")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise RefusedError(f"{path} cannot be written: permission denied")
    except OSError as error:
        raise RefusedError(f"{str(path)[:SHOWN]} cannot be written: {error.strerror}") from None


def check_folder(path: Path | None) -> None:
    """Refuses a folder that can be neither created nor written to.

    Raises:
        RefusedError: a file is in the way, or writing is not permitted.
    """
    if path is None:
        return
    try:
        existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    except OSError as error:
        raise RefusedError(f"{str(path)[:SHOWN]} cannot be a folder: {error.strerror}") from None
    if not existing.is_dir():
        raise RefusedError(f"{path} cannot be a folder: {existing} is a file")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise RefusedError(f"{path} cannot be written: permission denied for {existing}")


def check_outputs(json_file: Path | None, *folders: Path | None) -> None:
    """Refuses files and folders that cannot be written.

    Raises:
        RefusedError: see `check_file` and `check_folder`.
    """
    check_file(json_file)
    for folder in folders:
        check_folder(folder)


def write_json(path: Path | None, content: Any) -> None:
    """Writes the figures of a command to the file of `--json`, or to standard output for `-`.

    Args:
        path: None writes nothing.
        content: plain objects without NaN.

    Raises:
        RefusedError: the file could not be written.
    """
    if path is None:
        return
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    if path == STANDARD_OUTPUT:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        with create_user_file(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise RefusedError(f"{path} could not be written: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    return "nothing reads from this pipe" if error.errno == errno.ENXIO else str(error.strerror)


@contextmanager
def drawing_into(folder: Path, json_file: Path | None = None) -> Iterator[list[Path]]:
    """Creates a folder for plots and lists on the screen what was written to it.

    Without matplotlib it prints a warning and writes nothing.

    Args:
        folder: created with its parents.
        json_file: the command's `--json`.

    Yields:
        A list to which the caller adds the path of each plot.

    Raises:
        RefusedError: the plots could not be written.
    """
    drawn: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield drawn
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "matplotlib":
            raise
        typer.echo(f"no plots were written: matplotlib cannot be imported ({error})", err=True)
        return
    except OSError as error:
        raise RefusedError(f"the plots could not be written: {error}") from None
    names = ", ".join(path.name for path in drawn)
    screen(json_file).print(f"\n  written to {folder}: {names}", soft_wrap=True)


def check_block(path: Path | None, command: str) -> str:
    """Text between a command's markers in a document; called before the work starts.

    Returns:
        The text; empty where `path` is None.

    Raises:
        RefusedError: the document cannot be read or written, or lacks the markers.
    """
    if path is None:
        return ""
    check_file(path)
    from kilohertz.rt.bench.develop.markers import block_of

    with _table_of(path):
        return block_of(path.read_text("utf-8"), command)


def write_block(path: Path | None, command: str, block: str) -> None:
    """Replaces the text between a command's markers in a document; None writes nothing.

    Raises:
        RefusedError: the document cannot be read or written, or lacks the markers.
    """
    if path is None:
        return
    from kilohertz.rt.bench.develop.markers import between_markers

    with _table_of(path):
        path.write_text(between_markers(path.read_text("utf-8"), command, block), encoding="utf-8")


@contextmanager
def _table_of(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise RefusedError(f"the table cannot be written to {path}: {error}") from None


def warn_of_unfinished(gains_file: Path | None) -> None:
    """Warns on standard error if a gains file ends within a line and may be incomplete."""
    from kilohertz.controller.gains.schema import unfinished

    problem = unfinished(gains_file) if gains_file is not None else None
    if problem is not None:
        typer.echo(str(problem), err=True)
