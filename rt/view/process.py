"""The process of the cockpit, by itself or beside a run."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire.endpoint import is_served
from kilohertz.rt.host.other_cores import leave_core
from kilohertz.rt.host.realtime import default_core
from kilohertz.rt.telemetry.publisher import SUFFIX, telemetry_endpoint
from kilohertz.rt.view.address import DEFAULT_PORT, LOOPBACK, check_binding, new_token, page_address
from kilohertz.rt.view.control_link import ControlLink
from kilohertz.rt.view.operator import Operator

COCKPIT, FOXGLOVE, MUJOCO = "cockpit", "foxglove", "mujoco"
LIBRARIES = {COCKPIT: "viser", FOXGLOVE: "foxglove", MUJOCO: "websockets"}
FOXGLOVE_PORT = 8765
NICENESS = 10
END_S = 5.0


def require_library(view: str = COCKPIT) -> None:
    """Raises an error if the library of a view is not installed.

    Args:
        view: COCKPIT, FOXGLOVE or MUJOCO.

    Raises:
        ConfigError: the library is not installed.
    """
    if importlib.util.find_spec(LIBRARIES[view]) is None:
        raise ConfigError(
            f"this view needs the library {LIBRARIES[view]}; install it with: pip install 'kilohertz[view]'"
        )


def only_endpoint() -> str:
    """Returns the endpoint of the telemetry that this user's runs publish, if it is of one robot.

    Raises:
        ConfigError: there is none, or there are several.
    """
    folder = Path(telemetry_endpoint("robot").removeprefix("ipc://")).parent
    served = filter(is_served, folder.glob(f"*{SUFFIX}"))
    found = sorted(path.name.removesuffix(SUFFIX) for path in served)
    if len(found) != 1:
        found_now = (
            f"several robots publish telemetry ({', '.join(found)})"
            if found
            else "no run publishes telemetry"
        )
        raise ConfigError(f"{found_now}: name the robot, as in `khz view --telemetry g1`")
    return telemetry_endpoint(found[0])


def show(
    endpoint: str, control: str | None, host: str, port: int, token: str | None, told: Callable[[str], None]
) -> None:
    """Runs the cockpit until an exception, such as that of Ctrl-C, ends it.

    Args:
        endpoint: endpoint of the telemetry.
        control: control endpoint; None for the one that the telemetry names.
        host: IP address to bind.
        port: port of the page; if it is in use, the next free one.
        token: secret token; None for a random one, on the loopback address only.
        told: called with the address of the page.

    Raises:
        ConfigError: an endpoint or the address cannot be used, or the library is not installed.
    """
    require_library()
    from kilohertz.rt.telemetry.subscriber import Subscriber
    from kilohertz.rt.view.cockpit import Cockpit
    from kilohertz.rt.view.front_door import open_server

    check_binding(host, token)
    secret = token or new_token()
    subscriber = Subscriber(endpoint)
    _step_aside()
    server = open_server(host, port, secret, "Kilohertz")
    told(page_address(host, server.get_port(), secret))
    Cockpit(server, subscriber, lambda named: operator_of(control or named)).run()


def operator_of(endpoint: str | None) -> Operator:
    """Returns the connection for commands to a controller.

    Args:
        endpoint: control endpoint; None for a controller that takes no commands.
    """

    def connect() -> ControlLink:
        if endpoint is None:
            raise ConfigError("this run takes no commands")
        return ControlLink(endpoint)

    return Operator(connect)


def _step_aside() -> None:
    leave_core(default_core())
    os.nice(NICENESS)


def show_in_foxglove(endpoint: str, told: Callable[[str], None]) -> None:
    """Serves Foxglove and Lichtblick on this computer until an exception ends it.

    Args:
        endpoint: endpoint of the telemetry.
        told: called with the address of the server.

    Raises:
        ConfigError: the endpoint or the port cannot be used, or the library is not installed.
    """
    require_library(FOXGLOVE)
    from kilohertz.rt.telemetry.subscriber import Subscriber
    from kilohertz.rt.view.foxglove_bridge import FoxgloveBridge

    _step_aside()
    try:
        bridge = FoxgloveBridge(Subscriber(endpoint), LOOPBACK, FOXGLOVE_PORT)
    except RuntimeError as error:
        raise ConfigError(f"port {FOXGLOVE_PORT} cannot be opened for Foxglove: {error}") from None
    told(f"ws://{LOOPBACK}:{bridge.port}")
    bridge.run()


def show_in_mujoco(endpoint: str, told: Callable[[str], None]) -> None:
    """Serves MuJoCo's viewer on this computer until an exception ends it.

    Args:
        endpoint: endpoint of the telemetry.
        told: called with the address of the page.

    Raises:
        ConfigError: the endpoint or the port cannot be used, or the library is not installed.
    """
    require_library(MUJOCO)
    from kilohertz.rt.telemetry.subscriber import Subscriber
    from kilohertz.rt.view.mujoco_view import MujocoView

    _step_aside()
    secret = new_token()
    view = MujocoView(Subscriber(endpoint), LOOPBACK, 0, secret)
    told(page_address(LOOPBACK, view.port, secret))
    view.run()


@contextmanager
def shown(view: str, robot: str) -> Iterator[subprocess.Popen[bytes]]:
    """Shows the run of a robot from another process, for the duration of a `with` block.

    Args:
        view: COCKPIT, FOXGLOVE or MUJOCO.
        robot: name of the robot.

    Raises:
        ConfigError: the library of the view is not installed.
    """
    require_library(view)
    program = "from kilohertz.rt.view.process import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, view, telemetry_endpoint(robot)],
        stdin=subprocess.PIPE,
        # Standard output may be for JSON only.
        stdout=sys.stderr.fileno() if hasattr(sys.stderr, "fileno") else None,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        # Ctrl-C must reach the controller only.
        start_new_session=True,
    )
    assert process.stdin is not None
    try:
        yield process
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    """Runs the view of `shown` until the run's process closes its standard input, or ends."""
    view, endpoint = sys.argv[1:]
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    try:
        if view == COCKPIT:
            show(endpoint, None, LOOPBACK, DEFAULT_PORT, None, _print_address)
        elif view == FOXGLOVE:
            show_in_foxglove(endpoint, _print_address)
        else:
            show_in_mujoco(endpoint, _print_address)
    except ConfigError as error:
        print(f"no view of the run: {error}", file=sys.stderr, flush=True)


def _print_address(address: str) -> None:
    print(f"the run is shown at {address}", flush=True)


def _end_with_the_run() -> None:
    sys.stdin.buffer.read()
    # Nothing here needs to be finished.
    os._exit(0)
