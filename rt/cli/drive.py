"""The command `khz drive`: a person drives the robot of a running controller by keyboard or gamepad."""

from __future__ import annotations

import signal
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kilohertz.rt.cli.command import (
    ControlledRobotOption,
    ControllerKeyOption,
    ControlOption,
    KeyOption,
    TimeoutOption,
    connected,
)
from kilohertz.rt.cli.output import progress, screen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kilohertz.rt.drive.drive import Drive
    from kilohertz.rt.drive.terminal import Terminal

_SHOW_S = 0.1


def drive(
    control: ControlOption = None,
    robot: ControlledRobotOption = None,
    speed: Annotated[
        float,
        typer.Option(
            "--speed", metavar="M_S", min=0.1, max=1.0, help="Speed forward at the beginning, in m/s."
        ),
    ] = 0.4,
    gamepad: Annotated[
        bool,
        typer.Option("--gamepad", help="Use a gamepad too; needs the optional extra `drive` of the package."),
    ] = False,
    timeout: TimeoutOption = 3.0,
    key: KeyOption = None,
    controller_key: ControllerKeyOption = None,
) -> None:
    """Drive the robot of a running controller with the keys of this terminal, or with a gamepad.

    The robot moves only while a key, or a shoulder button of the gamepad, is held. Whoever drives takes over
    from programs. The end of the command, however it ends, lets the robot stand.

    Exit status: 0 the run was ended with the key x; 2 wrong usage; 3 refused; 4 no controller answers, or it
    does not answer any more; 130 left with Ctrl-C.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise typer.BadParameter("khz drive reads keys and shows a screen: run it in a terminal")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    with connected(control, robot, "person", timeout, key, controller_key, name="khz drive") as client:
        from rich.live import Live

        from kilohertz.robots.config.config_error import ConfigError
        from kilohertz.rt.drive.drive import Drive, behaviours_by_key
        from kilohertz.rt.drive.terminal import Terminal
        from kilohertz.rt.loop.signals import told_by_signals
        from kilohertz.rt.show.drive_screen import drive_screen

        if "walk" not in client.behaviours:
            raise ConfigError(f"'{client.robot}' does not walk: khz drive has nothing to drive")
        pad = _gamepad() if gamepad else None
        behaviours = behaviours_by_key(client)
        driver = Drive(client, behaviours, pad.read if pad is not None else None, speed)

        def shown() -> Any:
            name = pad.name if pad is not None else None
            return drive_screen(driver, client.robot, client.endpoint, behaviours, name)

        # An exception in a signal handler could leave the terminal as it is while keys are read.
        signals: list[int] = []
        with (
            told_by_signals(signals.append),
            Live(shown(), console=screen(), screen=True, auto_refresh=False) as live,
            Terminal() as terminal,
        ):
            _until_over(driver, terminal, signals, lambda: live.update(shown(), refresh=True))
    progress("the run has ended")


def _until_over(driver: Drive, terminal: Terminal, signals: Sequence[int], show: Callable[[], None]) -> None:
    """Drives until the run has ended.

    Args:
        driver: turns keys into commands.
        terminal: the keyboard.
        signals: signals that ask this command to end; filled while it runs.
        show: updates the screen.

    Raises:
        KeyboardInterrupt: the person leaves, or the terminal was closed.
        LinkLostError: the controller does not answer any more.
    """
    from kilohertz.rt.drive.drive import PERIOD_S

    due_s = shown_s = time.monotonic()
    while not driver.over:
        if signals:
            raise KeyboardInterrupt
        now_s = time.monotonic()
        try:
            events = terminal.events(now_s)
        except EOFError:
            raise KeyboardInterrupt from None
        driver.step(now_s, events)
        if now_s >= shown_s:
            shown_s = now_s + _SHOW_S
            show()
        due_s = max(due_s + PERIOD_S, time.monotonic())
        time.sleep(max(due_s - time.monotonic(), 0.0))


def _leave(*_: object) -> None:
    raise KeyboardInterrupt


def _gamepad() -> Any:
    from kilohertz.rt.drive.gamepad import Gamepad

    return Gamepad()
