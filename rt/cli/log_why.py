"""`khz log why`, `worst`, `tick` and `report`: what went wrong in a recorded run, and single ticks of it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from kilohertz.rt.cli import options as options
from kilohertz.rt.cli.output import RefusedError, check_file, say, screen, write_json
from kilohertz.rt.cli.run import ProgressLine

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kilohertz.rt.why.margins import Margins

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A log file written by `--log`.")]
RobotOption = Annotated[
    str | None,
    typer.Option(
        "--robot", metavar="ROBOT", help="Folder of the robot, if it is no longer where the log says."
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module to `khz log`."""
    for command in (why, worst, tick, report):
        app.command()(command)


def why(file: FileArgument, robot: RobotOption = None, json_file: options.JsonOption = None) -> None:
    """Tell the story of a fall or stop in ten lines: what went wrong first, what followed, and the margins.

    The controller is run again on the recorded inputs. Scenario and events of a simulation are not used, so
    that a log from hardware is judged in the same way.
    """
    check_file(json_file)
    m = margins_of_file(file, robot)
    from kilohertz.rt.why.causes import verdict_of
    from kilohertz.rt.why.story import figures_of

    figures = figures_of(m, verdict_of(m))
    for line in figures["story"]:
        say(line, json_file)
    write_json(json_file, {"file": str(file), **figures})


def worst(
    file: FileArgument,
    number: Annotated[int, typer.Option("-n", "--number", min=1, max=1000, help="Number of ticks.")] = 10,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="MEASURE",
            help="Sort by time, ladder, iterations, residual, torque, doubt or capture point; without it "
            "each leads in turn.",
        ),
    ] = None,
    robot: RobotOption = None,
    json_file: options.JsonOption = None,
) -> None:
    """List the worst ticks: late, without a solution, with large residuals or with little margin."""
    check_file(json_file)
    m = margins_of_file(file, robot)
    from kilohertz.rt.show.why_screen import print_worst
    from kilohertz.rt.why.worst import worst_ticks

    try:
        ticks = worst_ticks(m, number, by)
    except ValueError as error:
        raise typer.BadParameter(f"--by: {error}") from None
    print_worst(screen(json_file), ticks)
    write_json(json_file, {"file": str(file), "ticks": ticks})


def tick(
    file: FileArgument,
    number: Annotated[int, typer.Argument(metavar="N", min=0, help="Number of the tick.")],
    debug: Annotated[
        bool, typer.Option("--pdb", help="Stop in the Python debugger just before the controller's step.")
    ] = False,
    robot: RobotOption = None,
    json_file: options.JsonOption = None,
) -> None:
    """Run one tick again and print all of it: state, references, rows of the problem, active constraints."""
    from kilohertz.rt.log.recorder import require_library

    check_file(json_file)
    require_library()
    from kilohertz.rt.host.threads import math_thread_limit
    from kilohertz.rt.log.file import LogReader
    from kilohertz.rt.show.why_screen import print_tick
    from kilohertz.rt.why.tick import tick_of

    with LogReader(file) as reader, math_thread_limit()():
        reader.require_run()
        found = tick_of(reader, number, robot, debug=debug)
    print_tick(screen(json_file), found)
    write_json(json_file, {"file": str(file), **found})


def report(
    file: FileArgument,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.html", help="File to write; by default beside the log."),
    ] = None,
    robot: RobotOption = None,
    json_file: options.JsonOption = None,
) -> None:
    """Write one HTML file: story, margins, interventions, worst ticks, plots, summary and film.

    The film is the one beside the log with its name, or the only one in its folder.
    """
    path = output or file.with_suffix(".html")
    for each in (path, json_file):
        check_file(each)
    if path.exists() and file.exists() and path.samefile(file):
        raise RefusedError(f"{path} is the log itself: name another file with -o")
    m = margins_of_file(file, robot)
    from kilohertz.rt.log.file import LogReader
    from kilohertz.rt.show.log_plots import write_log_plots
    from kilohertz.rt.show.why_plot import margins_figure
    from kilohertz.rt.show.why_report import film_beside, report_html
    from kilohertz.rt.why.causes import verdict_of
    from kilohertz.rt.why.story import figures_of
    from kilohertz.rt.why.worst import worst_ticks

    verdict = verdict_of(m)
    film = film_beside(file)
    with TemporaryDirectory() as folder, LogReader(file) as reader:
        drawn = {each.stem: each for each in write_log_plots(Path(folder), reader)}
        plots: dict[str, Figure | Path] = {"Margins": margins_figure(m, verdict), **drawn}
        text = report_html(figures_of(m, verdict), worst_ticks(m, 10), m.summary, plots, film)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RefusedError(f"{path} could not be written: {error.strerror}") from None
    say(f"report written to {path}", json_file)
    named = {"file": str(file), "report": str(path), "film": None if film is None else str(film)}
    write_json(json_file, {**named, "cause": verdict.cause})


def margins_of_file(file: Path, robot: str | None) -> Margins:
    """Reads a log of a run, and runs its controller again, with a line of progress.

    Raises:
        ConfigError: the file is not the log of a run of this version, model and configuration.
    """
    from kilohertz.rt.log.recorder import require_library

    require_library()
    from kilohertz.rt.host.threads import math_thread_limit
    from kilohertz.rt.log.file import LogReader
    from kilohertz.rt.why.margins import margins_of

    with LogReader(file) as reader, ProgressLine() as show, math_thread_limit()():

        def on_progress(t_s: float) -> None:
            if show is not None:
                show(f"replayed {t_s:.1f} s")

        reader.require_run()
        return margins_of(reader, robot, on_progress)
