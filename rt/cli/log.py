"""`khz log`: what was recorded: info, plot, replay and export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kilohertz.rt.cli import options as options
from kilohertz.rt.cli.output import RefusedError, check_file, check_folder, drawing_into, screen, write_json
from kilohertz.rt.cli.run import ProgressLine

if TYPE_CHECKING:
    from kilohertz.rt.log.file import LogReader

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A log, as `khz sim --log` writes it.")]

log_app = typer.Typer(help="Logs of runs: what is in them, and the same run again.", no_args_is_help=True)


@log_app.command()
def info(file: FileArgument, json_file: options.JsonOption = None) -> None:
    """Tell what was run, when, how long, what is missing, what happened, and how long the ticks took."""
    from kilohertz.rt.log.recorder import require_library

    check_file(json_file)
    require_library()
    from kilohertz.rt.log.file import LogReader
    from kilohertz.rt.log.info import figures_of
    from kilohertz.rt.show.log_screen import print_log

    with LogReader(file) as reader:
        figures = figures_of(reader)
    print_log(screen(), figures)
    write_json(json_file, figures)


@log_app.command()
def export(
    file: FileArgument,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="A line for each tick, a column for each number."),
    ] = None,
    npz: Annotated[
        Path | None, typer.Option("--npz", metavar="FILE", help="An array of NumPy for each field.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="GROUP", help="Such as sensors or command; may be repeated."),
    ] = None,
) -> None:
    """Write a log as a table for other programs. Foxglove and PlotJuggler open it as it is."""
    from kilohertz.rt.log.recorder import require_library

    if csv is None and npz is None:
        raise typer.BadParameter("say what to write: --csv FILE or --npz FILE")
    for path in (csv, npz):
        check_file(path)
    require_library()
    from kilohertz.rt.log.export import check_groups, write_csv, write_npz
    from kilohertz.rt.log.file import LogReader

    for path, write in ((csv, write_csv), (npz, write_npz)):
        if path is None:
            continue
        with LogReader(file) as reader:
            try:
                n = write(reader, path, check_groups(reader.row, only or []))
            except OSError as error:
                raise RefusedError(f"{path} could not be written: {error.strerror}") from None
        _warn(reader)
        typer.echo(f"{n} ticks written to {path}")


@log_app.command()
def plot(
    file: FileArgument,
    folder: Annotated[
        Path, typer.Option("--plot", metavar="DIR", help="Draw the log into this folder: PNG plots.")
    ],
) -> None:
    """Draw a log: latency, every tick, torques, balance."""
    from kilohertz.rt.log.recorder import require_library

    check_folder(folder)
    require_library()
    from kilohertz.rt.log.file import LogReader

    with LogReader(file) as reader, drawing_into(folder) as drawn:
        from kilohertz.rt.show.log_plots import write_log_plots

        drawn += write_log_plots(folder, reader)
    _warn(reader)


@log_app.command()
def replay(
    file: FileArgument,
    robot: Annotated[
        str | None, typer.Option("--robot", metavar="ROBOT", help="The robot, if it is not where it was.")
    ] = None,
) -> None:
    """Run the controller again on what was recorded, and demand the same commands, bit by bit.

    Exit status: 0 no bit differs; 1 some do, and where it begins; 3 refused: another version, model or
    configuration, or rows are missing.
    """
    from kilohertz.rt.log.recorder import require_library

    require_library()
    from kilohertz.rt.log.file import LogReader
    from kilohertz.rt.run.replay import replay

    with LogReader(file) as reader, ProgressLine() as show:

        def told(t_s: float) -> None:
            if show is not None:
                show(f"replayed {t_s:.1f} s")

        result = replay(reader, robot, told)
    _warn(reader)
    if not result.differ:
        typer.echo(f"{result.ticks} ticks replayed: 0 bits of the commands differ")
        return
    typer.echo(
        f"{result.differ} of {result.ticks} ticks differ, by {result.bits} bits; the first is {result.first}"
    )
    if result.other_machine:
        typer.echo(f"the log is from another processor ({result.other_machine}), which may round differently")
    raise typer.Exit(options.EXIT_FAULT)


def _warn(reader: LogReader) -> None:
    """Of what a log lacks."""
    if reader.damage:
        typer.echo(f"{reader.path}: {reader.damage}; what is before is whole", err=True)
    if reader.lost:
        typer.echo(f"{reader.path}: {reader.lost} rows were lost", err=True)
