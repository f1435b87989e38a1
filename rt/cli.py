"""The `khz` command.

Everything heavy is imported inside the commands: `khz --help` must not wait for a physics engine.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from robots.config_error import ConfigError
from robots.link import LinkLostError
from rt.cli_options import (
    EXIT_FAULT,
    EXIT_LINK_LOST,
    EXIT_REFUSED,
    EXIT_USAGE,
    DurationOption,
    GainsOption,
    JsonOption,
    Link,
    PlotOption,
    RobotArgument,
    ScenarioOption,
    SeedOption,
    WatchGainsOption,
)

if TYPE_CHECKING:
    from rich.console import Console

    from rt.session import RunPlan, RunResult

NARROWEST_SCREEN = 110
LONGEST_SENTENCE = 300


class RefusedError(Exception):
    """Something that cannot be done, in one sentence for the user."""


class _Sentences(TyperGroup):
    """Turns what goes wrong into a sentence on standard error and an exit status."""

    def main(self, args: Any = None, *rest: Any, **named: Any) -> Any:
        """Parses the command line and runs the command it names; wrong usage ends with status 2."""
        named["standalone_mode"] = False
        try:
            status = super().main(args, *rest, **named)
        except TyperException as error:
            message = error.format_message().strip()
            # A group that is called without a command has printed its help instead.
            if message:
                typer.echo(f"{message.rstrip('.')}. Try '{_command_path(error)} --help'.", err=True)
            sys.exit(EXIT_USAGE)
        sys.exit(status if isinstance(status, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, TyperException, BrokenPipeError):
            raise
        except LinkLostError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(EXIT_LINK_LOST) from None
        except (ConfigError, RefusedError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(EXIT_REFUSED) from None
        except Exception as error:
            if os.environ.get("KILOHERTZ_TRACEBACK"):
                raise
            what = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_SENTENCE]
            typer.echo(f"khz failed, and should not: {what} (KILOHERTZ_TRACEBACK=1 shows where)", err=True)
            raise typer.Exit(EXIT_FAULT) from None


def _command_path(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else "khz"


app = typer.Typer(
    cls=_Sentences,
    help="Kilohertz: a 1 kHz whole-body controller for bipeds and arms.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
gains_app = typer.Typer(help="The controller's gains of a robot.", no_args_is_help=True)
app.add_typer(gains_app, name="gains")


def main() -> None:
    """Entry point of the `khz` command."""
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        from rt.summary import version

        typer.echo(f"kilohertz {version()}")
        raise typer.Exit


@app.callback()
def _khz(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def sim(
    robot: RobotArgument,
    scenario: ScenarioOption = None,
    duration: DurationOption = None,
    seed: SeedOption = 0,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="One tick a millisecond, instead of as fast as it goes.")
    ] = False,
    gains: GainsOption = None,
    watch_gains: WatchGainsOption = False,
    json_file: JsonOption = None,
    plot: PlotOption = None,
    link: Annotated[
        Link, typer.Option(help="inproc: simulated in this process; zmq: in another, over the wire protocol.")
    ] = Link.INPROC,
) -> None:
    """Run a robot in simulation, with the controller in the loop.

    Exit status: 0 done; 1 the robot fell or a safety stop ended the run; 2 wrong usage; 3 refused.
    """
    _check_file(json_file)
    _check_folder(plot)
    from rt.session import RunPlan

    plan = RunPlan(robot, scenario, duration, seed, realtime, gains, watch_gains=watch_gains)
    if link is Link.INPROC:
        run_plan(plan, json_file, plot)
    from rt.served import served

    with served(plan) as endpoint:
        run_plan(replace(plan, endpoint=endpoint, lockstep=not realtime), json_file, plot)


def run_plan(plan: RunPlan, json_file: Path | None, plot: Path | None) -> NoReturn:
    """Runs what is planned, shows it, writes what was asked for, and ends the command."""
    from rt.clock import process_age_s
    from rt.screen import print_run
    from rt.session import Session

    session = Session(plan)
    if session.warning is not None:
        typer.echo(session.warning, err=True)
    _warn_of_unfinished(session.gains_file)
    if plan.paced:
        typer.echo(f"running {session.scenario.duration_s:g} s in real time ...", err=True)
    setup_s = process_age_s()
    with _ProgressLine(session.scenario.duration_s) as progress:
        result = session.run(progress)

    console = _console()
    print_run(console, result, setup_s)
    _write_json(json_file, result.summary)
    if plot is not None:
        _draw(plot, result, console)
    if result.loop.error is not None and os.environ.get("KILOHERTZ_TRACEBACK"):
        raise result.loop.error
    raise typer.Exit(result.exit_code)


@app.command()
def doctor(
    json_file: JsonOption = None,
    hints: Annotated[
        bool, typer.Option("--fix-hints", help="Print the remedies as a shell script, without measuring.")
    ] = False,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="S", min=0.0, max=3600.0, help="How long to measure.")
    ] = 10.0,
) -> None:
    """Is this host fit for 1 kHz, and what to change.

    Exit status: 0 fit, with or without warnings; 3 unfit.
    """
    _check_file(json_file)
    from rt.doctor import as_table, examine, fix_hints

    if seconds and not hints:
        typer.echo(f"measuring for {seconds:g} s ...", err=True)
    report = examine(measure_s=0.0 if hints else seconds)
    if hints:
        typer.echo(fix_hints(report), nl=False)
    else:
        _console().print(as_table(report))
    _write_json(json_file, report.as_json())
    raise typer.Exit(report.exit_status)


@app.command()
def robots() -> None:
    """List the robots that ship, with their degrees of freedom and licences."""
    from robots.description import shipped_robots
    from robots.model import RobotModel
    from rt.screen import robots_table

    _console().print(robots_table(RobotModel.load(name) for name in shipped_robots()))


@gains_app.command()
def check(robot: RobotArgument, gains: GainsOption = None) -> None:
    """Check a robot's gains; every mistake is told with its file and line."""
    from controller.gains import gains_path, load_gains
    from robots.model import RobotModel

    model = RobotModel.load(robot)
    load_gains(model, gains)
    path = gains or gains_path(model)
    _warn_of_unfinished(path)
    typer.echo(f"{path}: good" if path else f"{model.name} has no gains.yaml: the defaults are used")


