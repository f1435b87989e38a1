"""The part that `khz sim` and `khz run` share: run a plan, print its result, write files, draw plots."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from kilohertz.rt.cli.failure import report_failure
from kilohertz.rt.cli.output import (
    drawing_into,
    perhaps_without_reader,
    progress,
    screen,
    warn_of_unfinished,
    write_json,
)
from kilohertz.rt.cli.view import View, check_view, viewed

if TYPE_CHECKING:
    from kilohertz.rt.run.session import RunPlan, SessionResult


def run_plan(
    plan: RunPlan,
    json_file: Path | None,
    plot: Path | None,
    *,
    film: bool = True,
    view: View | None = None,
) -> NoReturn:
    """Runs a plan, prints and writes its result, and ends the command with the exit status of the run.

    Args:
        plan: what to run.
        json_file: file for the summary, `-` for standard output.
        plot: folder for plots and film.
        film: whether to render the film.
        view: how to show the run while it is running; None for not at all.

    Raises:
        BadParameter: the run is to be shown and has no telemetry.
    """
    from kilohertz.rt.loop.clock import process_age_s
    from kilohertz.rt.run.session import Session
    from kilohertz.rt.show.screen import print_run

    check_view(view, plan.telemetry_hz)
    session = Session(plan)
    if session.warning is not None:
        progress(session.warning)
    if session.log_problem:
        progress(session.log_problem)
    warn_of_unfinished(session.gains_file)
    if plan.paced:
        progress(f"running {session.scenario.duration_s:g} s in real time ...")
    setup_s = process_age_s()
    with viewed(view, session.robot.name), ProgressLine() as show:

        def on_progress(t_s: float) -> None:
            if show is not None:
                show(f"simulated {t_s:.1f} of {session.scenario.duration_s:g} s")

        problem = session.log_problem
        result = session.run(on_progress)

    if session.log_problem != problem:
        progress(session.log_problem)
    with perhaps_without_reader():
        print_run(screen(json_file), result, setup_s)
        if result.log is not None:
            screen(json_file).print(f"\n  log written to {result.log}", soft_wrap=True)
    write_json(json_file, result.summary)
    if plot is not None:
        _draw(plot, result, json_file, film=film)
    for event in result.events:
        if event["kind"] == "link_lost":
            progress(f"the link was lost after {event['t_s']:.3f} s: {event['text']}")
    if result.loop.error is not None:
        report_failure(result.loop.error, "in the control loop")
    raise typer.Exit(result.exit_code)


class ProgressLine:
    """A progress line on standard error that is overwritten; prints nothing where that is not a terminal."""

    def __enter__(self) -> Callable[[str], None] | None:
        return self._show if sys.stderr.isatty() else None

    def __exit__(self, *_: object) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")

    def _show(self, text: str) -> None:
        sys.stderr.write(f"\r{text}\x1b[K")
        sys.stderr.flush()


def _draw(folder: Path, result: SessionResult, json_file: Path | None, *, film: bool) -> None:
    """Writes plots and, where it is wanted and possible, the film of a run."""
    with drawing_into(folder, json_file) as drawn:
        from kilohertz.rt.show.plots import write_plots

        drawn += write_plots(
            folder,
            result.judged,
            result.robot,
            result.scenario,
            result.loop.latency,
            realtime=result.plan.paced,
        )
        path = _film(folder / "run.gif", result) if film else None
        drawn += [path] if path else []


def _film(path: Path, result: SessionResult) -> Path | None:
    """Renders the film, with progress: without a graphics card this takes longer than the run."""
    from kilohertz.sim.render import render_gif

    with ProgressLine() as show:

        def on_progress(drawn: int, of: int) -> None:
            if show is not None:
                show(f"rendering the film: {drawn} of {of} frames")
            elif drawn == 0:
                progress(f"rendering the film: {of} frames ...")

        return render_gif(
            path,
            result.robot,
            result.scenario,
            result.judged.kept("t_s"),
            result.judged.kept("q_true"),
            seed=result.plan.seed,
            progress=on_progress,
        )
