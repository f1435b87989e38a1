"""A robot in lockstep that a person drives by keys: `khz drive`, command channel, loop and simulation.

Everything but the sockets is what runs in real time; its clocks are those of the simulation.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kilohertz.rt.drive.drive import PERIOD_S, Drive
from kilohertz.rt.drive.key_decoder import KeyDecoder
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.agent.control_side import ControlSide
from kilohertz.rt.live.command_mailbox import CommandMailbox
from kilohertz.rt.live.control_status import ControlEvent, ControlStatus, status_of
from kilohertz.rt.live.stream_targets import StreamTargets
from kilohertz.rt.run.plan import RunPlan
from kilohertz.rt.run.session import Session, SessionResult

MS = 1_000_000
STILL_M_S = 0.05
"""Speed of the centre of mass below which a robot stands [m/s]."""
PERSON = b"person"


class DirectClient:
    """The client of a person, whose messages reach the agent's side at once."""

    def __init__(self, side: ControlSide, now_ns: Callable[[], int]) -> None:
        self.events: deque[ControlEvent] = deque()
        self._side, self._now_ns = side, now_ns
        self._number = 0

    def hello(self) -> bool:
        """Whether the controller has answered; it does not before its first tick."""
        return self._handle("hello", "khz drive", wire.PERSON) is not None

    def _handle(self, kind: str, *values: Any) -> tuple[str, tuple[Any, ...]] | None:
        answer = self._side.handle(PERSON, wire.pack(kind, *values), self._now_ns())
        return wire.unpack(answer, wire.MOST_ANSWER_BYTES) if answer is not None else None

    def stream(self, targets: StreamTargets, t_s: float | None = None) -> None:
        self._handle("stream", *targets.packed(float("nan"), ()))

    def command(self, behaviour: str, parameters: Mapping[str, Any] | None = None) -> int:
        self._number += 1
        self._handle("request", self._number, behaviour, json.dumps(parameters or {}))
        return self._number

    def stop(self, how: str, reason: str) -> None:
        self._handle("stop", 1, how, reason)

    def give(self) -> None:
        self._handle("give", 1)

    def keep_alive(self) -> None:
        self._handle("keepalive")

    def status(self) -> ControlStatus:
        answer = self._handle("ask", 1)
        assert answer is not None
        return status_of(answer[1])

    def poll(self) -> None:
        pass


@dataclass(frozen=True)
class Held:
    """A key that is held from a time until another [s]; it repeats as a desktop sets it."""

    key: str
    from_s: float
    until_s: float
    delay_s: float = 0.5
    period_s: float = 0.04

    def bytes_at(self, releases: bool) -> Iterator[tuple[float, bytes]]:
        """Times at which the terminal sends something, and what."""

        def code(kind: int) -> bytes:
            return f"\x1b[{ord(self.key)};1:{kind}u".encode() if releases else self.key.encode()

        yield self.from_s, code(1)
        t_s = self.from_s + self.delay_s
        while t_s < self.until_s:
            yield t_s, code(2)
            t_s += self.period_s
        if releases:
            yield self.until_s, code(3)


