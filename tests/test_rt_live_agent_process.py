"""The agent in a process of its own: it dies with its parent, bounds what it takes in, and blocks nobody."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from control_channel import FakeLoop, controller, new_mailbox

from kilohertz.controller.gains.schema import StreamGains
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.endpoint import load_key, load_public, new_key
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.zmtp import COMMAND, MORE, command_body, frame, greeting, metadata
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.agent.process import CYCLE_NS, Agent, running_agent
from kilohertz.rt.live.client import ControlClient
from kilohertz.rt.live.command_mailbox import DAMP
from kilohertz.rt.live.stream_targets import StreamTargets

pytestmark = pytest.mark.host

LIMIT_S = 60.0
OPENING = greeting(b"NULL", server=False) + frame(
    COMMAND, command_body(b"READY", metadata(Socket_Type=b"DEALER"))
)


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel.load("panda")


def wait_until(condition: Callable[[], Any]) -> None:
    until_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(1e-3)


def test_the_process_serves_clients_and_leaves_no_socket_behind(robot: RobotModel, tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path / 'control'}"
    mailbox = new_mailbox(robot)
    loop = FakeLoop(robot, mailbox)
    with running_agent("panda", mailbox, endpoint) as process:
        loop.tick(time.monotonic_ns())
        with ControlClient(endpoint, timeout_s=LIMIT_S) as client:

            def send() -> bool:
                client.stream(StreamTargets(posture_rad={"panda_joint1": 0.3}))
                loop.tick(time.monotonic_ns())
                return bool(loop.streams.posture_q[0] == 0.3)

            wait_until(send)
            client.stop("damp")
            wait_until(lambda: loop.tick(time.monotonic_ns()) or loop.stops == [DAMP])
        assert os.getsid(process.pid) != os.getsid(0)
        with (
            pytest.raises(ConfigError, match="another process serves"),
            running_agent("panda", mailbox, endpoint),
        ):
            pass
    assert list(tmp_path.iterdir()) == []
    with (
        pytest.raises(ConfigError, match="can be reached from other computers"),
        running_agent("panda", mailbox, "tcp://0.0.0.0:5599"),
    ):
        pass


@pytest.mark.long
def test_an_agent_with_keys_is_ended_even_if_it_is_stopped(
    robot: RobotModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KILOHERTZ_KEYS", str(tmp_path / "keys"))
    for name in ("controller", "desk"):
        new_key(name)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    mailbox = new_mailbox(robot)
    with (
        pytest.raises(ConfigError, match="there is no key"),
        running_agent("panda", mailbox, endpoint, key="nobody"),
    ):
        pass
    gains = StreamGains(wrench_N=12.0)
    with running_agent("panda", mailbox, endpoint, key="controller", gains=gains) as process:
        FakeLoop(robot, mailbox).tick(time.monotonic_ns())
        keys = {"key": load_key("desk"), "controller_key": load_public("controller")}
        with ControlClient(endpoint, timeout_s=LIMIT_S, **keys) as client:
            assert client.describe("streams")["wrench_N"] == 12.0
        with pytest.raises(LinkLostError):
            ControlClient(endpoint, timeout_s=0.3)
        os.kill(process.pid, signal.SIGSTOP)
    assert process.poll() is not None


@pytest.mark.long
def test_the_agent_dies_with_its_parent(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path / 'control'}"
    code = (
        "import sys, time\n"
        "from kilohertz.robots.model.robot_model import RobotModel\n"
        "from kilohertz.rt.live.agent.process import running_agent\n"
        "from kilohertz.rt.live.command_mailbox import CommandMailbox\n"
        f"with running_agent('panda', CommandMailbox(RobotModel.load('panda')), {endpoint!r}) as process:\n"
        "    print(process.pid, flush=True)\n"
        "    time.sleep(1000)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_until(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text())
    # Who is killed leaves the file that names it; a later `khz stop` finds that this process is gone.
    wait_until(lambda: [path.name for path in tmp_path.iterdir()] in ([], ["control.pid"]))


FLOODS = {
    "junk": frame(0, b"\x93\x01\xa4junk\x00"),
    "streams without the lease": frame(0, wire.pack("stream", 1.0, bytes(24), (), b"", b"", b"", b"", ())),
    "hello again and again": frame(0, wire.pack("hello", "flood", "program")),
    "questions whose answers nobody reads": frame(0, wire.pack("ask", 1)),
    "requests of bad JSON": frame(0, wire.pack("request", 1, "reach", "[" * 3000)),
    "endless messages in parts": frame(MORE, bytes(4000)),
    "too long": frame(0, bytes(100_000)),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_keeps_nobody_from_streaming_and_stopping(
    kind: str, robot: RobotModel, tmp_path: Path
) -> None:
    endpoint = f"ipc://{tmp_path / 'control'}"
    peers: list[socket.socket] = []
    with (
        controller(robot, endpoint) as loop,
        ControlClient(endpoint, role="person", timeout_s=LIMIT_S) as client,
    ):
        client.take()

        def flood() -> None:
            if len(peers) < 8:
                peer = socket.socket(socket.AF_UNIX)
                peer.connect(endpoint.removeprefix("ipc://"))
                peer.setblocking(False)
                peer.sendall(OPENING)
                peers.append(peer)
            for peer in peers[:]:
                try:
                    while True:
                        peer.send(FLOODS[kind] * 50)
                except BlockingIOError:
                    pass
                except OSError:  # cut off
                    peers.remove(peer)
                    peer.close()

        for i in range(100):
            flood()
            client.stream(StreamTargets(posture_rad={"panda_joint1": 0.001 * i}))

        def send() -> bool:
            flood()
            client.stream(StreamTargets(posture_rad={"panda_joint1": 0.5}))
            return bool(loop.streams.posture_q[0] == 0.5)

        wait_until(send)
        # Cut-off peers lose none of the holder's samples.
        assert client.status().holder_role == "person"
        client.stop("damp")
        wait_until(lambda: flood() or loop.stops == [DAMP])
    for peer in peers:
        peer.close()


def test_a_flooded_agent_sleeps_in_every_cycle(robot: RobotModel, tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path / 'control'}"
    mailbox = new_mailbox(robot)
    loop = FakeLoop(robot, mailbox)
    agent = Agent(robot, mailbox, endpoint)
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(endpoint.removeprefix("ipc://"))
    peer.setblocking(False)
    peer.sendall(OPENING)
    data = FLOODS["junk"] * 2000
    start_ns = time.monotonic_ns()
    for _ in range(50):
        loop.tick(time.monotonic_ns())
        with contextlib.suppress(OSError):
            peer.send(data)
        agent.cycle()
    assert time.monotonic_ns() - start_ns >= 50 * CYCLE_NS
    assert 0 < agent.side.malformed <= 50 * 6
    agent.close()
    peer.close()
