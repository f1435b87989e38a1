"""The socket of a robot takes in a bounded amount in a period, whoever sends what."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire import robot_port
from kilohertz.robots.wire.robot_port import (
    ALL_PEERS_STEPS,
    GREEDY_PERIODS,
    HANDSHAKE_NS,
    HOLDER_STEPS,
    INTAKE_NS,
    MOST_CONNECTIONS,
    PEER_STEPS,
    TELL_NS,
    RobotPort,
)
from kilohertz.robots.wire.robot_side import RobotSide
from kilohertz.robots.wire.row_messages import CommandCodec, identity
from kilohertz.robots.wire.zmtp import COMMAND, MORE, Connection, command_body, frame, greeting, metadata

PACKET_NS = 10_000
OPENING = greeting(b"NULL", server=False) + frame(
    COMMAND, command_body(b"READY", metadata(Socket_Type=b"DEALER"))
)


class Side:
    """Counts packets, each of which takes some time of a clock that nothing else advances."""

    def __init__(self, clock: list[int]) -> None:
        self.peers: dict[bytes, Any] = {}
        self.lease_holder: bytes | None = None
        self.packets: list[tuple[bytes, bytes]] = []
        self._clock = clock

    def handle(self, peer: bytes, payload: bytes, now_ns: int) -> bytes | None:
        self.packets.append((peer, payload))
        self._clock[0] += PACKET_NS
        if payload == b"hello":
            self.peers[peer] = None
        elif payload == b"arm":
            self.lease_holder = peer
        return b"stopped" if payload == b"stop" else None

    def gone(self, peer: bytes) -> None:
        self.peers.pop(peer, None)
        if peer == self.lease_holder:
            self.lease_holder = None

    def taken(self, payload: bytes) -> int:
        return sum(got == payload for _, got in self.packets)


class Flooded:
    """A port, and raw connections to it."""

    def __init__(self, folder: Path, clock: list[int], **options: int) -> None:
        self.clock = clock
        self.side = Side(clock)
        self.path = f"{folder}/robot"
        self.port = RobotPort(self.side, f"ipc://{self.path}", **options)
        self.peers: list[socket.socket] = []

    def connect(self, *payloads: bytes) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(self.path)
        peer.setblocking(False)
        if payloads:
            peer.sendall(OPENING + b"".join(frame(0, payload) for payload in payloads))
        self.peers.append(peer)
        return peer

    def period(self) -> None:
        self.port.take_in()
        self.port.listen(self.clock[0])

    def floods(self, count: int, payload: bytes = b"junk") -> None:
        for _ in range(count):
            self.connect(*[payload] * 2000)
            self.period()

    def close(self) -> None:
        self.port.close()
        for peer in self.peers:
            peer.close()


@pytest.fixture
def flooded(tmp_path: Path, monkeypatch: Any) -> Iterator[Flooded]:
    clock = [0]
    monkeypatch.setattr(robot_port.time, "monotonic_ns", lambda: clock[0])
    flooded = Flooded(tmp_path, clock)
    yield flooded
    flooded.close()


def is_open(peer: socket.socket) -> bool:
    try:
        while True:
            if not peer.recv(1 << 16):
                return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def test_a_period_takes_a_bounded_number_of_packets_from_one_flood_and_from_many(flooded: Flooded) -> None:
    flooded.floods(1)
    before = len(flooded.side.packets)
    flooded.period()
    assert 0 < len(flooded.side.packets) - before <= PEER_STEPS
    flooded.floods(20)
    before, start_ns = len(flooded.side.packets), flooded.clock[0]
    flooded.period()
    assert 0 < len(flooded.side.packets) - before <= ALL_PEERS_STEPS
    assert flooded.clock[0] - start_ns <= INTAKE_NS + PACKET_NS


def test_a_flood_lets_the_loop_sleep(tmp_path: Path) -> None:
    flooded = Flooded(tmp_path, [0])
    flooded.floods(3)
    flooded.port.take_in()
    time_used_s, start_s = time.thread_time(), time.monotonic()
    flooded.port.listen(time.monotonic_ns() + 300_000_000)
    assert time.monotonic() - start_s >= 0.3
    assert time.thread_time() - time_used_s < 0.1
    flooded.close()


def test_the_holder_of_the_lease_comes_first(flooded: Flooded) -> None:
    holder = flooded.connect(b"hello", b"arm")
    flooded.period()
    flooded.period()
    flooded.floods(20)
    flooded.side.packets.clear()
    for number in range(50):
        holder.sendall(frame(0, b"command%d" % number))
        before = len(flooded.side.packets)
        flooded.port.take_in()
        assert flooded.side.packets[before][1] == b"command%d" % number


def test_a_holder_that_floods_is_bounded_too_and_cut_off_in_the_end(flooded: Flooded) -> None:
    holder = flooded.connect(b"hello", b"arm", *[b"command"] * 100)
    flooded.period()
    flooded.period()
    flooded.side.packets.clear()
    flooded.period()
    assert 0 < len(flooded.side.packets) <= HOLDER_STEPS
    for _ in range(2 * GREEDY_PERIODS):
        with contextlib.suppress(OSError):
            holder.send(frame(0, b"command") * 40)
        flooded.period()
    assert not is_open(holder)
    assert "without a pause" in flooded.port.last_cut_off


@pytest.mark.parametrize("intake_ns", [INTAKE_NS // 2, INTAKE_NS])
def test_the_time_for_the_holder_is_its_own(tmp_path: Path, monkeypatch: Any, intake_ns: int) -> None:
    clock = [0]
    monkeypatch.setattr(robot_port.time, "monotonic_ns", lambda: clock[0])
    flooded = Flooded(tmp_path, clock, holder_intake_ns=intake_ns)
    holder = flooded.connect(b"hello", b"arm")
    flooded.period()
    flooded.period()
    flooded.floods(5)
    holder.sendall(frame(0, b"command") * 100)
    flooded.side.packets.clear()
    flooded.port.take_in()
    taken = [payload for _, payload in flooded.side.packets]
    # The packet that uses the time up is handled too.
    assert taken.count(b"command") == intake_ns // PACKET_NS + 1
    assert 0 < taken.count(b"junk") <= INTAKE_NS // PACKET_NS + 1
    flooded.close()


def test_a_stop_gets_through_a_full_house_of_floods_within_a_few_periods(flooded: Flooded) -> None:
    flooded.floods(MOST_CONNECTIONS)
    for _ in range(5):
        flooded.period()
    stop = flooded.connect(b"stop")
    periods = 0
    while not flooded.side.taken(b"stop"):
        flooded.period()
        periods += 1
        assert periods <= 3
    assert frame(0, b"stopped") in stop.recv(1000)


def test_whoever_never_pauses_is_cut_off_and_named(flooded: Flooded) -> None:
    flood = flooded.connect(*[b"junk"] * 2000)
    calm = flooded.connect(b"hello")
    for _ in range(GREEDY_PERIODS + 5):
        flooded.period()
        calm.sendall(frame(0, b"heartbeat"))
    assert not is_open(flood)
    assert is_open(calm)
    assert flooded.port.cut_off == 1
    text = f"cut off process {os.getpid()} of user {os.getuid()}: it sent without a pause"
    assert flooded.port.last_cut_off.startswith(text)


def test_a_slow_computer_does_not_cut_off_whoever_sends_a_packet_a_period(
    flooded: Flooded, monkeypatch: Any
) -> None:
    step = Connection.step

    def slow_step(connection: Connection) -> int:
        flooded.clock[0] += INTAKE_NS
        return step(connection)

    monkeypatch.setattr(Connection, "step", slow_step)
    holder, other = flooded.connect(b"hello", b"arm"), flooded.connect(b"hello")
    for _ in range(10):
        flooded.period()
    assert flooded.side.lease_holder is not None
    # The controller is two packets behind for good.
    holder.sendall(frame(0, b"command") * 2)
    for _ in range(3 * GREEDY_PERIODS):
        holder.sendall(frame(0, b"command"))
        other.sendall(frame(0, b"heartbeat"))
        flooded.period()
    assert flooded.port.cut_off == 0
    assert flooded.side.taken(b"command") >= 3 * GREEDY_PERIODS
    assert flooded.side.taken(b"heartbeat") >= 3 * GREEDY_PERIODS - 1
    assert is_open(holder)


@pytest.mark.parametrize(
    ("bytes_", "why"),
    [
        (OPENING + frame(MORE, b"x" * 4000), "several parts"),
        (OPENING + b"\x02" + bytes(6) + b"\xff\xff", "at most 4096 are allowed"),
        (b"GET / HTTP/1.1\r\n\r\n", "does not speak"),
    ],
)
def test_what_breaks_the_form_ends_the_connection(flooded: Flooded, bytes_: bytes, why: str) -> None:
    peer = flooded.connect()
    peer.sendall(bytes_)
    for _ in range(3):
        flooded.period()
    assert not is_open(peer)
    assert why in flooded.port.last_cut_off
    assert flooded.side.packets == []


def test_thousands_of_idle_connections_hold_no_descriptors_and_shut_nobody_out(flooded: Flooded) -> None:
    controller = flooded.connect(b"hello", b"arm")
    flooded.period()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(600):
        flooded.connect().close()
        flooded.connect(b"junk")
        flooded.period()
    theirs = sum(peer.fileno() >= 0 for peer in flooded.peers[1:])
    assert len(os.listdir("/proc/self/fd")) - before - theirs <= MOST_CONNECTIONS
    assert is_open(controller)
    late = flooded.connect(b"late")
    flooded.period()
    flooded.period()
    assert flooded.side.taken(b"late") == 1
    assert is_open(late)


def test_without_descriptors_the_loop_does_not_spin(tmp_path: Path, monkeypatch: Any) -> None:
    flooded = Flooded(tmp_path, [0])
    monkeypatch.setattr(flooded.port._listener, "accept", lambda: None)
    flooded.connect()
    flooded.port.take_in()
    used_s = time.thread_time()
    flooded.port.listen(time.monotonic_ns() + 200_000_000)
    assert time.thread_time() - used_s < 0.05
    monkeypatch.undo()
    assert not flooded.port._connections
    flooded.port.take_in()
    assert len(flooded.port._connections) == 1
    flooded.close()


def test_a_handshake_that_never_ends_is_ended(flooded: Flooded) -> None:
    slow = flooded.connect()
    flooded.period()
    flooded.clock[0] += HANDSHAKE_NS + 1
    flooded.period()
    assert not is_open(slow)
    assert "handshake within 2 s" in flooded.port.last_cut_off


def test_news_come_once_a_second_with_the_number_of_all(flooded: Flooded) -> None:
    assert flooded.port.news(0) == ""
    for _ in range(3):
        flooded.connect().sendall(b"GET / HTTP/1.1\r\n")
        flooded.period()
        flooded.period()
    assert flooded.port.news(0).endswith("(2 more were cut off)")
    flooded.connect().sendall(b"GET / HTTP/1.1\r\n")
    flooded.period()
    flooded.period()
    assert flooded.port.news(TELL_NS - 1) == ""
    assert flooded.port.news(TELL_NS).endswith("ZeroMQ's protocol")
    assert flooded.port.news(3 * TELL_NS) == ""


def test_zeromq_itself_is_understood_both_ways(tmp_path: Path) -> None:
    flooded = Flooded(tmp_path, [0])
    context = zmq.Context()
    context.linger = 0
    dealer = context.socket(zmq.DEALER)
    dealer.set(zmq.LINGER, 0)
    dealer.set(zmq.HEARTBEAT_IVL, 20)
    dealer.set(zmq.HEARTBEAT_TIMEOUT, 1000)
    dealer.connect(f"ipc://{flooded.path}")
    dealer.send(b"stop")
    dealer.send(b"x" * 4096)

    def serve_until(done: Callable[[], Any]) -> None:
        for _ in range(5000):
            flooded.port.wait(1)
            flooded.port.take_in()
            if done():
                return
        raise AssertionError("it did not happen")

    serve_until(lambda: flooded.side.taken(b"x" * 4096) and dealer.poll(0))
    assert dealer.recv() == b"stopped"
    for _ in range(100):
        flooded.port.wait(1)
        flooded.port.take_in()
    dealer.send(b"stop")
    serve_until(lambda: dealer.poll(0))
    assert flooded.port.cut_off == 0
    dealer.close()
    serve_until(lambda: not flooded.port._connections)
    context.term()
    flooded.close()


def test_an_awaited_answer_ends_the_listening(flooded: Flooded) -> None:
    flooded.port.listen(2**62, lambda: True)


@pytest.mark.parametrize("until_ns", [-1, 0])
def test_a_time_that_has_passed_ends_the_listening_at_once(flooded: Flooded, until_ns: int) -> None:
    flooded.port.listen(until_ns)


def test_a_lease_ends_with_the_connection_whoever_takes_its_routing_id(tmp_path: Path) -> None:
    robot = RobotModel.load("ur5")
    told = identity(robot, 1e-3)
    taken: list[int] = []
    side = RobotSide(robot, told, lambda row, seq: taken.append(seq), lambda: None)
    port = RobotPort(side, f"ipc://{tmp_path}/robot")
    context = zmq.Context()
    context.linger = 0
    sensors, command = robot.new_sensor_row(), robot.new_command_row()

    def connect() -> Any:
        peer = context.socket(zmq.DEALER)
        peer.set(zmq.ROUTING_ID, b"the same")
        peer.set(zmq.LINGER, 0)
        peer.connect(f"ipc://{tmp_path}/robot")
        return peer

    def serve(until: Any) -> None:
        for _ in range(1000):
            port.wait(10)
            port.take_in()
            for name in list(side.peers):
                port.send(name, side.state(sensors, 0))
            if until():
                return
        pytest.fail("it does not happen")

    first = connect()
    first.send(wire.pack("hello", "first", *told.packed(), ()))
    first.send(wire.pack("arm"))
    serve(lambda: side.mode == wire.ARMED)
    epoch = side.epoch
    first.close()
    serve(lambda: not side.peers)
    assert side.mode == wire.STANDBY
    second = connect()
    # It has read the epoch and the number of the state as any peer can.
    second.send(CommandCodec.pack(epoch, 1, side.state_seq, 1_000_000, command))
    second.send(wire.pack("arm"))
    serve(lambda: second.poll(0))
    assert wire.unpack(second.recv())[0] == "refused"  # type: ignore[index]
    assert not taken
    second.close()
    context.term()
    port.close()
