from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.telemetry.publisher import Publisher, telemetry_endpoint
from kilohertz.rt.telemetry.subscriber import Subscriber, _unpacked, endpoint_named

HELLO = {"telemetry_version": 1, "robot_name": "toy"}


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="khz-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def received(subscriber: Subscriber, publisher: Publisher, state: dict) -> dict:
    for now_s in range(3000):
        publisher.publish(state, float(now_s))
        message = subscriber.receive(0.01)
        if message is not None:
            return message
    raise AssertionError("nothing arrives")


def test_a_subscriber_may_come_before_its_publisher_and_outlive_it():
    subscriber = Subscriber(telemetry_endpoint("toy"))
    assert subscriber.receive(0.0) is None
    for number in range(2):
        publisher = Publisher(telemetry_endpoint("toy"), HELLO | {"clock_ns": number})
        while received(subscriber, publisher, {"number": number})["number"] != number:
            pass
        assert subscriber.hello["clock_ns"] == number
        publisher.close()
    subscriber.close()


def test_another_version_is_refused_with_both_named():
    subscriber = Subscriber(telemetry_endpoint("toy"))
    publisher = Publisher(telemetry_endpoint("toy"), HELLO | {"telemetry_version": 7})
    with pytest.raises(ConfigError, match="version 7 cannot be read, only version 1"):
        received(subscriber, publisher, {})
    subscriber.close()
    publisher.close()


def test_what_is_no_message_is_skipped():
    endpoint = telemetry_endpoint("toy")
    socket = zmq.Context.instance().socket(zmq.PUB)
    socket.bind(endpoint)
    subscriber = Subscriber(endpoint)
    frames = [b"", b"\xc1", b"\x92\xa5hello", msgpack.packb(["hello", HELLO]), b"\x90" * 50, msgpack.packb(7)]
    message = None
    while message is None:
        for frame in frames:
            socket.send(frame)
        socket.send(msgpack.packb(["other", {}]))
        socket.send(msgpack.packb(["state", {"t_s": 2.0}]))
        message = subscriber.receive(0.05)
    assert message == {"t_s": 2.0}
    subscriber.close()
    socket.close(0)


@given(st.binary(max_size=64))
def test_no_bytes_make_unpacking_fail(frame):
    kind, content = _unpacked(frame)
    assert isinstance(kind, str)
    assert isinstance(content, dict)


def test_a_name_means_the_robots_default_endpoint(own_folder):
    assert endpoint_named("g1") == f"ipc://{own_folder}/kilohertz/g1-telemetry"
    assert endpoint_named("ipc:///run/x") == "ipc:///run/x"
    with pytest.raises(ConfigError, match="not an endpoint of telemetry"):
        Subscriber("tcp://1.2.3.4:5")