@gains_app.command()
def show(robot: RobotArgument, gains: GainsOption = None) -> None:
    """Print the gains in use, defaults included, as a gains.yaml with what each one means."""
    from controller.gains import load_gains
    from robots.model import RobotModel
    from rt.gains_text import gains_yaml

    typer.echo(gains_yaml(load_gains(RobotModel.load(robot), gains)), nl=False)


@gains_app.command()
def schema(robot: RobotArgument) -> None:
    """Print the JSON Schema of gains.yaml, with which an editor completes and checks it."""
    from controller.gains import Gains
    from robots.description import find_robot

    find_robot(robot)
    typer.echo(json.dumps(Gains.model_json_schema(), indent=2))


def _warn_of_unfinished(gains_file: Path | None) -> None:
    from controller.gains import unfinished

    problem = unfinished(gains_file) if gains_file is not None else None
    if problem is not None:
        typer.echo(str(problem), err=True)


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False)
    # What is not a terminal has no width, and tables read by a program should not be broken into lines.
    return console if console.is_terminal else Console(highlight=False, width=NARROWEST_SCREEN)


def _check_file(path: Path | None) -> None:
    """Refuses a file that could not be written, before the work and not after it."""
    if path is None:
        return
    if path.is_dir():
        raise RefusedError(f"{path} is a folder, not a file to write to")
    if not path.parent.is_dir():
        raise RefusedError(f"{path} cannot be written: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise RefusedError(f"{path} cannot be written: permission denied")


def _check_folder(path: Path | None) -> None:
    """Refuses a folder that could be neither made nor written to."""
    if path is None:
        return
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not existing.is_dir():
        raise RefusedError(f"{path} cannot be a folder: {existing} is a file")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise RefusedError(f"nothing can be written into {path}: permission denied at {existing}")


def _write_json(path: Path | None, content: dict[str, Any]) -> None:
    if path is None:
        return
    try:
        path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    except OSError as error:
        raise RefusedError(f"{path} could not be written: {error.strerror}") from None


class _ProgressLine:
    """Tells on standard error how far a run is; says nothing where that is not a terminal."""

    def __init__(self, duration_s: float) -> None:
        self._duration_s = duration_s

    def __enter__(self) -> Callable[[float], None] | None:
        return self._show if sys.stderr.isatty() else None

    def __exit__(self, *_: object) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")

    def _show(self, t_s: float) -> None:
        sys.stderr.write(f"\rsimulated {t_s:.1f} of {self._duration_s:g} s")
        sys.stderr.flush()


def _draw(folder: Path, result: RunResult, console: Console) -> None:
    """Plots and film of a run; where a library for them is missing, one sentence."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        from rt.plots import write_plots

        written = write_plots(
            folder,
            result.trace,
            result.robot,
            result.scenario,
            result.loop.latency,
            realtime=result.plan.paced,
        )
    except ImportError as error:
        typer.echo(f"no plots: matplotlib cannot be used here ({error})", err=True)
        return
    except OSError as error:
        raise RefusedError(f"the plots could not be written: {error}") from None
    from sim.render import render_gif

    trace = result.trace
    film = render_gif(
        folder / "run.gif",
        result.robot,
        result.scenario,
        trace.kept("t_s"),
        trace.kept("q_true"),
        seed=result.plan.seed,
    )
    names = [path.name for path in (*written, *([film] if film else []))]
    console.print(f"\n  drawn into {folder}: {', '.join(names)}", soft_wrap=True)


from rt import cli_bench, cli_faults, cli_link  # noqa: E402 - they hang their commands onto the app above.

cli_bench.register(app)
cli_link.register(app)
app.add_typer(cli_faults.faults_app, name="faults")
