"""What `khz sim` and `khz run` do with a plan: run it, show it, write it, draw it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from kilohertz.rt.cli.output import drawing_into, screen, warn_of_unfinished, write_json

if TYPE_CHECKING:
    from kilohertz.rt.run.session import RunPlan, SessionResult


def run_plan(plan: RunPlan, json_file: Path | None, plot: Path | None) -> NoReturn:
    """Runs what is planned, shows it, writes what was asked for, and ends the command."""
    from kilohertz.rt.loop.clock import process_age_s
    from kilohertz.rt.run.session import Session
    from kilohertz.rt.show.screen import print_run

    session = Session(plan)
    if session.warning is not None:
        typer.echo(session.warning, err=True)
    warn_of_unfinished(session.gains_file)
    if plan.paced:
        typer.echo(f"running {session.scenario.duration_s:g} s in real time ...", err=True)
    setup_s = process_age_s()
    with ProgressLine() as show:

        def told(t_s: float) -> None:
            if show is not None:
                show(f"simulated {t_s:.1f} of {session.scenario.duration_s:g} s")

        result = session.run(told)

    print_run(screen(), result, setup_s)
    if result.log is not None:
        screen().print(f"\n  recorded into {result.log}", soft_wrap=True)
    write_json(json_file, result.summary)
    if plot is not None:
        _draw(plot, result)
    for event in result.events:
        if event["kind"] == "link_lost":
            typer.echo(f"the link was lost after {event['t_s']:.3f} s: {event['text']}", err=True)
    if result.loop.error is not None and os.environ.get("KILOHERTZ_TRACEBACK"):
        raise result.loop.error
    raise typer.Exit(result.exit_code)


class ProgressLine:
    """One line on standard error that is written over; says nothing where that is not a terminal."""

    def __enter__(self) -> Callable[[str], None] | None:
        return self._show if sys.stderr.isatty() else None

    def __exit__(self, *_: object) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")

    def _show(self, text: str) -> None:
        sys.stderr.write(f"\r{text}\x1b[K")
        sys.stderr.flush()


def _draw(folder: Path, result: SessionResult) -> None:
    """Plots and film of a run."""
    with drawing_into(folder) as drawn:
        from kilohertz.rt.show.plots import write_plots

        drawn += write_plots(
            folder,
            result.trace,
            result.robot,
            result.scenario,
            result.loop.latency,
            realtime=result.plan.paced,
        )
        film = _film(folder / "run.gif", result)
        drawn += [film] if film else []


def _film(path: Path, result: SessionResult) -> Path | None:
    """The film; it tells how far it is, as without a graphics card it takes longer than the run."""
    from kilohertz.sim.render import render_gif

    with ProgressLine() as show:

        def told(drawn: int, of: int) -> None:
            if show is not None:
                show(f"drawing the film: {drawn} of {of} pictures")
            elif drawn == 0:
                typer.echo(f"drawing the film: {of} pictures ...", err=True)

        return render_gif(
            path,
            result.robot,
            result.scenario,
            result.trace.kept("t_s"),
            result.trace.kept("q_true"),
            seed=result.plan.seed,
            progress=told,
        )
