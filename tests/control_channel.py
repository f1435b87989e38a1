"""A command channel without a control loop: an agent, and a stand-in for the loop at the other end."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.agent.control_side import ControlSide
from kilohertz.rt.live.agent.process import Agent
from kilohertz.rt.live.command_mailbox import CommandMailbox, padded
from kilohertz.rt.loop.trace import STATES

ACTIVE, DAMPING = STATES.index("active"), STATES.index("damping")
MS = 1_000_000


class FakeLoop:
    """Does what the loop does between two ticks: takes requests and stops, and reports a status.

    The behaviour of a request begins when it is taken; `phase` says how far it is.
    """

    def __init__(self, robot: RobotModel, mailbox: CommandMailbox) -> None:
        self.mailbox = mailbox
        self.streams = StreamRow(robot)
        self.t_s = 10.0
        self.state, self.phase, self.abandoned = ACTIVE, 1, 0
        self.taken, self.behaviour = 0, 0.0
        self.requests: list[np.ndarray[Any, Any]] = []
        self.stops: list[int] = []
        self.text = ""
        self.takes = True
        self._last_ns = 0
        self._numbers = np.zeros(1 + mailbox.most)

    def tick(self, mono_ns: int) -> None:
        self.t_s += 1e-9 * (mono_ns - self._last_ns) if self._last_ns else 1e-3
        self._last_ns = mono_ns
        if self.takes:
            number = self.mailbox.collect_request(self._numbers)
            if number:
                size, *numbers = self._numbers
                self.requests.append(np.array(numbers[: int(size)]))
                self.taken, self.behaviour = number, numbers[0]
                self.phase = 1
        self.mailbox.collect_streams(self.streams)
        stop = self.mailbox.collect_stop()
        if stop:
            self.stops.append(stop)
        numbers = (self.t_s, self.taken, self.behaviour, self.phase, self.state, self.abandoned)
        self.mailbox.publish_status(mono_ns, (*numbers, 1.0, 2.0, 0.5, 0.3, 0.0, 0.1), padded(self.text))


def new_mailbox(robot: RobotModel) -> CommandMailbox:
    """A mailbox whose memory is freed with it."""
    mailbox = CommandMailbox(robot)
    weakref.finalize(mailbox, os.close, mailbox.fd)
    return mailbox


class Channel:
    """The agent's side of a command channel with clients that are only routing ids, on a clock of its own."""

    def __init__(self, robot: RobotModel) -> None:
        self.robot = robot
        self.mailbox = new_mailbox(robot)
        self.loop = FakeLoop(robot, CommandMailbox(robot, self.mailbox.fd))
        self.sent: list[tuple[bytes, tuple[str, tuple[Any, ...]]]] = []
        self.side = ControlSide(robot, self.mailbox, self._send)
        self.now_ns = 1_000 * MS
        self.pass_ms(1)

    def _send(self, peer: bytes, payload: bytes) -> None:
        message = wire.unpack(payload, wire.MOST_ANSWER_BYTES)
        assert message is not None
        self.sent.append((peer, message))

    def pass_ms(self, count: int) -> None:
        for _ in range(count):
            self.now_ns += MS
            self.loop.tick(self.now_ns)
            self.side.advance(self.now_ns)

    def send(self, peer: bytes, kind: str, *values: Any) -> tuple[str, tuple[Any, ...]] | None:
        return self.send_bytes(peer, wire.pack(kind, *values))

    def send_bytes(self, peer: bytes, payload: bytes) -> tuple[str, tuple[Any, ...]] | None:
        answer = self.side.handle(peer, payload, self.now_ns)
        message = wire.unpack(answer, wire.MOST_ANSWER_BYTES) if answer is not None else None
        assert (message is None) == (answer is None)
        return message

    def hello(self, peer: bytes, role: str) -> None:
        answer = self.send(peer, "hello", peer.decode(), role)
        assert answer is not None
        assert answer[0] == "welcome"

    def told(self, peer: bytes, *kinds: str) -> list[tuple[Any, ...]]:
        """Messages that a client was sent since the last call of this kind."""
        found = [message for to, message in self.sent if to == peer and message[0] in kinds]
        self.sent = [(to, message) for to, message in self.sent if to != peer or message[0] not in kinds]
        return found


@contextmanager
def controller(robot: RobotModel, endpoint: str, **options: Any) -> Iterator[FakeLoop]:
    """Runs an agent and a stand-in for the loop at an endpoint, in a thread."""
    mailbox = new_mailbox(robot)
    loop = FakeLoop(robot, CommandMailbox(robot, mailbox.fd))
    agent = Agent(robot, mailbox, endpoint, **options)
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            loop.tick(time.monotonic_ns())
            agent.cycle()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield loop
    finally:
        over.set()
        thread.join()
        agent.close()