class DrivenRobot:
    """Runs a robot in lockstep, driven by keys.

    Args:
        held: keys that are held.
        duration_s: duration of the run [s].
        releases: whether the terminal reports releases.
        killed_s: time at which the person's process ends without a word [s].
        notices: whether the agent's side notices then that the connection has ended.
        phase_s: time of the first cycle of `khz drive` [s].
        speed_m_s: speed forward that `khz drive` is set to [m/s].
        plan: further arguments of the plan of the run.

    Attributes:
        t_s: (n,) time of each tick [s].
        p_WC, v_WC: (n, 3) true position and velocity of the centre of mass [m, m/s].
        loaded: (n,) whether both soles carry load.
        velocity_m_s: (n,) largest component of the reference of the walk [m/s, rad/s].
    """

    def __init__(
        self,
        held: list[Held],
        duration_s: float,
        *,
        releases: bool = False,
        killed_s: float = float("inf"),
        notices: bool = True,
        phase_s: float = 0.0,
        speed_m_s: float = 0.4,
        **plan: Any,
    ) -> None:
        scenario = {"name": "driven", "duration_s": duration_s, "commands": [{"at_s": 0, "stand": {}}]}
        self.session = Session(
            RunPlan(plan.pop("robot", "g1"), scenario, control="-", **plan), handle_signals=False
        )
        assert self.session.commands is not None
        mailbox = CommandMailbox(self.session.robot, os.dup(self.session.commands.mailbox.fd))
        self._now_ns = 0
        self.side = ControlSide(self.session.robot, mailbox, self._told)
        self.client = DirectClient(self.side, lambda: self._now_ns)
        self.drive: Drive | None = None
        self._keys = sorted(pair for each in held for pair in each.bytes_at(releases))
        self._first, self._decoder = b"\x1b[?0u" if releases else b"", KeyDecoder()
        self._releases, self._killed_s, self._notices = releases, killed_s, notices
        self._next_s, self._speed_m_s = phase_s, speed_m_s
        self._rows: list[tuple[float, Any, Any, bool, float]] = []
        self._loaded_N = 0.1 * 9.81 * self.session.robot.mass_kg

    def _told(self, peer: bytes, payload: bytes) -> None:
        message = wire.unpack(payload, wire.MOST_ANSWER_BYTES)
        assert message is not None
        if message[0] == "event":
            self.client.events.append(ControlEvent(*message[1]))

    def run(self) -> SessionResult:
        result = self.session.run(each_tick=self._each_tick)
        if result.loop.error is not None:
            raise result.loop.error
        self.t_s, self.p_WC, self.v_WC, self.loaded, self.velocity_m_s = (
            np.array(column) for column in zip(*self._rows, strict=True)
        )
        return result

    def _each_tick(self, tick: int) -> None:
        truth, brain = self.session.link.truth, self.session.brain
        t_s = float(self.session.sensors.t_s[0])
        reference = max(map(abs, brain.motion.velocity_des))
        loaded = bool((truth.normal_force_N > self._loaded_N).all())
        self._rows.append((t_s, truth.p_WC.copy(), truth.v_WC.copy(), loaded, reference))
        self._now_ns = round(t_s * 1e3) * MS
        self.side.advance(self._now_ns)
        if t_s >= self._killed_s:
            if self._notices and PERSON in self.side.peers:
                self.side.gone(PERSON)
            return
        if t_s >= self._next_s:
            self._next_s += PERIOD_S
            self._drive(t_s)

    def _drive(self, t_s: float) -> None:
        if self.drive is None:
            if not self.client.hello():
                return
            self.drive = Drive(self.client, speed_m_s=self._speed_m_s)
        data, self._first = self._first, b""
        while self._keys and self._keys[0][0] <= t_s:
            data += self._keys.pop(0)[1]
        if self._releases:
            data += b"\x1b[0n"
        self.drive.step(t_s, self._decoder.feed(data))

    def settles_s(self, from_s: float) -> float:
        """Time from a moment until both soles are loaded and the horizontal speed is small, for good [s]."""
        moves = ~self.loaded | (np.linalg.norm(self.v_WC[:, :2], axis=1) >= STILL_M_S)
        last = np.flatnonzero(moves & (self.t_s >= from_s))
        return float(self.t_s[last[-1]] - from_s) if last.size else 0.0

    def stands_s(self, from_s: float) -> float:
        """Time from a moment until, for the first time after `settles_s`, the whole speed is small [s].

        A robot that has walked straightens its knees later: its centre of mass rises once more.
        """
        at_s = from_s + self.settles_s(from_s)
        still = self.loaded & (np.linalg.norm(self.v_WC, axis=1) < STILL_M_S)
        first = np.flatnonzero(still & (self.t_s > at_s))
        return float(self.t_s[first[0]] - from_s) if first.size else float("inf")
