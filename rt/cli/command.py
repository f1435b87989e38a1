"""The command `khz command`: one request to a running controller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.cli import options as options
from kilohertz.rt.cli.output import RefusedError, check_file, progress, say, write_json

if TYPE_CHECKING:
    from kilohertz.rt.live.client import ControlClient

ControlOption = Annotated[
    str | None,
    typer.Option(
        "--control",
        metavar="ENDPOINT",
        help="Control endpoint of the running controller: ipc://PATH or tcp://HOST:PORT.",
    ),
]
ControlledRobotOption = Annotated[
    str | None,
    typer.Option(
        "--robot", metavar="ROBOT", help="Robot at whose default control endpoint the controller runs."
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", metavar="NAME", help="Name of the key pair of this computer; see `khz keys`."),
]
ControllerKeyOption = Annotated[
    str | None,
    typer.Option(
        "--controller-key", metavar="NAME", help="Name of the controller's public key; see `khz keys`."
    ),
]
TimeoutOption = Annotated[
    float,
    typer.Option("--timeout", metavar="S", min=0.1, max=3600.0, help="Seconds to wait for the controller."),
]


def command(
    request: Annotated[
        str,
        typer.Argument(
            metavar="REQUEST",
            help="Behaviour and its parameters as in a scenario, as YAML: 'walk: {velocity_m_s: [0.3, 0]}'.",
        ),
    ],
    control: ControlOption = None,
    robot: ControlledRobotOption = None,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="Wait until the behaviour is done, too; most go on, `bow` and `footsteps` end."
        ),
    ] = False,
    role: Annotated[
        Literal["person", "program"],
        typer.Option(metavar="person|program", help="A person takes over from a program."),
    ] = "person",
    timeout: TimeoutOption = 3.0,
    key: KeyOption = None,
    controller_key: ControllerKeyOption = None,
    json_file: options.JsonOption = None,
) -> None:
    """Request one behaviour of a running controller.

    Exit status: 0 the request is accepted (with --wait: done); 2 wrong usage; 3 refused, or the behaviour
    ended before it was done; 4 no controller answers; 130 stopped by Ctrl-C.
    """
    check_file(json_file)
    behaviour, parameters = behaviour_of(request)
    with connected(control, robot, role, timeout, key, controller_key) as client:
        number = client.command(behaviour, parameters)
        if not wait:
            say(f"{behaviour} is accepted", json_file)
            write_json(json_file, {"behaviour": behaviour, "accepted": True, "done": None})
            return
        progress(f"{behaviour} is accepted")
        why = client.wait_done(number)
        if why:
            raise RefusedError(f"{behaviour} ended before it was done: {why}")
        say(f"{behaviour} is done", json_file)
        write_json(json_file, {"behaviour": behaviour, "accepted": True, "done": True})


def behaviour_of(request: str) -> tuple[str, dict[str, Any]]:
    """Returns behaviour and parameters of a request.

    Args:
        request: YAML text such as `walk: {velocity_m_s: [0.3, 0]}`, or only the name of a behaviour.

    Raises:
        ConfigError: the text is something else.
    """
    from kilohertz.robots.config.yaml_file import parse_value

    content = parse_value(request, "the request")
    if isinstance(content, str):
        return content, {}
    if isinstance(content, dict) and len(content) == 1:
        ((behaviour, parameters),) = content.items()
        if parameters is None:
            parameters = {}
        if isinstance(behaviour, str) and isinstance(parameters, dict):
            return behaviour, parameters
    raise ConfigError(
        f"{request[:200]!r} is no request: write one behaviour with its parameters, such as "
        "'walk: {velocity_m_s: [0.3, 0]}'"
    )


def endpoint_of(control: str | None, robot: str | None) -> str:
    """Returns the control endpoint that the options `--control` and `--robot` mean.

    Raises:
        BadParameter: neither or both are given.
        ConfigError: there is no such robot.
    """
    if (control is None) == (robot is None):
        raise typer.BadParameter("give one of --control ENDPOINT and --robot ROBOT")
    if control is not None:
        return control
    from kilohertz.rt.live.control_endpoint import control_endpoint

    assert robot is not None
    return control_endpoint(robot)


def connected(
    control: str | None,
    robot: str | None,
    role: str,
    timeout_s: float,
    key: str | None,
    controller_key: str | None,
    *,
    name: str = "khz",
) -> ControlClient:
    """Connects to the controller that the options of a command mean.

    Args:
        control: control endpoint; None to use that of a robot.
        robot: name or folder of the robot.
        role: person or program.
        timeout_s: time to wait for the controller [s].
        key: name of the key pair of this computer; None for a controller without keys.
        controller_key: name of the controller's public key; None for a controller without keys.
        name: name of this client, which other clients are told.

    Raises:
        BadParameter: neither or both of `control` and `robot` are given.
        ConfigError: the endpoint or a key cannot be used.
        LinkLostError: no controller answers.
    """
    endpoint = endpoint_of(control, robot)
    from kilohertz.robots.wire.endpoint import load_key, load_public
    from kilohertz.rt.live.client import ControlClient

    return ControlClient(
        endpoint,
        name=name,
        role=role,
        key=load_key(key) if key is not None else None,
        controller_key=load_public(controller_key) if controller_key is not None else None,
        timeout_s=timeout_s,
    )
