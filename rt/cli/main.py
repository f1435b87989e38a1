"""The `khz` command.

Commands import what they need when they run: `khz --help` must not load NumPy or a physics engine.
"""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.rt.cli import bench as cli_bench
from kilohertz.rt.cli import command as cli_command
from kilohertz.rt.cli import drive as cli_drive
from kilohertz.rt.cli import faults as cli_faults
from kilohertz.rt.cli import fit as cli_fit
from kilohertz.rt.cli import gains as cli_gains
from kilohertz.rt.cli import link as cli_link
from kilohertz.rt.cli import log as cli_log
from kilohertz.rt.cli import options as options
from kilohertz.rt.cli import robot as cli_robot
from kilohertz.rt.cli import study as cli_study
from kilohertz.rt.cli import tune as cli_tune
from kilohertz.rt.cli import view as cli_view
from kilohertz.rt.cli.assignments import WithAssignments, check_assignments
from kilohertz.rt.cli.failure import report_failure
from kilohertz.rt.cli.options import Link, control_endpoint, telemetry_rate
from kilohertz.rt.cli.output import (
    RefusedError,
    check_file,
    check_outputs,
    progress,
    say,
    screen,
    write_json,
    write_to_nowhere,
)
from kilohertz.rt.cli.run import run_plan
from kilohertz.rt.host.threads import limit_math_threads


class _Sentences(TyperGroup):
    """Reports every error as one sentence on standard error, with the exit status of its kind."""

    def main(self, args: Any = None, *rest: Any, **named: Any) -> Any:
        """Parses the command line and runs the command; wrong usage ends with status 2."""
        named["standalone_mode"] = False
        try:
            status = super().main(args, *rest, **named)
        except TyperException as error:
            message = error.format_message().strip()
            # The message is empty for a group without a command: it has printed its help.
            if message:
                progress(f"{message.rstrip('.')}. Try '{_command_path(error)} --help'.")
            sys.exit(options.EXIT_USAGE)
        except typer.Abort:
            sys.exit(options.EXIT_INTERRUPTED)
        except Exception as error:
            report_failure(error)
            sys.exit(options.EXIT_INTERNAL_ERROR)
        sys.exit(status if isinstance(status, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, TyperException):
            raise
        except BrokenPipeError:
            # The reader of the output, such as `head`, has seen enough: that is no failure.
            write_to_nowhere()
            raise typer.Exit(options.EXIT_NO_READER) from None
        except KeyboardInterrupt:
            progress("stopped by Ctrl-C")
            raise typer.Exit(options.EXIT_INTERRUPTED) from None
        except LinkLostError as error:
            progress(str(error))
            raise typer.Exit(options.EXIT_LINK_LOST) from None
        except (ConfigError, RefusedError) as error:
            progress(str(error))
            raise typer.Exit(options.EXIT_REFUSED) from None
        except Exception as error:
            report_failure(error)
            raise typer.Exit(options.EXIT_INTERNAL_ERROR) from None


def _command_path(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else "khz"


app = typer.Typer(
    cls=_Sentences,
    help="Kilohertz: a 1 kHz whole-body controller for bipeds and arms.",
    epilog="Exit status: 0 done; 1 the robot fell or a safety stop ended the run; 2 wrong usage; "
    "3 robot, file or host refused; 4 the link was lost; 5 Kilohertz itself failed; 130 stopped by Ctrl-C.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Entry point of the `khz` command."""
    # BLAS reads its number of threads once, when NumPy is imported: nothing above may import NumPy.
    limit_math_threads()
    for stream in (sys.stdout, sys.stderr):
        # A terminal whose encoding lacks block or micro signs shows question marks in their place.
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
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version of Kilohertz."
        ),
    ] = False,
) -> None:
    pass


