"""Options and exit statuses that several commands of `khz` share."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from kilohertz.rt.run.plan import Keep

EXIT_SAFETY_STOP = 1
"""The robot fell or a safety stop ended the run; for a check, it was not passed."""
EXIT_USAGE = 2
EXIT_REFUSED = 3
EXIT_LINK_LOST = 4
EXIT_INTERNAL_ERROR = 5
EXIT_INTERRUPTED = 130
EXIT_NO_READER = 141
"""The reader of the output went away before its end; the same as for a program that SIGPIPE ends."""
DEFAULT_TELEMETRY_HZ = 100.0
OFF = "off"
SHORTEST_RUN_S, LONGEST_RUN_S = 0.001, 86_400.0

RobotArgument = Annotated[
    str,
    typer.Argument(
        metavar="ROBOT",
        help="Name of a shipped robot (see `khz robots`), or path of a folder that contains a robot.yaml.",
    ),
]
GainsOption = Annotated[
    Path | None,
    typer.Option("--gains", metavar="FILE", help="Use this gains file instead of the robot's gains.yaml."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE ...",
        help="Override gains, for example `--set walk.dcm_gain_per_s=4 com.weight=40`.",
    ),
]
WatchGainsOption = Annotated[
    bool,
    typer.Option(
        "--watch-gains",
        help="Apply changes of the gains file while the robot runs. "
        "Reverts a change if tracking errors, torques or joint oscillations increase.",
    ),
]
JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="FILE|-",
        help="Write the result as JSON to this file. With `-`, standard output contains only the JSON.",
        allow_dash=True,
    ),
]
PlotOption = Annotated[
    Path | None,
    typer.Option("--plot", metavar="DIR", help="Write plots (PNG) and a film (GIF) to this folder."),
]
NoFilmOption = Annotated[
    bool, typer.Option("--no-film", help="With --plot, write the plots but do not render the film.")
]
LogOption = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="DIR",
        help="Record every tick to a log file in this folder, without limits, instead of in your folder of "
        "logs (see `khz log list`).",
    ),
]
NoLogOption = Annotated[
    bool,
    typer.Option(
        "--no-log",
        help="Leave no log. In real time, the last minutes are kept in memory, and written to your folder of "
        "logs only if the robot falls, a safety stop ends the run, the link is lost, or Kilohertz fails.",
    ),
]
ScenarioOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="Name of a shipped scenario or a scenario file; without it, the robot's default scenario.",
    ),
]
DurationOption = Annotated[
    float | None,
    typer.Option(
        metavar="S",
        min=SHORTEST_RUN_S,
        max=LONGEST_RUN_S,
        help="Duration of the run in seconds, instead of the scenario's duration.",
    ),
]
SeedOption = Annotated[
    int,
    typer.Option(metavar="N", min=0, help="Random seed for sensor noise, biases, model error and terrain."),
]
SolverOption = Annotated[
    Literal["osqp", "exact"] | None,
    typer.Option(metavar="osqp|exact", help="QP solver to use, instead of the one in the gains."),
]
TelemetryOption = Annotated[
    float | None,
    typer.Option(
        "--telemetry",
        metavar="HZ",
        min=0.0,
        max=200.0,
        help="Rate at which a run in real time publishes its state for other programs, 1 to 200 Hz; 0 for "
        "no telemetry. Without this option, 100 Hz in real time.",
    ),
]
ControlOption = Annotated[
    str | None,
    typer.Option(
        "--control",
        metavar="ENDPOINT|off",
        help="Endpoint at which a run in real time takes commands, for `khz command` and `khz drive`; `off` "
        "takes none. Without this option, an ipc socket of this user.",
    ),
]
SlowMotionOption = Annotated[
    int,
    typer.Option(
        "--slow-motion",
        metavar="N",
        min=1,
        max=100,
        help="Run a simulation N times slower than real time. `khz serve` and `khz run` need the same N.",
    ),
]


def keep_of(log: Path | None, *, no_log: bool) -> Keep:
    """Returns whether a run leaves a log by itself.

    Args:
        log: value of `--log`; None if it was not given.
        no_log: whether `--no-log` was given.

    Raises:
        typer.BadParameter: both were given.
    """
    from kilohertz.rt.run.plan import Keep

    if log is not None and no_log:
        raise typer.BadParameter("--log and --no-log contradict each other")
    return Keep.TROUBLE if no_log else Keep.EVERY_RUN


def telemetry_rate(asked_hz: float | None, *, paced: bool) -> float:
    """Returns the rate of the telemetry of a run [Hz]; 0 for none.

    Args:
        asked_hz: value of the option; None if it was not given.
        paced: whether the run is in real time.

    Raises:
        typer.BadParameter: the rate is below 1 Hz, or the run is not in real time.
    """
    if asked_hz is None:
        return DEFAULT_TELEMETRY_HZ if paced else 0.0
    if 0.0 < asked_hz < 1.0:
        raise typer.BadParameter(f"--telemetry is 0 or between 1 and 200 Hz, not {asked_hz:g}")
    if asked_hz and not paced:
        raise typer.BadParameter("--telemetry needs a run in real time")
    return asked_hz


def control_endpoint(asked: str | None, *, paced: bool, robot: str) -> str | None:
    """Returns the endpoint at which a run takes commands; None for none.

    Args:
        asked: value of the option; None if it was not given.
        paced: whether the run is in real time.
        robot: name or folder of the robot.

    Raises:
        typer.BadParameter: an endpoint was given for a run that is not in real time.
    """
    if asked == OFF or (asked is None and not paced):
        return None
    if not paced:
        raise typer.BadParameter("--control needs a run in real time")
    if asked is not None:
        return asked
    from kilohertz.robots.config.config_error import ConfigError
    from kilohertz.robots.wire.endpoint import check_endpoint
    from kilohertz.rt.cli.output import progress
    from kilohertz.rt.live import control_endpoint as endpoints

    try:
        endpoint = endpoints.control_endpoint(robot)
        check_endpoint(endpoint, keys=False, bind=True)
    except ConfigError as error:
        # The robot itself can still be controlled.
        progress(f"no commands are taken during this run: {error}")
        return None
    return endpoint


class Link(enum.Enum):
    """Where the simulated robot runs."""

    INPROC = "inproc"
    ZMQ = "zmq"
