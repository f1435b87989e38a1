"""`khz log`: inspect, plot, export, replay and import logs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from kilohertz.rt.cli import log_elsewhere, log_kept, log_why
from kilohertz.rt.cli import options as options
from kilohertz.rt.cli.log_kept import FileArgument, chosen
from kilohertz.rt.cli.output import (
    RefusedError,
    check_file,
    check_folder,
    drawing_into,
    say,
    screen,
    write_json,
)
from kilohertz.rt.cli.run import ProgressLine

if TYPE_CHECKING:
    from kilohertz.rt.log.file import LogReader

FOXGLOVE_HZ = 100.0
_Export: TypeAlias = "tuple[Path, Callable[[LogReader, Path], int]]"

log_app = typer.Typer(
    help="List, inspect, explain, plot, export, replay and import logs; run the estimator on them.",
    no_args_is_help=True,
)


@log_app.command()
def info(file: FileArgument = None, json_file: options.JsonOption = None) -> None:
    """Summarise a log: robot, scenario, time, duration, missing rows, events and latency."""
    from kilohertz.rt.log.recorder import require_library

    check_file(json_file)
    require_library()
    from kilohertz.rt.log.file import LogReader
    from kilohertz.rt.log.info import figures_of
    from kilohertz.rt.show.log_screen import print_log

    with LogReader(chosen(file)) as reader:
        reader.require_run()
        figures = figures_of(reader)
    print_log(screen(json_file), figures)
    write_json(json_file, figures)


@log_app.command()
def export(
    file: FileArgument = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write CSV: one line per tick, one column per number."),
    ] = None,
    npz: Annotated[
        Path | None,
        typer.Option("--npz", metavar="FILE", help="Write NumPy .npz: one array per field of the log."),
    ] = None,
    foxglove: Annotated[
        Path | None,
        typer.Option(
            "--foxglove",
            metavar="FILE",
            help="Write MCAP for Foxglove, Lichtblick and PlotJuggler: links (/tf), /joint_states, meshes, "
            "contacts, forces and events.",
        ),
    ] = None,
    rate_hz: Annotated[
        float,
        typer.Option(
            "--rate", metavar="HZ", min=1.0, help="With --foxglove: messages per second of each topic."
        ),
    ] = FOXGLOVE_HZ,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="GROUP",
            help="Export only this group, such as sensors, to CSV and NumPy; may be repeated.",
        ),
    ] = None,
    robot: Annotated[
        str | None,
        typer.Option(
            "--robot",
            metavar="ROBOT",
            help="With --foxglove: folder of the robot, if it is no longer where the log says.",
        ),
    ] = None,
    json_file: options.JsonOption = None,
) -> None:
    """Export a log to CSV, to NumPy, or to a file with the topics that Foxglove and Lichtblick draw."""
    if csv is None and npz is None and foxglove is None:
        raise typer.BadParameter("nothing to write: give --csv FILE, --npz FILE or --foxglove FILE")
    file = chosen(file)
    for path in (csv, npz, foxglove, json_file):
        check_file(path)
        if path is not None and path.exists() and file.exists() and path.samefile(file):
            raise RefusedError(f"{path} is the log itself: name another file to write")
    written: dict[str, int] = {}
    for path, write in _tables(csv, npz, only or []) + _topics(foxglove, rate_hz, robot):
        written[str(path)] = _export(file, path, write)
        say(f"{written[str(path)]} ticks written to {path}", json_file)
    write_json(json_file, {"file": str(file), "ticks_written": written})


def _tables(csv: Path | None, npz: Path | None, groups: list[str]) -> list[_Export]:
    """Returns how tables are written."""
    from kilohertz.rt.log.recorder import require_library

    require_library()
    from kilohertz.rt.log.export import check_groups, write_csv, write_npz

    found: list[_Export] = []
    if csv is not None:
        found.append((csv, lambda reader, out: write_csv(reader, out, check_groups(reader.row, groups))))
    if npz is not None:
        found.append((npz, lambda reader, out: write_npz(reader, out, check_groups(reader.row, groups))))
    return found


def _topics(foxglove: Path | None, rate_hz: float, robot: str | None) -> list[_Export]:
    """Returns how the file for Foxglove is written."""
    if foxglove is None:
        return []
    if not math.isfinite(rate_hz):
        raise typer.BadParameter("--rate needs a finite number")
    from kilohertz.rt.view.process import FOXGLOVE, require_library

    require_library(FOXGLOVE)
    from kilohertz.rt.view.foxglove_file import write_foxglove

    return [(foxglove, lambda reader, out: write_foxglove(reader, out, rate_hz, robot))]


def _export(file: Path, path: Path, write: Callable[[LogReader, Path], int]) -> int:
    """Writes a log into another file, and returns the number of ticks that were written."""
    from kilohertz.rt.log.file import LogReader

    with LogReader(file) as reader:
        try:
            n = write(reader, path)
        except OSError as error:
            raise RefusedError(f"{path} could not be written: {error.strerror}") from None
    _warn(reader)
    return n


@log_app.command()
def plot(
    folder: Annotated[
        Path, typer.Option("--plot", metavar="DIR", help="Folder to write the plots (PNG) to.")
    ],
    file: FileArgument = None,
    json_file: options.JsonOption = None,
) -> None:
    """Plot a log: latency histogram, duration of every tick, torques and balance."""
    from kilohertz.rt.log.recorder import require_library

    check_folder(folder)
    check_file(json_file)
    require_library()
    from kilohertz.rt.log.file import LogReader

    file = chosen(file)
    with LogReader(file) as reader, drawing_into(folder, json_file) as drawn:
        from kilohertz.rt.show.log_plots import write_log_plots

        reader.require_run()
        drawn += write_log_plots(folder, reader)
    _warn(reader)
    write_json(json_file, {"file": str(file), "plots": [str(path) for path in drawn]})


@log_app.command()
def replay(
    file: FileArgument = None,
    robot: Annotated[
        str | None,
        typer.Option(
            "--robot",
            metavar="ROBOT",
            help="Folder of the robot, if it is no longer where the log says.",
        ),
    ] = None,
    json_file: options.JsonOption = None,
) -> None:
    """Run the controller again on the recorded inputs and compare its commands with the recorded ones.

    Exit status: 0 no bit differs; 1 at least one bit differs, with the first tick and field in the text; 3
    refused: the log is from another version, model or configuration, or rows are missing.
    """
    from kilohertz.rt.log.recorder import require_library

    check_file(json_file)
    require_library()
    from kilohertz.rt.log.file import LogReader
    from kilohertz.rt.run.replay import replay

    with LogReader(chosen(file)) as reader, ProgressLine() as show:

        def on_progress(t_s: float) -> None:
            if show is not None:
                show(f"replayed {t_s:.1f} s")

        reader.require_run()
        result = replay(reader, robot, on_progress)
    _warn(reader)
    figures = {"ticks": result.ticks, "ticks_that_differ": result.differ, "bits_that_differ": result.bits}
    first = result.first if result.differ else None
    write_json(json_file, {**figures, "first": first, "other_machine": result.other_machine or None})
    if not result.differ:
        say(f"{result.ticks} ticks replayed: 0 bits of the commands differ", json_file)
        return
    say(
        f"{result.differ} of {result.ticks} ticks differ, by {result.bits} bits; the first is {result.first}",
        json_file,
    )
    if result.other_machine:
        say(
            f"the log is from another processor ({result.other_machine}), which may round differently",
            json_file,
        )
    raise typer.Exit(options.EXIT_SAFETY_STOP)


@log_app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A log file, or `last` for the newest one.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another log file of the same robot.")],
    robot: Annotated[
        str | None,
        typer.Option(
            "--robot", metavar="ROBOT", help="Folder of the robot, if it is no longer where the logs say."
        ),
    ] = None,
    json_file: options.JsonOption = None,
) -> None:
    """Compare two runs: is B better than A, in which figure, by how much, and is it more than noise.

    Compares the ticks that follow the same request in both runs, from 2 s after it on. A difference counts if
    it is over 2 % and over three standard deviations of its noise within the two runs.
    """
    from kilohertz.rt.log.recorder import require_library

    check_file(json_file)
    require_library()
    from kilohertz.rt.log.compare import compare
    from kilohertz.rt.log.file import LogReader
    from kilohertz.rt.show.compare_screen import print_comparison

    a, b = chosen(a), chosen(b)
    with LogReader(a) as first, LogReader(b) as second:
        found = compare(first, second, robot)
    for reader in (first, second):
        _warn(reader)
    print_comparison(screen(json_file), found)
    write_json(json_file, {"a": str(a), "b": str(b), **found.figures()})


def _warn(reader: LogReader) -> None:
    """Warns on standard error of damage and of rows that were not recorded."""
    if reader.damage:
        typer.echo(f"{reader.path}: {reader.damage}; the rows before it are complete", err=True)
    if reader.lost:
        typer.echo(f"{reader.path}: {reader.lost} rows are missing from the log", err=True)


log_elsewhere.register(log_app)
log_kept.register(log_app)
log_why.register(log_app)
