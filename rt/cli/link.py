"""Commands that use a robot over the wire protocol: serve, bridge, run, stop, protocol and keys."""

from __future__ import annotations

import enum
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kilohertz.rt.cli import options as options
from kilohertz.rt.cli.assignments import WithAssignments, check_assignments
from kilohertz.rt.cli.command import ControlledRobotOption, endpoint_of
from kilohertz.rt.cli.output import check_file, check_outputs, progress, say, write_json
from kilohertz.rt.cli.run import run_plan
from kilohertz.rt.cli.view import ViewOption

if TYPE_CHECKING:
    from kilohertz.robots.model.robot_model import RobotModel
    from kilohertz.robots.unitree.bridge import UnitreeBridge

BindOption = Annotated[
    str | None,
    typer.Option(
        "--bind",
        metavar="ENDPOINT",
        help="Endpoint to open: ipc://PATH or tcp://HOST:PORT; without it, an ipc socket of this user.",
    ),
]
ConnectOption = Annotated[
    str,
    typer.Option(
        "--connect", metavar="ENDPOINT", help="Endpoint of the robot: ipc://PATH or tcp://HOST:PORT."
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", metavar="NAME", help="Name of the key pair of this computer; see `khz keys`."),
]
RobotKeyOption = Annotated[
    str | None,
    typer.Option("--robot-key", metavar="NAME", help="Name of the robot's public key; see `khz keys`."),
]
AllowOption = Annotated[
    bool,
    typer.Option("--allow-no-rt", help="Command hardware even if `khz doctor` finds this host unfit."),
]
ReadonlyOption = Annotated[
    bool,
    typer.Option(
        "--readonly",
        help="Only watch while another controller commands the robot: compute everything, send nothing, "
        "compare the torques, and say whether it would have been safe to take over.",
    ),
]


NetworkOption = Annotated[
    str | None,
    typer.Option(
        "--network",
        metavar="INTERFACE",
        help="Network interface to a robot of Unitree, such as eth0; `lo` for a stand-in on this computer.",
    ),
]
DomainOption = Annotated[
    int, typer.Option("--domain", metavar="N", help="DDS domain of a robot of Unitree.", min=0, max=232)
]

ReleaseOption = Annotated[
    bool,
    typer.Option(
        "--release",
        help="Release a robot of Unitree from its motion service at the start. It is limp afterwards: "
        "hang it first.",
    ),
]
MotionServiceOption = Annotated[
    bool,
    typer.Option(
        "--motion-service/--no-motion-service",
        help="Whether the robot of Unitree has a motion service, which must release it; unitree_mujoco "
        "has none.",
    ),
]
WaitOption = Annotated[
    bool,
    typer.Option("--lockstep", help="Wait for each command, with `khz serve --as unitree --lockstep`."),
]


class Maker(enum.Enum):
    """Makers of machines with a bridge."""

    UR = "ur"
    FRANKA = "franka"
    UNITREE = "unitree"


class Language(enum.Enum):
    """What a simulated robot speaks."""

    WIRE = "wire"
    UNITREE = "unitree"


keys_app = typer.Typer(help="Create and list the keys for robots on other computers.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the commands to the app."""
    for command in (serve, bridge, stop, protocol):
        app.command()(command)
    app.command(cls=WithAssignments)(run)
    app.add_typer(keys_app, name="keys")


def serve(
    robot: options.RobotArgument,
    scenario: options.ScenarioOption = None,
    bind: BindOption = None,
    seed: options.SeedOption = 0,
    lockstep: Annotated[
        bool,
        typer.Option("--lockstep", help="Wait for each command before the next step, instead of real time."),
    ] = False,
    key: KeyOption = None,
    slow_motion: options.SlowMotionOption = 1,
    language: Annotated[
        Language,
        typer.Option(
            "--as",
            metavar="wire|unitree",
            help="What the robot speaks: the wire protocol, or the DDS messages of Unitree's robots, for "
            "`khz bridge unitree`.",
        ),
    ] = Language.WIRE,
    network: NetworkOption = None,
    domain: DomainOption = 0,
) -> None:
    """Simulate a robot that is controlled over the wire protocol, in real time, until a signal stops it.

    Of the scenario, only ground, plant, sensors and events are used; its commands come from `khz run`, which
    takes the same --scenario.

    With `--as unitree` it is a stand-in for a robot of Unitree, on the DDS domain --domain of --network (by
    default `lo`). It refuses what such a robot refuses, and says why at the end.

    Exit status: 0 stopped by SIGTERM or SIGHUP; 3 refused; 130 stopped by Ctrl-C.
    """
    from kilohertz.robots.model.period import period_ns
    from kilohertz.robots.model.robot_model import RobotModel
    from kilohertz.robots.wire.endpoint import default_endpoint
    from kilohertz.rt.loop.clock import GridClock
    from kilohertz.rt.run.background_server import READY
    from kilohertz.rt.run.serve import Serving, build_server

    if language is Language.UNITREE:
        if bind is not None or key is not None or slow_motion != 1:
            raise typer.BadParameter("--bind, --key and --slow-motion do not fit --as unitree")
        _stand_in(robot, scenario, seed, lockstep, network or "lo", domain)
        return
    if network is not None or domain:
        raise typer.BadParameter("--network and --domain need --as unitree")
    endpoint = bind if bind is not None else default_endpoint(RobotModel.load(robot).name)
    server = build_server(robot, endpoint, scenario=scenario, seed=seed, lockstep=lockstep, key=key)
    typer.echo(f"{READY} {server.robot.name} at {endpoint}")
    serving = Serving(server, GridClock(slow_motion * period_ns(server.robot)))
    serving.run()
    typer.echo(serving.farewell())
    _exit_by(serving.stopped_by)


def _stand_in(robot: str, scenario: str | None, seed: int, lockstep: bool, network: str, domain: int) -> None:
    """Runs a stand-in for a robot of Unitree."""
    from kilohertz.rt.run.background_server import READY
    from kilohertz.rt.run.unitree_process import StandingIn, build_stand_in

    stand_in = build_stand_in(robot, network, domain=domain, scenario=scenario, seed=seed, lockstep=lockstep)
    typer.echo(f"{READY} {stand_in.family.name} in the DDS domain {domain} of {network}")
    standing = StandingIn(stand_in, lockstep=lockstep)
    standing.run()
    typer.echo(standing.farewell())
    _exit_by(standing.stopped_by)


def bridge(
    maker: Annotated[Maker, typer.Argument(metavar="ur|franka|unitree", help="Maker of the machine.")],
    robot: options.RobotArgument,
    robot_ip: Annotated[
        str | None,
        typer.Option(
            "--robot-ip", metavar="HOST", help="Address of an arm's control box; for ur and franka."
        ),
    ] = None,
    network: NetworkOption = None,
    domain: DomainOption = 0,
    release: ReleaseOption = False,
    motion_service: MotionServiceOption = True,
    lockstep: WaitOption = False,
    bind: BindOption = None,
    key: KeyOption = None,
    allow_no_rt: AllowOption = False,
) -> None:
    """Connect a maker's machine to the wire protocol, until a signal stops it.

    `ur` and `franka` are arms, whose own controller holds them until `khz run` enables torque control, and
    takes over again afterwards. `unitree` is a G1, H1-2, H1 or Go2, whose joints damp afterwards. Needs the
    maker's library, which the optional extra `ur`, `franka` or `unitree` of the package installs.

    Exit status: 0 stopped by SIGTERM or SIGHUP; 2 wrong usage; 3 refused; 4 the machine does not answer; 130
    stopped by Ctrl-C.
    """
    from kilohertz.robots.model.robot_model import RobotModel
    from kilohertz.robots.wire.endpoint import default_endpoint
    from kilohertz.rt.doctor.fitness import require_fit_host
    from kilohertz.rt.run.background_server import READY
    from kilohertz.rt.run.maker_bridge_process import Bridge, Bridging, build_bridge, connect_arm

    wanted = _address(maker, robot_ip, network)
    model = RobotModel.load(robot)
    endpoint = bind if bind is not None else default_endpoint(model.name)
    warning = None if lockstep else require_fit_host(allow_no_rt)
    if warning is not None:
        progress(warning)
    found: Bridge
    if maker is Maker.UNITREE:
        found = _unitree_bridge(model, endpoint, wanted, domain, release, motion_service, lockstep, key)
    else:
        arm = connect_arm(maker.value, wanted, enforce_realtime=warning is None)
        found = build_bridge(model, arm, endpoint, key=key)
    bridging = Bridging(found)
    typer.echo(f"{READY} {model.name} at {endpoint}")
    bridging.run()
    _tell_cut_off(*bridging.bridge.cut_off)
    _exit_by(bridging.stopped_by)


def _unitree_bridge(
    model: RobotModel,
    endpoint: str,
    network: str,
    domain: int,
    release: bool,
    motion_service: bool,
    lockstep: bool,
    key: str | None,
) -> UnitreeBridge:
    """Connects to a robot of Unitree, and prints the notes about it."""
    from kilohertz.rt.run.unitree_process import build_unitree_bridge

    found, notes = build_unitree_bridge(
        model,
        endpoint,
        network,
        domain=domain,
        release=release,
        service=motion_service,
        lockstep=lockstep,
        key=key,
    )
    for note in notes:
        progress(note)
    return found


def _address(maker: Maker, robot_ip: str | None, network: str | None) -> str:
    """Returns the one of both addresses that the maker's machine needs."""
    needed, other = (network, robot_ip) if maker is Maker.UNITREE else (robot_ip, network)
    if needed is None or other is not None:
        name = "--network" if maker is Maker.UNITREE else "--robot-ip"
        raise typer.BadParameter(f"a bridge to {maker.value} needs {name}, and not the other one")
    return needed


def _tell_cut_off(count: int, last: str) -> None:
    """Prints how many peers were cut off, if any."""
    from kilohertz.rt.run.serve import cut_off_sentence

    farewell = cut_off_sentence(count, last)
    if farewell:
        typer.echo(farewell)


def _exit_by(signal_number: int | None) -> None:
    """Ends the command with the status for Ctrl-C where that stopped it."""
    if signal_number == signal.SIGINT:
        raise typer.Exit(options.EXIT_INTERRUPTED)


def run(
    robot: options.RobotArgument,
    connect: ConnectOption,
    scenario: options.ScenarioOption = None,
    duration: options.DurationOption = None,
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
    view: ViewOption = None,
    lockstep: Annotated[
        bool,
        typer.Option(
            "--lockstep",
            help="Run in lockstep with a simulator started by `khz serve --lockstep`, instead of real time.",
        ),
    ] = False,
    readonly: ReadonlyOption = False,
    key: KeyOption = None,
    robot_key: RobotKeyOption = None,
    allow_no_rt: AllowOption = False,
    slow_motion: options.SlowMotionOption = 1,
) -> None:
    """Control a robot over the wire protocol.

    Exit status: 0 done; 1 the robot fell or a safety stop ended the run; 2 wrong usage; 3 refused, for
    example the wrong robot or an unfit host; 4 the link was lost; 5 Kilohertz itself failed; 130 stopped by
    Ctrl-C, with all files written.
    """
    check_outputs(json_file, log, plot)
    from kilohertz.rt.run.session import RunPlan

    plan = RunPlan(
        robot,
        scenario,
        duration,
        gains=gains,
        solver=solver,
        watch_gains=watch_gains,
        endpoint=connect,
        lockstep=lockstep,
        readonly=readonly,
        key=key,
        robot_key=robot_key,
        allow_no_rt=allow_no_rt,
        slow_motion=slow_motion,
        log=log,
        keep=options.keep_of(log, no_log=no_log),
        control=options.control_endpoint(control, paced=not lockstep, robot=robot),
        telemetry_hz=options.telemetry_rate(telemetry, paced=not lockstep),
        overrides=check_assignments(assignments, watch_gains),
    )
    run_plan(plan, json_file, plot, film=not no_film, view=view)


def stop(
    connect: Annotated[
        str | None,
        typer.Option(
            "--connect",
            metavar="ENDPOINT",
            help="Endpoint of the robot: it damps its joints at once, whatever its controller does.",
        ),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            "--control",
            metavar="ENDPOINT",
            help="Control endpoint of the running controller: the robot comes to rest first.",
        ),
    ] = None,
    robot: ControlledRobotOption = None,
    damp: Annotated[
        bool, typer.Option("--damp", help="With --control or --robot, damp the joints at once instead.")
    ] = False,
    key: KeyOption = None,
    robot_key: RobotKeyOption = None,
) -> None:
    """Stop a robot, even while another program controls it; with one of --connect, --control and --robot.

    With --connect the drives only oppose joint velocity, until `khz run` arms the robot again. With
    --control or --robot, its controller brings the robot to rest and ends; --robot-key is then that of the
    controller. If the process that takes its commands does not answer, a controller on this computer is
    stopped by a signal.

    Exit status: 0 done; 2 wrong usage; 3 refused; 4 nobody answers.
    """
    if sum(given is not None for given in (connect, control, robot)) != 1:
        raise typer.BadParameter("give one of --connect ENDPOINT, --control ENDPOINT and --robot ROBOT")
    from kilohertz.robots.wire.endpoint import load_key, load_public

    pair = load_key(key) if key is not None else None
    theirs = load_public(robot_key) if robot_key is not None else None
    if connect is not None:
        from kilohertz.robots.wire.zmq_link import stop_robot

        stop_robot(connect, "khz stop", key=pair, robot_key=theirs)
        typer.echo("the robot is damping")
        return
    from kilohertz.robots.wire.link import LinkLostError
    from kilohertz.rt.live.client import stop_controller
    from kilohertz.rt.live.loop_process import stop_by_signal

    endpoint = endpoint_of(control, robot)
    try:
        stop_controller(endpoint, "damp" if damp else "soft", "khz stop", key=pair, controller_key=theirs)
    except LinkLostError:
        # The process that takes commands is dead or stopped; that of the loop may be alive.
        if not stop_by_signal(endpoint, damp=damp):
            raise
        typer.echo("the agent does not answer: the controller is stopped by a signal")
    typer.echo("the robot is damping" if damp else "the robot is coming to rest")


def protocol(
    c_driver: Annotated[
        bool, typer.Option("--c-driver", help="Print the source of the example of a driver in C instead.")
    ] = False,
    commands: Annotated[
        bool,
        typer.Option(
            "--commands",
            help="Print the protocol of the command channel instead, by which programs command a running "
            "controller.",
        ),
    ] = False,
    path: Annotated[
        bool, typer.Option("--path", help="Print the paths of the files instead of their contents.")
    ] = False,
    envelope: Annotated[
        str | None,
        typer.Option(
            "--envelope",
            metavar="ROBOT",
            help="Print the limits of this robot's envelope instead, as JSON, for its driver.",
        ),
    ] = None,
) -> None:
    """Print the wire protocol, which a driver for a robot must follow, as it was installed.

    With --commands, print the protocol of the command channel of a running controller.
    """
    from importlib.resources import files

    if envelope is not None:
        from kilohertz.robots.model.robot_model import RobotModel
        from kilohertz.robots.wire.envelope import envelope_numbers
        from kilohertz.robots.wire.position_envelope import position_numbers

        robot = RobotModel.load(envelope)
        numbers = envelope_numbers(robot) if robot.servo is None else position_numbers(robot)
        write_json(Path("-"), numbers.content())
        return
    folder = files("kilohertz.robots")
    page, source, header = (folder / name for name in ("PROTOCOL.md", "two_joints.c", "envelope.h"))
    channel = files("kilohertz.rt") / "COMMANDS.md"
    if path:
        typer.echo(f"{page}\n{source}\n{channel}\n{header}")
    elif c_driver:
        # One file, which needs no other.
        text = source.read_text(encoding="utf-8")
        include = '#include "envelope.h"\n'
        typer.echo(text.replace(include, header.read_text(encoding="utf-8")), nl=False)
    else:
        typer.echo((channel if commands else page).read_text(encoding="utf-8"), nl=False)


@keys_app.command()
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the key pair, for example this computer's name.")
    ],
) -> None:
    """Create a key pair.

    Copy the file NAME.public, whose path is printed, to the same folder on the other computer: a robot
    accepts connections from every public key in that folder.
    """
    from kilohertz.robots.wire.endpoint import new_key

    path: Path = new_key(name)
    typer.echo(
        f"{path} (secret key: do not copy it)\n"
        f"{path.with_name(name + '.public')} (public key: copy it to the other computer)"
    )


@keys_app.command("list")
def list_all(json_file: options.JsonOption = None) -> None:
    """List the keys on this computer: the public keys that may connect, and which secret keys exist here."""
    check_file(json_file)
    from kilohertz.robots.wire.endpoint import list_keys

    keys = list(list_keys())
    for name, public, own in keys:
        say(f"{name:20} {public} {'own key pair' if own else 'trusted'}", json_file)
    content = [{"name": name, "public": public, "own_key_pair": own} for name, public, own in keys]
    write_json(json_file, {"keys": content})
