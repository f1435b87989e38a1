"""The `khz` command.

Everything heavy is imported inside the commands: `khz --help` must not wait for a physics engine.
"""

from __future__ import annotations

import io
import os
import sys
from dataclasses import replace
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.rt.cli import (
    bench as cli_bench,
)
from kilohertz.rt.cli import (
    faults as cli_faults,
)
from kilohertz.rt.cli import (
    gains as cli_gains,
)
from kilohertz.rt.cli import (
    link as cli_link,
)
from kilohertz.rt.cli import (
    log as cli_log,
)
from kilohertz.rt.cli.options import (
    EXIT_FAULT,
    EXIT_LINK_LOST,
    EXIT_REFUSED,
    EXIT_USAGE,
    DurationOption,
    GainsOption,
    JsonOption,
    Link,
    LogOption,
    PlotOption,
    RobotArgument,
    ScenarioOption,
    SeedOption,
    WatchGainsOption,
)
from kilohertz.rt.cli.output import RefusedError, check_file, check_folder, screen, write_json
from kilohertz.rt.cli.run import run_plan
from kilohertz.rt.host.threads import limit_math_threads

LONGEST_SENTENCE = 300


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
app.add_typer(cli_gains.gains_app, name="gains")


def main() -> None:
    """Entry point of the `khz` command."""
    # BLAS reads the number of its threads once, when numpy is imported: nothing above may do that.
    limit_math_threads()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows no bars or micro signs gets question marks, and the run's figures with them.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        from kilohertz.rt.run.summary import version

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
    log: LogOption = None,
    plot: PlotOption = None,
    link: Annotated[
        Link, typer.Option(help="inproc: simulated in this process; zmq: in another, over the wire protocol.")
    ] = Link.INPROC,
) -> None:
    """Run a robot in simulation, with the controller in the loop.

    Exit status: 0 done; 1 the robot fell or a safety stop ended the run; 2 wrong usage; 3 refused.
    """
    check_file(json_file)
    check_folder(log)
    check_folder(plot)
    from kilohertz.rt.run.session import RunPlan

    plan = RunPlan(robot, scenario, duration, seed, realtime, gains, watch_gains=watch_gains, log=log)
    if link is Link.INPROC:
        run_plan(plan, json_file, plot)
    from kilohertz.rt.run.background_server import served

    with served(plan) as endpoint:
        run_plan(replace(plan, endpoint=endpoint, lockstep=not realtime), json_file, plot)


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
    check_file(json_file)
    from kilohertz.rt.doctor.report import as_table, examine, fix_hints

    if seconds and not hints:
        typer.echo(f"measuring for {seconds:g} s ...", err=True)
    report = examine(measure_s=0.0 if hints else seconds)
    if hints:
        typer.echo(fix_hints(report), nl=False)
    else:
        screen().print(as_table(report))
    write_json(json_file, report.as_json())
    raise typer.Exit(report.exit_status)


@app.command()
def robots() -> None:
    """List the robots that ship, with their degrees of freedom and licences."""
    from kilohertz.robots.model.description import shipped_robots
    from kilohertz.robots.model.robot_model import RobotModel
    from kilohertz.rt.show.screen import robots_table

    screen().print(robots_table(RobotModel.load(name) for name in shipped_robots()))


cli_bench.register(app)
cli_link.register(app)
app.add_typer(cli_faults.faults_app, name="faults")
app.add_typer(cli_log.log_app, name="log")
