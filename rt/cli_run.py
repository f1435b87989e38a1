"""What `khz sim` and `khz run` do with a plan: run it, show it, write it, draw it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from rt.cli_output import drawing_into, screen, warn_of_unfinished, write_json

if TYPE_CHECKING:
    from rt.session import RunPlan, RunResult


def run_plan(plan: RunPlan, json_file: Path | None, plot: Path | None) -> NoReturn:
    """Runs what is planned, shows it, writes what was asked for, and ends the command."""
    from rt.clock import process_age_s
    from rt.screen import print_run
    from rt.session import Session

    session = Session(plan)
    if session.warning is not None:
        typer.echo(session.warning, err=True)
    warn_of_unfinished(session.gains_file)
    if plan.paced:
        typer.echo(f"running {session.scenario.duration_s:g} s in real time ...", err=True)
    setup_s = process_age_s()
    with ProgressLine(session.scenario.duration_s) as progress:
        result = session.run(progress)

    print_run(screen(), result, setup_s)
    if result.log is not None:
        screen().print(f"\n  recorded into {result.log}", soft_wrap=True)
    write_json(json_file, result.summary)
    if plot is not None:
        _draw(plot, result)
    if result.loop.error is not None and os.environ.get("KILOHERTZ_TRACEBACK"):
        raise result.loop.error
    raise typer.Exit(result.exit_code)


class ProgressLine:
    """Tells on standard error how far a run is; says nothing where that is not a terminal.

    Args:
        duration_s: of the run, where that is known [s].
    """

    def __init__(self, duration_s: float | None = None) -> None:
        self._of = "" if duration_s is None else f" of {duration_s:g}"

    def __enter__(self) -> Callable[[float], None] | None:
        return self._show if sys.stderr.isatty() else None

    def __exit__(self, *_: object) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")

    def _show(self, t_s: float) -> None:
        sys.stderr.write(f"\rsimulated {t_s:.1f}{self._of} s")
        sys.stderr.flush()


def _draw(folder: Path, result: RunResult) -> None:
    """Plots and film of a run."""
    with drawing_into(folder) as drawn:
        from rt.plots import write_plots
        from sim.render import render_gif

        drawn += write_plots(
            folder,
            result.trace,
            result.robot,
            result.scenario,
            result.loop.latency,
            realtime=result.plan.paced,
        )
        film = render_gif(
            folder / "run.gif",
            result.robot,
            result.scenario,
            result.trace.kept("t_s"),
            result.trace.kept("q_true"),
            seed=result.plan.seed,
        )
        drawn += [film] if film else []
