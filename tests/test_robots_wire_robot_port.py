"""The socket of a robot gives the time back however many packets arrive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import zmq

from kilohertz.robots.wire import robot_port
from kilohertz.robots.wire.robot_port import PACKETS_A_TICK, RobotPort

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
