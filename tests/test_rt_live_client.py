"""A client of a running agent: requests, streams, stops, the clock, and a controller that is gone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from control_channel import FakeLoop, controller

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.endpoint import load_key, load_public, new_key, trusted_keys
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.rt.live import client as client_module
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.client import ControlClient, stop_controller
from kilohertz.rt.live.command_mailbox import DAMP, SOFT_STOP
from kilohertz.rt.live.stream_targets import StreamTargets

pytestmark = pytest.mark.host

LIMIT_S = 20.0
WALK = {"velocity_m_s": np.array([0.3, 0.0])}


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel.load("g1")


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    return f"ipc://{tmp_path / 'control'}"


@pytest.fixture
def loop(robot: RobotModel, endpoint: str) -> Iterator[FakeLoop]:
    with controller(robot, endpoint) as loop:
        yield loop


def wait_until(condition: Callable[[], Any]) -> None:
    until_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(1e-3)


def test_a_request_is_accepted_or_refused_and_its_end_is_told(loop: FakeLoop, endpoint: str) -> None:
    with ControlClient(endpoint, timeout_s=LIMIT_S) as client:
        assert client.robot == "g1"
        number = client.command("walk", WALK)
        assert len(loop.requests) == 1
        with pytest.raises(TimeoutError):
            client.wait_done(number, 0.01)
        with pytest.raises(ConfigError, match="faster than 'g1' can walk"):
            client.command("walk", {"velocity_m_s": [9, 0]})
        with pytest.raises(ConfigError, match="cannot be sent"):
            client.command("walk", {"velocity_m_s": [math.nan, 0]})
        with pytest.raises(ConfigError, match="longer than"):
            client.command("walk", {"x" * 4000: 1})
        second = client.command("bow", {"angle_rad": 0.2, "period_s": 3.0})
        assert "replaced by 'bow'" in client.wait_done(number)
        loop.phase = 2
        assert client.wait_done(second) == ""


def test_samples_arrive_with_their_time_on_the_controllers_clock(loop: FakeLoop, endpoint: str) -> None:
    with ControlClient(endpoint, timeout_s=LIMIT_S) as client:
        stamps = []

        # A sample is too old, and dropped, if this computer is so busy that it takes half a second.
        def send() -> bool:
            stamps.append(client.now_s())
            client.stream(StreamTargets(velocity_m_s=[0.2, 0.1]), stamps[-1])
            return bool(loop.streams.velocity[0] == 0.2)

        wait_until(send)
        assert loop.streams.velocity_t_s[0] in stamps
        client.stream(StreamTargets(velocity_m_s=[math.nan, 0.1]))
        wait_until(lambda: client.status().why_dropped == "velocity is not finite")
        client.release("velocity")
        wait_until(lambda: math.isnan(loop.streams.velocity_t_s[0]))
        assert {event.kind for event in client.events} == {"lease", "dropped"}
        with pytest.raises(ConfigError, match="no stream 'hand'"):
            client.release("hand")


def test_stamps_rise_when_the_clock_is_corrected(loop: FakeLoop, endpoint: str) -> None:
    with ControlClient(endpoint, timeout_s=LIMIT_S) as client:
        client.stream(StreamTargets(velocity_m_s=[0.1, 0.0]))
        client.clock.offset_s -= 0.05
        client.stream(StreamTargets(velocity_m_s=[0.2, 0.0]))
        assert "does not rise" not in client.status().why_dropped
        assert client.status().received == 2


def test_the_clock_is_known_to_half_the_round_trip(loop: FakeLoop, endpoint: str) -> None:
    with ControlClient(endpoint, timeout_s=LIMIT_S) as client:
        status = client.status()
        assert client.clock.round_trip_s < 0.1
        # The stand-in's clock steps by 1 ms per cycle of the agent, the agent runs it on in between.
        assert abs(client.now_s() - status.t_s) < 0.5


def test_a_person_takes_over_and_everyone_may_stop(loop: FakeLoop, endpoint: str) -> None:
    with (
        ControlClient(endpoint, name="policy", timeout_s=LIMIT_S) as policy,
        ControlClient(endpoint, name="Ann", role="person", timeout_s=LIMIT_S) as ann,
    ):
        policy.take()
        ann.command("walk", WALK)
        with pytest.raises(ConfigError, match="the person 'Ann' holds the lease"):
            policy.command("stand")
        assert ann.status().holder == "Ann"
        policy.stop("damp", "too fast")
        wait_until(lambda: loop.stops == [DAMP])
        ann.give()
        policy.take()
        assert policy.status().holder == "policy"
        ann.close()
        policy.keep_alive()
    with pytest.raises(ConfigError, match="role should be"):
        ControlClient(endpoint, role="boss")


def test_a_client_that_waits_for_an_answer_keeps_its_lease(
    loop: FakeLoop, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "ALIVE_S", 0.01)
    loop.takes = False
    with ControlClient(endpoint, name="Ann", timeout_s=LIMIT_S) as client:
        sent: list[bytes] = []
        send = client._send

        def note(packet: bytes) -> bool:
            sent.append(packet)
            return send(packet)

        monkeypatch.setattr(client, "_send", note)
        with pytest.raises(LinkLostError):
            client.command("stand", timeout_s=0.3)
        assert wire.pack("keepalive") in sent


def test_a_stranger_at_the_endpoint_is_refused_after_the_handshake(
    loop: FakeLoop, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(endpoint: str) -> None:
        raise ConfigError("another user serves there")

    monkeypatch.setattr(client_module, "require_own_peer", refuse)
    with pytest.raises(ConfigError, match="another user"):
        ControlClient(endpoint, timeout_s=LIMIT_S)
    with pytest.raises(ConfigError, match="another user"):
        stop_controller(endpoint, "soft", "a test")


def test_a_stop_needs_no_handshake(loop: FakeLoop, endpoint: str) -> None:
    stop_controller(endpoint, "soft", "a test")
    wait_until(lambda: loop.stops == [SOFT_STOP])
    stop_controller(endpoint, "damp", "a test")
    wait_until(lambda: loop.stops == [SOFT_STOP, DAMP])


def test_behaviours_are_described(loop: FakeLoop, endpoint: str) -> None:
    with ControlClient(endpoint, timeout_s=LIMIT_S) as client:
        assert "velocity_m_s" in client.describe("walk")["properties"]
        with pytest.raises(ConfigError, match="no behaviour"):
            client.describe("wlk")


def test_a_controller_that_is_gone_is_told(
    robot: RobotModel, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LinkLostError, match="no controller answers at"):
        ControlClient(endpoint, timeout_s=0.05)
    with pytest.raises(LinkLostError, match="it is not stopped"):
        stop_controller(endpoint, "soft", "a test", timeout_s=0.05)
    with controller(robot, endpoint):
        client = ControlClient(endpoint, timeout_s=LIMIT_S)
    monkeypatch.setattr(client_module, "PING_S", 0.01)
    with client:
        with pytest.raises(LinkLostError, match="does not answer"):
            client._accepted("take", timeout_s=0.05)

        def stream() -> bool:
            try:
                client.stream(StreamTargets(velocity_m_s=[0.1, 0.0]))
            except LinkLostError as error:
                return "does not answer" in str(error)
            return False

        wait_until(stream)


def test_a_client_that_was_forgotten_is_told_to_connect_again(
    robot: RobotModel, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with controller(robot, endpoint):
        client = ControlClient(endpoint, timeout_s=LIMIT_S)
    monkeypatch.setattr(client_module, "PING_S", 0.01)
    monkeypatch.setattr(client_module, "MOST_UNANSWERED", 10**9)
    with controller(robot, endpoint), client:

        def lost() -> bool:
            try:
                client.poll()
            except LinkLostError as error:
                return "connect again" in str(error)
            return False

        wait_until(lost)


def test_a_robots_endpoint_is_no_control_endpoint(endpoint: str, robot: RobotModel) -> None:
    import zmq

    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.bind(endpoint)
        answers = zmq.Poller()
        answers.register(router, zmq.POLLIN)

        import threading

        def answer() -> None:
            peer, _ = router.recv_multipart()
            router.send_multipart([peer, b"\x92\x01\xa7stopped"])

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ConfigError, match="not the command channel"):
            ControlClient(endpoint, timeout_s=LIMIT_S)
        thread.join()


def test_keys_are_needed_off_loopback_and_only_listed_ones_connect(
    robot: RobotModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KILOHERTZ_KEYS", str(tmp_path / "keys"))
    for name in ("controller", "desk"):
        new_key(name)
    with pytest.raises(ConfigError, match="can be reached from other computers"):
        ControlClient("tcp://192.0.2.1:5555")
    endpoint = f"ipc://{tmp_path / 'control'}"
    keys = {"key": load_key("desk"), "controller_key": load_public("controller")}
    with controller(robot, endpoint, key=load_key("controller"), trusted=trusted_keys()) as loop:
        with ControlClient(endpoint, timeout_s=LIMIT_S, **keys) as client:
            client.command("walk", WALK)
            assert len(loop.requests) == 1
        with pytest.raises(LinkLostError):
            ControlClient(endpoint, timeout_s=0.3)
        stop_controller(endpoint, "soft", "a test", **keys)
        wait_until(lambda: loop.stops == [SOFT_STOP])
