"""`khz view`: the cockpit of a running controller in a browser."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from kilohertz.rt.view.address import DEFAULT_PORT, LOOPBACK


class View(enum.Enum):
    """Ways to look at a run while it is running."""

    COCKPIT = "cockpit"
    FOXGLOVE = "foxglove"
    MUJOCO = "mujoco"


ViewOption = Annotated[
    View | None,
    typer.Option(
        "--view",
        help="Show the run while it is running; needs a run in real time. cockpit: the page of `khz view`, "
        "whose address is printed; foxglove: a server on this computer for Foxglove or Lichtblick; mujoco: "
        "MuJoCo's viewer as a page, where the mouse pushes a simulated robot.",
    ),
]


def check_view(view: View | None, telemetry_hz: float) -> None:
    """Refuses to show a run that cannot be shown.

    Args:
        view: how to show it; None for not at all.
        telemetry_hz: rate of the run's telemetry [Hz].

    Raises:
        typer.BadParameter: the run has no telemetry.
        ConfigError: the library of the view is not installed.
    """
    if view is None:
        return
    if not telemetry_hz:
        raise typer.BadParameter("--view needs a run in real time, with telemetry")
    from kilohertz.rt.view.process import require_library

    require_library(view.value)


@contextmanager
def viewed(view: View | None, robot: str) -> Iterator[None]:
    """Shows the run of a robot in another process, for the duration of a `with` block.

    Args:
        view: how; None for not at all.
        robot: name of the robot.
    """
    if view is None:
        yield
        return
    from kilohertz.rt.view.process import shown

    with shown(view.value, robot):
        yield


def view(
    telemetry: Annotated[
        str | None,
        typer.Option(
            "--telemetry",
            metavar="ENDPOINT|ROBOT",
            help="Endpoint of the telemetry, or name of the robot; without it, that of the only robot that "
            "publishes telemetry.",
        ),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            "--control",
            metavar="ENDPOINT",
            help="Control endpoint of the controller; without it, the one that the telemetry names.",
        ),
    ] = None,
    bind: Annotated[
        str,
        typer.Option(
            "--bind",
            metavar="HOST",
            help="IP address at which the page is served; any but the loopback address needs --token.",
        ),
    ] = LOOPBACK,
    port: Annotated[
        int,
        typer.Option(
            "--port", metavar="N", min=0, max=65535, help="Port of the page; the next one if it is in use."
        ),
    ] = DEFAULT_PORT,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="TOKEN",
            help="Secret token in the address of the page, instead of a random one.",
        ),
    ] = None,
) -> None:
    """Show a running controller in a browser: robot, forces, plots, gains and controls.

    Prints the address of the page. It contains a secret token: who has it can move the robot. The page stays
    until Ctrl-C, and shows the next run, too.

    Exit status: 3 refused; 130 stopped by Ctrl-C.
    """
    from kilohertz.rt.telemetry.subscriber import endpoint_named
    from kilohertz.rt.view.process import only_endpoint, show

    endpoint = endpoint_named(telemetry) if telemetry is not None else only_endpoint()
    show(endpoint, control, bind, port, token, lambda address: typer.echo(f"cockpit at {address}"))
