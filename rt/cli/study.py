"""`khz sweep`: many runs of one scenario in which parameters vary, and their report."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from kilohertz.rt.cli import options as options
from kilohertz.rt.cli.output import RefusedError, check_file, check_folder, progress, say, screen, write_json
from kilohertz.rt.cli.run import ProgressLine

if TYPE_CHECKING:
    from kilohertz.rt.study.sweep import State

RUN = "run"
PLAIN_EVERY_S = 10.0
"""Time between lines of progress where standard error is not a terminal [s]."""

StudyArgument = Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study file.")]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="tcp://HOST:PORT",
        help="Address of a dask scheduler whose workers do the runs, instead of this computer; needs "
        "`pip install 'kilohertz[cluster]'` here and there.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, max=1024, help="Number of processes on this computer; else one per core."
    ),
]


class WithDefault(TyperGroup):
    """A group of commands that is a command itself: `khz sweep STUDY.yaml` is `khz sweep run STUDY.yaml`."""

    default = RUN

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses the arguments of the group."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [self.default, *args]
        return super().parse_args(ctx, args)


sweep_app = typer.Typer(
    cls=WithDefault,
    help="Simulate a study: many runs in which seeds, pushes, terrain, gains or other values vary. "
    "`khz sweep STUDY.yaml` is short for `khz sweep run STUDY.yaml`.",
    no_args_is_help=True,
)


@sweep_app.command(RUN)
def run(
    study_file: StudyArgument,
    folder: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Folder of the results; else the name of the study, here."
        ),
    ] = None,
    cluster: ClusterOption = None,
    workers: WorkersOption = None,
    gains: options.GainsOption = None,
    assignments: options.SetOption = None,
    record: Annotated[
        bool, typer.Option("--record", help="Record every run to a log file in DIR/logs; takes much space.")
    ] = False,
    json_file: options.JsonOption = None,
) -> None:
    """Run a study and write its runs to DIR/runs.parquet; the same command goes on where it was interrupted.

    A run that falls, crashes or hangs is a result. Exit status: 0 done; 3 the study was refused, with file,
    line and the number of runs that it would take; 130 stopped by Ctrl-C, with what was done so far written.
    """
    check_file(json_file)
    check_folder(folder)
    from kilohertz.rt.study.table import require_library

    require_library()
    from kilohertz.rt.study.crew import crew_of
    from kilohertz.rt.study.study import load_study
    from kilohertz.rt.study.sweep import run_study

    study = load_study(study_file, gains, tuple(assignments or ()))
    folder = folder or Path(study.file.name)
    check_folder(folder)
    with crew_of(cluster, workers) as crew:
        progress(f"{study.file.name}: {study.runs} runs by {crew.where}, into {folder}")
        with Counting() as show:
            report = run_study(study, folder, crew, show, log=record)
    from kilohertz.rt.show.study_screen import print_sweep

    print_sweep(screen(json_file), report)
    write_json(json_file, report)


@sweep_app.command()
def diff(
    first: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.")],
    second: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the study to be judged.")],
    json_file: options.JsonOption = None,
) -> None:
    """Is the second study better than the first? Compares them run by run, with McNemar's exact test.

    Exit status: 0 compared; 3 a folder holds no study, or the studies have no run in common.
    """
    check_file(json_file)
    from kilohertz.rt.show.study_screen import print_difference
    from kilohertz.rt.study.difference import difference

    found = difference(first, second)
    print_difference(screen(json_file), found)
    write_json(json_file, found)


@sweep_app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.html", help="File to write; else DIR/report.html."),
    ] = None,
    why: Annotated[
        bool,
        typer.Option(
            "--why",
            help="Find the cause of each run without success by replaying its log; needs `khz sweep "
            "--record` and about the time of the runs.",
        ),
    ] = False,
    json_file: options.JsonOption = None,
) -> None:
    """Write one HTML file about a study: success rates with intervals, plots by what varied, failures, ticks.

    Exit status: 0 written; 3 the folder holds no study, or the file cannot be written.
    """
    path = output or folder / "report.html"
    check_file(json_file)
    from kilohertz.rt.show.study_report import study_html
    from kilohertz.rt.show.study_screen import percent
    from kilohertz.rt.study.findings import failures, figures_of, findings_of

    found = findings_of(folder)
    check_file(path)
    failed = list(failures(found))
    if why:
        failed = [{**each, "cause": _cause(folder, each["run"])} for each in failed]
    try:
        path.write_text(study_html(found, failed), encoding="utf-8")
    except OSError as error:
        raise RefusedError(f"{path} could not be written: {error.strerror}") from None
    figures = figures_of(found, failed)
    rate = figures["success_rate"]
    say(f"{rate['successes']} of {rate['of']} runs were a success: {percent(rate)}", json_file)
    say(f"report written to {path}", json_file)
    write_json(json_file, {"folder": str(folder), "report": str(path), **figures})


def _cause(folder: Path, run: int) -> str | None:
    """Returns the cause of a run without success, in words; None if the run was not recorded."""
    from kilohertz.rt.cli.log_why import margins_of_file
    from kilohertz.rt.why.causes import CAUSES, verdict_of

    logs = sorted((folder / "logs" / f"{run}").glob("*.mcap"))
    return CAUSES[verdict_of(margins_of_file(logs[-1], None)).cause] if logs else None


class Counting:
    """Shows how far a study is: a line that is overwritten, or one line every PLAIN_EVERY_S."""

    def __enter__(self) -> Callable[[State], None]:
        self._line = ProgressLine()
        self._show = self._line.__enter__()
        self._next_s = time.monotonic() + PLAIN_EVERY_S
        return self._count

    def __exit__(self, *_: object) -> None:
        self._line.__exit__(None, None, None)

    def _count(self, state: State) -> None:
        left = "" if state.eta_s is None else f", {duration(state.eta_s)} left"
        text = f"{state.done} of {state.of} runs, {state.failed} no success{state.note}{left}"
        if self._show is not None:
            self._show(text)
        elif time.monotonic() >= self._next_s and state.done < state.of:
            self._next_s = time.monotonic() + PLAIN_EVERY_S
            progress(text)


def duration(seconds: float) -> str:
    """Returns a duration in words, such as `3 min 20 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
