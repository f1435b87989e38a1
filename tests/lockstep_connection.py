"""A connection to a controller in lockstep: the simulation advances while its user sleeps."""

from __future__ import annotations

import json
import os
import threading
import types
from collections import deque
from collections.abc import Mapping
from typing import Any, cast

import kilohertz as khz
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.agent.control_side import ControlSide
from kilohertz.rt.live.client import ControlClient
from kilohertz.rt.live.command_mailbox import CommandMailbox
from kilohertz.rt.live.control_status import ControlEvent, ControlStatus, status_of
from kilohertz.rt.live.stream_targets import StreamTargets
from kilohertz.rt.run.plan import RunPlan
from kilohertz.rt.run.session import Session, SessionResult

MS = 1_000_000
PROGRAM = b"program"


class LockstepRun:
    """A run in a thread of its own that advances by whole ticks, when it is told to.

    Args:
        duration_s: longest duration [s].
        plan: further arguments of the plan of the run.

    Attributes:
        session: the run.
        robot: connection to its controller.
        clock: stands for the module `time` in a program whose `sleep` advances the run.
    """

    def __init__(self, duration_s: float, **plan: Any) -> None:
        scenario = {"name": "live", "duration_s": duration_s, "commands": [{"at_s": 0, "stand": {}}]}
        self.session = Session(
            RunPlan(plan.pop("robot", "g1"), scenario, control="-", **plan), handle_signals=False
        )
        assert self.session.commands is not None
        mailbox = CommandMailbox(self.session.robot, os.dup(self.session.commands.mailbox.fd))
        self.side = ControlSide(self.session.robot, mailbox, self._told)
        self.t_s = 0.0
        self.result: SessionResult | None = None
        self._left, self._over = 0, False
        self._go, self._paused = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run)
        self._client = _Client(self)
        self.clock = types.SimpleNamespace(sleep=self.sleep, monotonic=lambda: self.t_s)

    def _told(self, peer: bytes, payload: bytes) -> None:
        message = wire.unpack(payload, wire.MOST_ANSWER_BYTES)
        assert message is not None
        self._client.told(*message)

    def _run(self) -> None:
        try:
            self.result = self.session.run(each_tick=self._each_tick)
        finally:
            self._over = True
            self._paused.release()

    def _each_tick(self, tick: int) -> None:
        self.t_s = float(self.session.sensors.t_s[0])
        self.side.advance(self.now_ns)
        self._left -= 1
        while self._left <= 0 and not self._over:
            self._paused.release()
            self._go.acquire()

    @property
    def now_ns(self) -> int:
        return round(self.t_s * 1e3) * MS

    def sleep(self, duration_s: float) -> None:
        """Advances the run."""
        assert not self._over, "the run has ended"
        self._left = max(1, round(1e3 * duration_s))
        self._go.release()
        self._paused.acquire()

    def __enter__(self) -> LockstepRun:
        self._left = 5
        self._thread.start()
        self._paused.acquire()
        self._client.hello()
        self.robot = khz.Connection(cast(ControlClient, self._client))
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self.session.loop.ask_to_stop("the test", at_once=True)
        self._go.release()
        self._thread.join()


class _Client:
    """The client of a program, whose messages reach the agent's side at once; waiting advances the run."""

    def __init__(self, run: LockstepRun) -> None:
        self.events: deque[ControlEvent] = deque()
        self._run, self._number = run, 0
        self._answers: dict[int, tuple[str, tuple[Any, ...]]] = {}

    def told(self, kind: str, values: tuple[Any, ...]) -> None:
        if kind == "event":
            self.events.append(ControlEvent(*values))
        else:
            self._answers[values[0]] = (kind, values)

    def _send(self, kind: str, *values: Any) -> tuple[str, tuple[Any, ...]]:
        answer = self._run.side.handle(PROGRAM, wire.pack(kind, *values), self._run.now_ns)
        message = wire.unpack(answer, wire.MOST_ANSWER_BYTES) if answer is not None else None
        return message or ("", ())

    def hello(self) -> None:
        kind, values = self._send("hello", "test", wire.PROGRAM)
        assert kind == "welcome"
        self.robot, self.joints, self.hands, self.contacts, self.behaviours, self.streams, *_ = values

    def now_s(self) -> float:
        return self._run.t_s

    def command(self, behaviour: str, parameters: Mapping[str, Any] | None = None) -> int:
        self._number += 1
        kind, values = self._send("request", self._number, behaviour, json.dumps(parameters or {}))
        while not kind:
            self._run.sleep(1e-3)
            kind, values = self._answers.pop(self._number, ("", ()))
        if kind == "refused":
            raise ConfigError(values[1])
        return self._number

    def stream(self, targets: StreamTargets, t_s: float | None = None) -> None:
        stamp_s = self._run.t_s if t_s is None else t_s
        kind, values = self._send("stream", *targets.packed(stamp_s, self.joints))
        if kind == "event":
            self.events.append(ControlEvent(*values))

    def status(self) -> ControlStatus:
        return status_of(self._send("ask", 1)[1])

    def poll(self) -> None:
        pass
