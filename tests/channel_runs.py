"""Drives a robot through the command channel by several clients at a time, as fast as it can be simulated.

Two people and a program send requests, streams, targets that jump and packets that are no messages; they fall
silent, leave and come back. The agent's side of the channel is in this process, on the time of the
simulation, so that a seed gives the same run again. The log of the run is replayed.

    python tests/channel_runs.py [ROBOT] [FIRST_SEED] [RUNS] [SECONDS]
"""

from __future__ import annotations

import json
import math
import os
import random
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import fuzz_commands
import fuzz_wire
import numpy as np

from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.agent.control_side import ControlSide
from kilohertz.rt.live.command_mailbox import CommandMailbox, Status
from kilohertz.rt.live.stream_targets import StreamTargets
from kilohertz.rt.log.file import LogReader
from kilohertz.rt.run.plan import RunPlan
from kilohertz.rt.run.replay import replay
from kilohertz.rt.run.session import Session

FASTER = 1.05
"""Largest speed of a joint, relative to its limit, that a driven robot may reach."""
GARBAGE = 0.15
"""Part of the packets that are bent before they are sent."""


class Mailbox(CommandMailbox):
    """The agent's mailbox, on the time of the simulation instead of the computer's."""

    def read_status(self) -> Status | None:
        status = super().read_status()
        return status if status is None else replace(status, mono_ns=round(status.t_s * 1e9))


@dataclass
class Operator:
    """A client: what it sends, how often, until when, and how far its clock is off; NaN for no stamps."""

    peer: bytes
    role: str
    kind: str = "nothing"
    period: int = 20
    until_s: float = 0.1
    off_s: float = 0.0


class Operators:
    """Sends what three clients send, before each tick.

    Args:
        session: the run.
        seed: random seed of the commands.
    """

    def __init__(self, session: Session, seed: int) -> None:
        assert session.commands is not None
        self.rng = random.Random(seed)
        self.robot = session.robot
        self.fastest = 0.0
        self.bent = 0
        self.answers: dict[str, int] = {}
        self._session = session
        mailbox = Mailbox(self.robot, os.dup(session.commands.mailbox.fd))
        self.side = ControlSide(self.robot, mailbox, self._told)
        self._operators = [Operator(b"a", "person"), Operator(b"b", "person"), Operator(b"c", "program")]
        legs = self.robot.floating
        self._kinds = ["hands", "posture", "wrench", "gaze", "request", "nothing", "gone", "everything"]
        self._kinds += ["velocity", "velocity", "balance"] if legs else []

    def _told(self, peer: bytes, payload: bytes) -> None:
        message = wire.unpack(payload, wire.MOST_ANSWER_BYTES)
        assert message is not None
        self.answers[message[0]] = self.answers.get(message[0], 0) + 1

    def __call__(self, tick: int) -> None:
        """Sends the packets of one tick, and takes a cycle of the agent."""
        t_s = float(self._session.sensors.t_s[0])
        for operator in self._operators:
            if t_s >= operator.until_s:
                self._change(operator, t_s)
            if operator.peer in self.side.peers and tick % operator.period == 0:
                self._send(operator, t_s)
        self.side.advance(round(t_s * 1e9))
        joints = self._session.link.truth.v[self.robot.n_base :]
        self.fastest = max(self.fastest, float(np.abs(joints / self.robot.velocity_limit_rad_s).max()))

    def _change(self, operator: Operator, t_s: float) -> None:
        operator.kind = self.rng.choice(self._kinds)
        operator.period = self.rng.choice((1, 2, 10, 20, 50, 100))
        operator.until_s = t_s + self.rng.uniform(0.3, 3.0)
        operator.off_s = self.rng.choice((math.nan, 0.0, 0.0, self.rng.uniform(-0.3, 0.1)))
        if operator.kind == "gone":
            self.side.gone(operator.peer)
            return
        if operator.peer not in self.side.peers:
            self._hand_over(operator, wire.pack("hello", operator.peer.decode(), operator.role), t_s)
        if operator.kind == "request":
            operator.period = 500
        if self.rng.random() < 0.3:
            self._hand_over(operator, wire.pack(self.rng.choice(("take", "give")), 1), t_s)
        if self.rng.random() < 0.2:
            self._hand_over(operator, wire.pack("release", ()), t_s)

    def _send(self, operator: Operator, t_s: float) -> None:
        if operator.kind == "nothing":
            return
        stamp_s = t_s + operator.off_s
        packet = self._request() if operator.kind == "request" else self._stream(operator.kind, t_s, stamp_s)
        if self.rng.random() < GARBAGE:
            self.bent += 1
            bend = fuzz_commands.reworded if self.rng.random() < 0.5 else fuzz_wire.bent
            packet = bend(packet, self.rng)
        self._hand_over(operator, packet, t_s)

    def _hand_over(self, operator: Operator, packet: bytes, t_s: float) -> None:
        message = wire.unpack(packet)
        # Either would end the run.
        if message is not None and (message[0] == "stop" or "damp" in message[1]):
            return
        answer = self.side.handle(operator.peer, packet, round(t_s * 1e9))
        if answer is not None:
            self._told(operator.peer, answer)

    def _request(self) -> bytes:
        u, hand = self.rng.uniform, self.rng.choice(self.robot.hand_names)
        name, parameters = self.rng.choice(
            [
                ("stand", {}),
                ("walk", {"velocity_m_s": [u(-0.3, 1.0), u(-0.3, 0.3)], "yaw_rate_rad_s": u(-0.6, 0.6)}),
                ("squat", {"depth_m": u(0.01, 0.3), "period_s": 2.0}),
                ("bow", {"angle_rad": u(0.05, 0.5), "period_s": 2.0}),
                ("reach", {"hand": hand, "offset_m": [u(-0.2, 0.2) for _ in range(3)]}),
                ("stand", {"hands": {hand: {"p_BH_m": [u(0.1, 0.5), u(-0.4, 0.4), u(-0.1, 0.4)]}}}),
            ]
        )
        return wire.pack("request", self.rng.randrange(1, 1000), name, json.dumps(parameters))

    def _stream(self, kind: str, t_s: float, stamp_s: float) -> bytes:
        u = self.rng.uniform
        every = kind == "everything"
        targets: dict[str, Any] = {}
        if (every or kind == "velocity") and self.robot.floating:
            targets |= {"velocity_m_s": [u(-1, 2), u(-0.5, 0.5)], "yaw_rate_rad_s": u(-2, 2)}
        if every or kind == "hands":
            targets["hands"] = {name: self._hand(t_s) for name in self.robot.hand_names}
        if every or kind == "gaze":
            targets["gaze"] = {"yaw_rad": u(-3, 3), "pitch_rad": u(-2, 2)}
        if every or kind == "balance":
            targets |= {"com_offset_m": [u(-1, 1) for _ in range(3)], "lean_rad": u(-2, 2)}
        if every or kind == "posture":
            names = self.rng.sample(self.robot.joint_names, 4)
            targets["posture_rad"] = {name: u(-3, 3) for name in names}
        if every or kind == "wrench":
            targets["wrench"] = {name: [u(-90, 90) for _ in range(6)] for name in self.robot.hand_names}
        return wire.pack("stream", *StreamTargets(**targets).packed(stamp_s, self.robot.joint_names))

    def _hand(self, t_s: float) -> dict[str, Any]:
        u = self.rng.uniform
        if self.rng.random() < 0.5:
            p = [0.3 + 0.1 * math.sin(3.0 * t_s), 0.25, 0.2]
        else:
            p = [u(-1, 1) for _ in range(3)]
        target: dict[str, Any] = {f"p_{self.rng.choice('BW')}H_m": p}
        return target


