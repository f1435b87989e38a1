"""The commands of `khz` that reach a robot over the wire: serve, bridge, run, stop and keys."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from kilohertz.rt.cli import options as options
from kilohertz.rt.cli.output import check_file, check_folder
from kilohertz.rt.cli.run import run_plan

BindOption = Annotated[
    str | None,
    typer.Option("--bind", metavar="ENDPOINT", help="ipc://PATH or tcp://HOST:PORT; left out, an ipc file."),
]
ConnectOption = Annotated[
    str,
    typer.Option("--connect", metavar="ENDPOINT", help="Where the robot is: ipc://PATH or tcp://HOST:PORT."),
]
KeyOption = Annotated[str | None, typer.Option("--key", metavar="NAME", help="Our own key; see `khz keys`.")]
RobotKeyOption = Annotated[
    str | None, typer.Option("--robot-key", metavar="NAME", help="The robot's public key; see `khz keys`.")
]

AllowOption = Annotated[
    bool, typer.Option("--allow-no-rt", help="Command hardware from a host that `khz doctor` finds unfit.")
]


class Maker(enum.Enum):
    """Whose arms there is a bridge for."""

    UR = "ur"
    FRANKA = "franka"


keys_app = typer.Typer(help="Keys for robots on other computers.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Hangs the commands onto the app."""
    for command in (serve, bridge, run, stop):
        app.command()(command)
    app.add_typer(keys_app, name="keys")


def serve(
    robot: options.RobotArgument,
    scenario: options.ScenarioOption = None,
    bind: BindOption = None,
    seed: options.SeedOption = 0,
    lockstep: Annotated[
        bool, typer.Option("--lockstep", help="Wait for each command, instead of keeping real time.")
    ] = False,
    key: KeyOption = None,
    slow_motion: options.SlowMotionOption = 1,
) -> None:
    """Be a robot: simulate one in real time behind the wire protocol, until stopped.

    Of the scenario this end takes ground, plant, sensors and events; `khz run` takes the commands.
    """
    from kilohertz.robots.model.period import PERIOD_NS
    from kilohertz.robots.model.robot_model import RobotModel
    from kilohertz.robots.wire.endpoint import default_endpoint
    from kilohertz.rt.loop.clock import GridClock
    from kilohertz.rt.run.background_server import READY
    from kilohertz.rt.run.serve import Serving, build_server

    endpoint = bind if bind is not None else default_endpoint(RobotModel.load(robot).name)
    server = build_server(robot, endpoint, scenario=scenario, seed=seed, lockstep=lockstep, key=key)
    typer.echo(f"{READY} {server.robot.name} at {endpoint}")
    serving = Serving(server, GridClock(slow_motion * PERIOD_NS))
    serving.run()
    typer.echo(serving.farewell())


def bridge(
    maker: Annotated[Maker, typer.Argument(metavar="ur|franka", help="Who made the arm.")],
    robot: options.RobotArgument,
    robot_ip: Annotated[str, typer.Option("--robot-ip", metavar="HOST", help="The arm's control box.")],
    bind: BindOption = None,
    key: KeyOption = None,
    allow_no_rt: AllowOption = False,
) -> None:
    """Be the robot for an arm of Universal Robots or Franka, until stopped.

    It needs the maker's library: `pip install 'kilohertz[ur]'` or `pip install 'kilohertz[franka]'`. The arm
    stays with its maker's controller until `khz run` arms it, and goes back to it afterwards.
    """
    from kilohertz.robots.model.robot_model import RobotModel
    from kilohertz.robots.wire.endpoint import default_endpoint
    from kilohertz.rt.doctor.fitness import require_fit_host
    from kilohertz.rt.run.background_server import READY
    from kilohertz.rt.run.maker_bridge_process import Bridging, build_bridge, connect_arm

    model = RobotModel.load(robot)
    endpoint = bind if bind is not None else default_endpoint(model.name)
    warning = require_fit_host(allow_no_rt)
    if warning is not None:
        typer.echo(warning, err=True)
    arm = connect_arm(maker.value, robot_ip, enforce_realtime=warning is None)
    bridging = Bridging(build_bridge(model, arm, endpoint, key=key))
    typer.echo(f"{READY} {model.name} at {endpoint}")
    bridging.run()


def run(
    robot: options.RobotArgument,
    connect: ConnectOption,
    scenario: options.ScenarioOption = None,
    duration: options.DurationOption = None,
    gains: options.GainsOption = None,
    watch_gains: options.WatchGainsOption = False,
    json_file: options.JsonOption = None,
    log: options.LogOption = None,
    plot: options.PlotOption = None,
    lockstep: Annotated[
        bool, typer.Option("--lockstep", help="The robot is simulated and waits for our commands.")
    ] = False,
    key: KeyOption = None,
    robot_key: RobotKeyOption = None,
    allow_no_rt: AllowOption = False,
    slow_motion: options.SlowMotionOption = 1,
) -> None:
    """Control a robot over the wire protocol.

    Exit status: 0 done; 1 the robot fell or a safety stop ended the run; 2 wrong usage; 3 refused, such as a
    wrong robot or an unfit host; 4 the link was lost.
    """
    check_file(json_file)
    check_folder(log)
    check_folder(plot)
    from kilohertz.rt.run.session import RunPlan

    plan = RunPlan(
        robot,
        scenario,
        duration,
        gains=gains,
        watch_gains=watch_gains,
        endpoint=connect,
        lockstep=lockstep,
        key=key,
        robot_key=robot_key,
        allow_no_rt=allow_no_rt,
        slow_motion=slow_motion,
        log=log,
    )
    run_plan(plan, json_file, plot)


def stop(connect: ConnectOption, key: KeyOption = None, robot_key: RobotKeyOption = None) -> None:
    """Make a robot damp at once, whoever commands it; it stays so until it is armed again."""
    from kilohertz.robots.wire.endpoint import load_key, load_public
    from kilohertz.robots.wire.zmq_link import stop_robot

    stop_robot(
        connect,
        "khz stop",
        key=load_key(key) if key is not None else None,
        robot_key=load_public(robot_key) if robot_key is not None else None,
    )
    typer.echo("the robot damps")


@keys_app.command()
def new(name: Annotated[str, typer.Argument(metavar="NAME", help="Such as this computer's name.")]) -> None:
    """Make a key pair.

    Copy NAME.public into the same folder on the other computer: a robot lets in whoever's public key it has.
    """
    from kilohertz.robots.wire.endpoint import new_key

    path: Path = new_key(name)
    typer.echo(
        f"{path} (secret: leave it here)\n{path.with_name(name + '.public')} (copy it to the other computer)"
    )


@keys_app.command("list")
def list_all() -> None:
    """List the keys that are here: everybody who may connect, and whether the secret is here too."""
    from kilohertz.robots.wire.endpoint import list_keys

    for name, public, own in list_keys():
        typer.echo(f"{name:20} {public} {'ours' if own else 'trusted'}")
