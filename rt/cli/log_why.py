"""`khz log why`, `worst`, `tick` and `report`: what went wrong in a recorded run, and single ticks of it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kilohertz.rt.cli import options as options
from kilohertz.rt.cli.log_kept import FileArgument, chosen
from kilohertz.rt.cli.output import RefusedError, check_file, say, screen, write_json
from kilohertz.rt.cli.run import ProgressLine

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kilohertz.rt.why.margins import Margins

RobotOption = Annotated[
    str | None,
    typer.Option(
        "--robot", metavar="ROBOT", help="Folder of the robot, if it is no longer where the log says."
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module to `khz log`."""
    for command in (why, worst, tick, interventions, report):
        app.command()(command)


def why(file: FileArgument = None, robot: RobotOption = None, json_file: options.JsonOption = None) -> None:
    """Tell the story of a fall or stop in ten lines: what went wrong first, what followed, and the margins.

    The controller is run again on the recorded inputs. Scenario and events of a simulation are not used, so
    that a log from hardware is judged in the same way.
    """
    check_file(json_file)
    file = chosen(file)
    m = margins_of_file(file, robot)
    from kilohertz.rt.why.causes import verdict_of
    from kilohertz.rt.why.story import figures_of

    figures = figures_of(m, verdict_of(m))
    for line in figures["story"]:
        say(line, json_file)
    write_json(json_file, {"file": str(file), **figures})


def worst(
    file: FileArgument = None,
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
    file = chosen(file)
    from kilohertz.rt.show.why_screen import print_worst

    try:
        ticks = _worst_of(file, number, by, robot)
    except ValueError as error:
        raise typer.BadParameter(f"--by: {error}") from None
    print_worst(screen(json_file), ticks)
    write_json(json_file, {"file": str(file), "ticks": ticks})


def _worst_of(file: Path, number: int, by: str | None, robot: str | None) -> list[dict[str, Any]]:
    """Returns the worst ticks of a log; of one that lacks its beginning, by what was recorded alone."""
    from kilohertz.rt.log.recorder import require_library

    require_library()
    from kilohertz.rt.log.file import LogReader
    from kilohertz.rt.why.recorded import worst_recorded
    from kilohertz.rt.why.worst import worst_ticks

    with LogReader(file) as reader:
        reader.require_run()
        if reader.header.first_tick:
            return worst_recorded(reader, number, by)
    return worst_ticks(margins_of_file(file, robot), number, by)


def tick(
    file: FileArgument = None,
    number: Annotated[
        int | None, typer.Argument(metavar="N", min=0, help="Number of the tick.", show_default=False)
    ] = None,
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
    file, number = _file_and_number(file, number)
    from kilohertz.rt.host.threads import math_thread_limit
    from kilohertz.rt.log.file import LogReader
    from kilohertz.rt.show.why_screen import print_tick
    from kilohertz.rt.why.recorded import recorded_tick
    from kilohertz.rt.why.tick import tick_of

    with LogReader(file) as reader, math_thread_limit()():
        reader.require_run()
        if reader.header.first_tick:
            found = recorded_tick(reader, number)
        else:
            found = tick_of(reader, number, robot, debug=debug)
    print_tick(screen(json_file), found)
    write_json(json_file, {"file": str(file), **found})


def interventions(
    file: FileArgument = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write all of them to this CSV file.")
    ] = None,
    robot: RobotOption = None,
    json_file: options.JsonOption = None,
) -> None:
    """List what guard, ladder, watchdogs, supervisor and envelope did: when, which limit, which value.

    Part, joint or contact, value, limit and unit of every intervention, and until when it lasted; values and
    limits that are not known are left empty. Interventions at most 20 ticks apart count as one.
    """
    for path in (csv, json_file):
        check_file(path)
    file = chosen(file)
    if csv is not None and csv.exists() and csv.samefile(file):
        raise RefusedError(f"{csv} is the log itself: name another file")
    m = margins_of_file(file, robot)
    from kilohertz.rt.show.why_report import interventions_csv
    from kilohertz.rt.show.why_screen import print_interventions
    from kilohertz.rt.why.interventions import PARTS
    from kilohertz.rt.why.interventions import interventions as interventions_of

    found = interventions_of(m)
    print_interventions(screen(json_file), found)
    if csv is not None:
        _write(csv, interventions_csv(found))
    counts = {part: sum(each["part"] == part for each in found) for part in PARTS}
    say(f"{len(found)} interventions: " + ", ".join(f"{part} {n}" for part, n in counts.items()), json_file)
    header = m.header
    run = {"robot": header.robot_name, "scenario": header.scenario["name"], "seed": header.seed}
    sources = {"config_sha256": header.config_sha256, "model_sha256": header.model_sha256}
    write_json(
        json_file,
        {
            "file": str(file),
            **run,
            **sources,
            "version": header.version,
            "duration_s": float(m.t_s[-1]),
            "replayed_identically": m.same,
            "parts": PARTS,
            "counts": counts,
            "interventions": found,
        },
    )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RefusedError(f"{path} could not be written: {error.strerror}") from None


def _file_and_number(file: Path | None, number: int | None) -> tuple[Path, int]:
    """Returns the log and the number of a tick; a number alone is of the newest log.

    Raises:
        typer.BadParameter: there is no number.
    """
    if number is None and file is not None and str(file).isdecimal():
        file, number = None, int(str(file))
    if number is None:
        raise typer.BadParameter("name the tick, as in `khz log tick 3200` or `khz log tick FILE 3200`")
    return chosen(file), number


def report(
    file: FileArgument = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE.html",
            help="File to write; by default beside the log, or here for a log in your folder of logs.",
        ),
    ] = None,
    robot: RobotOption = None,
    json_file: options.JsonOption = None,
) -> None:
    """Write one HTML file: story, margins, interventions, worst ticks, plots, summary and film.

    The film is the one beside the log with its name, or the only one in its folder.
    """
    file = chosen(file)
    path = output or _beside(file)
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
    _write(path, text)
    say(f"report written to {path}", json_file)
    named = {"file": str(file), "report": str(path), "film": None if film is None else str(film)}
    write_json(json_file, {**named, "cause": verdict.cause})


def _beside(file: Path) -> Path:
    """Returns the path of a report: beside the log, or in the current folder for one that will be removed."""
    from kilohertz.rt.log.folder import log_folder

    path = file.with_suffix(".html")
    return Path(path.name) if file.parent.absolute() == log_folder().absolute() else path


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