@app.command(cls=WithAssignments)
def sim(
    robot: options.RobotArgument,
    scenario: options.ScenarioOption = None,
    duration: options.DurationOption = None,
    seed: options.SeedOption = 0,
    realtime: Annotated[
        bool,
        typer.Option("--realtime", help="Run at 1 kHz in real time, instead of as fast as possible."),
    ] = False,
    solver: options.SolverOption = None,
    gains: options.GainsOption = None,
    assignments: options.SetOption = None,
    watch_gains: options.WatchGainsOption = False,
    json_file: options.JsonOption = None,
    log: options.LogOption = None,
    no_log: options.NoLogOption = False,
    plot: options.PlotOption = None,
    no_film: options.NoFilmOption = False,
    telemetry: options.TelemetryOption = None,
    control: options.ControlOption = None,
    view: cli_view.ViewOption = None,
    link: Annotated[
        Link,
        typer.Option(
            help="inproc: simulate in this process; zmq: in another process, over the wire protocol."
        ),
    ] = Link.INPROC,
) -> None:
    """Run the controller on a simulated robot and report how well it did.

    Exit status: 0 done; 1 the robot fell or a safety stop ended the run; 2 wrong usage; 3 refused (the text
    names file, line and key); 5 Kilohertz itself failed; 130 stopped by Ctrl-C, with all files written.
    """
    overrides = check_assignments(assignments, watch_gains)
    check_outputs(json_file, log, plot)
    from kilohertz.rt.run.session import RunPlan

    plan = RunPlan(
        robot,
        scenario,
        duration,
        seed,
        realtime,
        gains,
        solver=solver,
        watch_gains=watch_gains,
        log=log,
        keep=options.keep_of(log, no_log=no_log),
        control=control_endpoint(control, paced=realtime, robot=robot),
        telemetry_hz=telemetry_rate(telemetry, paced=realtime),
        overrides=overrides,
    )
    if link is Link.INPROC:
        run_plan(plan, json_file, plot, film=not no_film, view=view)
    from kilohertz.rt.run.background_server import served

    with served(plan) as endpoint:
        plan = replace(plan, endpoint=endpoint, lockstep=not realtime)
        run_plan(plan, json_file, plot, film=not no_film, view=view)


@app.command()
def doctor(
    json_file: options.JsonOption = None,
    hints: Annotated[
        bool,
        typer.Option(
            "--fix-hints",
            help="Print a shell script that makes the recommended changes; measures nothing.",
        ),
    ] = False,
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds",
            metavar="S",
            min=0.0,
            max=3600.0,
            help="Duration of the wake-up latency measurement in seconds; 0 measures nothing.",
        ),
    ] = 10.0,
) -> None:
    """Check whether this host can run a 1 kHz loop, and list what to change.

    Exit status: 0 fit, with or without warnings; 3 unfit.
    """
    check_file(json_file)
    from kilohertz.rt.doctor.report import as_table, examine, fix_hints

    if seconds and not hints:
        progress(f"measuring for {seconds:g} s ...")
    report = examine(measure_s=0.0 if hints else seconds)
    if hints:
        say(fix_hints(report).rstrip("\n"), json_file)
    else:
        screen(json_file).print(as_table(report))
    write_json(json_file, report.as_json())
    raise typer.Exit(report.exit_status)


@app.command()
def robots(json_file: options.JsonOption = None) -> None:
    """List the shipped robots with their joints, base, mass and licence."""
    check_file(json_file)
    from kilohertz.robots.model.description import shipped_robots
    from kilohertz.robots.model.robot_model import RobotModel
    from kilohertz.rt.show.screen import robots_table

    models = [RobotModel.load(name) for name in shipped_robots()]
    screen(json_file).print(robots_table(models))
    write_json(
        json_file,
        {
            "robots": [
                {
                    "robot": model.name,
                    "joints": model.na,
                    "base": "floating" if model.floating else "fixed",
                    "mass_kg": model.mass_kg,
                    "contacts": list(model.contact_names),
                    "hands": list(model.hand_names),
                    "licence": model.description.licence,
                }
                for model in models
            ]
        },
    )


cli_link.register(app)
app.command()(cli_command.command)
app.command()(cli_drive.drive)
app.command()(cli_fit.fit)
app.command()(cli_tune.tune)
app.command()(cli_view.view)
cli_bench.register(app)
app.add_typer(cli_robot.robot_app, name="robot")
app.add_typer(cli_gains.gains_app, name="gains")
app.add_typer(cli_faults.faults_app, name="faults")
app.add_typer(cli_log.log_app, name="log")
app.add_typer(cli_study.sweep_app, name="sweep")