class ChannelRun(NamedTuple):
    """What became of a run: what went wrong, "" if nothing did, and what the channel has counted."""

    problem: str
    fastest: float
    bent: int
    malformed: int
    received: int
    limited: int
    dropped: int
    answers: dict[str, int]


def channel_run(robot: str, seed: int, seconds: float, folder: Path) -> ChannelRun:
    """Runs a robot that several clients drive through the command channel, and replays the log of the run.

    Args:
        robot: name of the robot.
        seed: random seed of the commands, of sensor noise and of the plant.
        seconds: duration of the run [s].
        folder: folder of the log.
    """
    scenario = {"name": "channel", "duration_s": seconds, "commands": [{"at_s": 0, "stand": {}}]}
    session = Session(RunPlan(robot, scenario, seed=seed, control="-", log=folder), handle_signals=False)
    operators = Operators(session, seed)
    result = session.run(each_tick=operators)
    summary, problem = result.summary, ""
    if summary["fell"] or summary["exit_state"] != "active":
        problem = f"{summary['exit_state']} after {summary['ticks']} ticks: {session.brain.output.reason}"
    elif operators.fastest > FASTER:
        problem = f"a joint moved at {operators.fastest:.2f} of its speed limit"
    assert result.log is not None
    with LogReader(result.log) as reader:
        again = replay(reader)
    if again.differ or again.ticks != summary["ticks"]:
        problem = problem or f"the replay differs in {again.differ} of {again.ticks} ticks: {again.first}"
    result.log.unlink()
    side = operators.side
    counts = side.streams
    return ChannelRun(
        problem,
        operators.fastest,
        operators.bent,
        side.malformed,
        counts.received,
        counts.limited,
        counts.dropped,
        operators.answers,
    )


def main() -> None:
    """Runs the campaign that the arguments ask for; exits with 1 if any run went wrong."""
    robot, first, runs, seconds = (*sys.argv[1:5], *("g1", "0", "1", "60")[len(sys.argv) - 1 :])
    problems = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(int(first), int(first) + int(runs)):
            run = channel_run(robot, seed, float(seconds), Path(folder))
            problems += bool(run.problem)
            print(f"{robot} seed {seed}: {run.problem or 'ok'}; {run._asdict()}", flush=True)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
