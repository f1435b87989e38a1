"""The socket of a robot gives the time back however many packets arrive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import zmq

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire import robot_port
from kilohertz.robots.wire.robot_port import PACKETS_A_TICK, RobotPort
from kilohertz.robots.wire.robot_side import RobotSide
from kilohertz.robots.wire.row_messages import CommandCodec, identity

PERIOD_NS, PACKET_NS = 1_000_000, 10_000


class Side:
    """Counts packets, each of which takes some time of a clock that nothing else advances."""

    def __init__(self, clock: list[int]) -> None:
        self.peers: dict[bytes, Any] = {}
        self.packets = 0
        self._clock = clock

    def handle(self, peer: bytes, payload: bytes, now_ns: int) -> None:
        self.packets += 1
        self._clock[0] += PACKET_NS


def test_a_flood_of_packets_does_not_hold_up_the_period(tmp_path: Path, monkeypatch: Any) -> None:
    clock = [0]
    monkeypatch.setattr(robot_port.time, "monotonic_ns", lambda: clock[0])
    side, endpoint = Side(clock), f"ipc://{tmp_path}/robot"
    port = RobotPort(side, endpoint, realtime=False)  # type: ignore[arg-type]
    context = zmq.Context()
    peer = context.socket(zmq.DEALER)
    try:
        peer.set(zmq.LINGER, 0)
        peer.connect(endpoint)
        # The queue is never empty: whenever a packet is taken out, the peer sends another.
        take_in = port.take_in

        def flooded() -> bool:
            for _ in range(2 * PACKETS_A_TICK):
                peer.send(b"junk", zmq.NOBLOCK)
            assert port._socket.poll(5000)
            return take_in()

        monkeypatch.setattr(port, "take_in", flooded)
        port.listen(PERIOD_NS)
    finally:
        peer.close()
        context.term()
        port.abandon()
    assert PERIOD_NS <= clock[0] <= PERIOD_NS + PACKETS_A_TICK * PACKET_NS


def test_an_awaited_answer_ends_the_listening(tmp_path: Path) -> None:
    port = RobotPort(Side([0]), f"ipc://{tmp_path}/robot", realtime=False)  # type: ignore[arg-type]
    port.listen(2**62, lambda: True)
    port.abandon()


@pytest.mark.parametrize("until_ns", [-1, 0])
def test_a_time_that_has_passed_ends_the_listening_at_once(tmp_path: Path, until_ns: int) -> None:
    port = RobotPort(Side([0]), f"ipc://{tmp_path}/robot", realtime=False)  # type: ignore[arg-type]
    port.listen(until_ns)
    port.abandon()


def test_a_lease_ends_with_the_connection_whoever_takes_its_routing_id(tmp_path: Path) -> None:
    robot = RobotModel.load("ur5")
    told = identity(robot, 1e-3)
    taken: list[int] = []
    side = RobotSide(robot, told, lambda row, seq: taken.append(seq), lambda: None)
    port = RobotPort(side, f"ipc://{tmp_path}/robot", realtime=False)
    context = zmq.Context()
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
    port.abandon()
