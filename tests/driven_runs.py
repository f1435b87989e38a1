"""Drives a robot by random commands of every kind, as fast as it can be simulated, and replays its log.

A run is driven through its mailbox, as the agent process does in real time: requests of all behaviours,
streams at 10 Hz to 1 kHz, targets that jump, targets far beyond every limit, and silences in between.

    python tests/driven_runs.py [ROBOT] [FIRST_SEED] [RUNS] [SECONDS]
"""

from __future__ import annotations

import math
import os
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pinocchio as pin

from kilohertz.controller.motion.behaviour_error import BehaviourError
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.supervision.request import RequestRow, make_request
from kilohertz.controller.upper_body.hand_targets import BASE
from kilohertz.rt.live.command_mailbox import CommandMailbox
from kilohertz.rt.log.file import LogReader
from kilohertz.rt.run.plan import RunPlan
from kilohertz.rt.run.replay import replay
from kilohertz.rt.run.session import Session

RATES_HZ = (10, 20, 50, 100, 500, 1000)


class DrivenRun(NamedTuple):
    """What became of a driven run: its kinds of commands, and what went wrong, "" if nothing did."""

    kinds: list[str]
    problem: str
    fastest: float
    requests: int


class RandomOperator:
    """Sends random commands: one kind for a while, then another one.

    Args:
        session: the run that is driven.
        seed: random seed of the commands.
    """

    def __init__(self, session: Session, seed: int) -> None:
        assert session.commands is not None
        self.rng = random.Random(seed)
        self.robot = session.robot
        self.kinds: list[str] = []
        self.fastest = 0.0
        self.requests = 0
        self._session = session
        self._mailbox = CommandMailbox(self.robot, os.dup(session.commands.mailbox.fd))
        self._row = StreamRow(self.robot)
        self._until_s, self._period = 0.5, 20
        self._send: Callable[[float], None] = self._silence
        legs = self.robot.floating
        self._all: list[Callable[[float], None]] = [
            *([self._velocity, self._velocity, self._jumping_velocity, self._balance] if legs else []),
            self._hands,
            self._jumping_hands,
            self._gaze,
            self._posture,
            self._wrench,
            self._request,
            self._silence,
            self._extremes,
        ]

    def __call__(self, tick: int) -> None:
        """Sends the commands of one tick."""
        t_s = float(self._session.sensors.t_s[0])
        if t_s >= self._until_s:
            self._until_s = t_s + self.rng.uniform(0.3, 3.0)
            self._period = 1000 // self.rng.choice(RATES_HZ)
            self._send = self.rng.choice(self._all)
            self.kinds.append(self._send.__name__.strip("_"))
            self._begin()
            if self._send == self._request:
                self._request(t_s)
        elif tick % self._period == 0 and self._send not in (self._request, self._silence):
            self._send(t_s)
            self._mailbox.post_streams(self._row)
        joints = self._session.link.truth.v[self.robot.n_base :]
        self.fastest = max(self.fastest, float(np.abs(joints / self.robot.velocity_limit_rad_s).max()))

    def _begin(self) -> None:
        u = self.rng.uniform
        self._v = (u(-0.6, 1.2), u(-0.4, 0.4), u(-1.2, 1.2)) if self.rng.random() < 0.7 else (0.0, 0.0, 0.0)
        self._middle, self._phase = np.array([u(0.1, 0.4), u(-0.35, 0.35), u(-0.1, 0.4)]), u(0.0, 6.0)

    def _velocity(self, t_s: float) -> None:
        self._row.velocity_t_s[0], self._row.velocity[:] = t_s, self._v

    def _jumping_velocity(self, t_s: float) -> None:
        u = self.rng.uniform
        self._row.velocity_t_s[0] = t_s
        self._row.velocity[:] = (u(-2, 2), u(-1, 1), u(-3, 3)) if self.rng.random() < 0.9 else (0, 0, 0)

    def _balance(self, t_s: float) -> None:
        row = self._row
        row.com_t_s[0] = row.lean_t_s[0] = t_s
        row.com[:], row.lean[0] = [self.rng.uniform(-1, 1) for _ in range(3)], self.rng.uniform(-2, 2)

    def _hands(self, t_s: float) -> None:
        for i in range(len(self.robot.hand_names)):
            side = np.array([1.0, 1.0 if i == 0 else -1.0, 1.0])
            sway = 0.1 * np.array([0.0, math.sin(3.0 * t_s + self._phase), math.cos(2.0 * t_s)])
            self._aim(i, t_s, self._middle * side + sway, None)

    def _jumping_hands(self, t_s: float) -> None:
        u = self.rng.uniform
        for i in range(len(self.robot.hand_names)):
            turned = self.rng.random() < 0.5
            R = pin.rpy.rpyToMatrix(u(-3, 3), u(-1.5, 1.5), u(-3, 3)) if turned else None
            self._aim(i, t_s, np.array([u(-1, 1), u(-1, 1), u(-1, 1)]), R)

    def _aim(self, i: int, t_s: float, p: Any, R: Any) -> None:
        row = self._row
        row.hands_t_s[i], row.hands_frame[i], row.hands_p[3 * i : 3 * i + 3] = t_s, BASE, p
        row.hands_R[9 * i : 9 * i + 9] = math.nan if R is None else R.ravel()
        row.hands_v[:] = row.hands_w[:] = math.nan

    def _gaze(self, t_s: float) -> None:
        self._row.gaze_t_s[0], self._row.gaze[:] = t_s, (self.rng.uniform(-3, 3), self.rng.uniform(-2, 2))

    def _posture(self, t_s: float) -> None:
        self._row.posture_t_s[0] = t_s
        for j in range(self.robot.na):
            self._row.posture_q[j] = self.rng.uniform(-3, 3) if self.rng.random() < 0.7 else math.nan

    def _wrench(self, t_s: float) -> None:
        for i in range(len(self.robot.hand_names)):
            self._row.wrench_t_s[i] = t_s
            self._row.wrench[6 * i : 6 * i + 6] = [self.rng.uniform(-100, 100) for _ in range(6)]

    def _extremes(self, t_s: float) -> None:
        """Sends numbers that no agent would let pass, NaN among them."""
        row = self._row
        for name, length in row.fields[1:]:
            values = [
                self.rng.choice([1e4, -1e4, 0.0, math.nan, self.rng.uniform(-9, 9)]) for _ in range(length)
            ]
            getattr(row, name)[:] = t_s if name.endswith("_t_s") else values
        row.hands_frame[:] = BASE

    def _silence(self, t_s: float) -> None:
        """Sends nothing."""

    def _request(self, t_s: float) -> None:
        request = random_request(self.robot, self.rng, t_s)
        if request is not None:
            self.requests += 1
            self._mailbox.post_request(self.requests, request)


def random_request(robot: Any, rng: random.Random, t_s: float) -> RequestRow | None:
    """Returns a request of a random behaviour; None for one that this robot cannot do."""
    u = rng.uniform
    hand = rng.choice(robot.hand_names)
    name, parameters = rng.choice(
        [
            ("stand", {}),
            (
                "walk",
                {"velocity_m_s": [u(-0.2, 0.6), u(-0.2, 0.2)], "yaw_rate_rad_s": u(-0.5, 0.5)},
            ),
            ("squat", {"depth_m": u(0.01, 0.2), "period_s": 2.0}),
            ("sway", {"amplitude_m": u(0.0, 0.05), "period_s": 2.0, "axis": "y"}),
            ("bow", {"angle_rad": u(0.05, 0.4), "period_s": 2.0}),
            ("reach", {"hand": hand, "offset_m": [u(-0.2, 0.2) for _ in range(3)]}),
            ("circle", {"hand": hand, "radius_m": 0.04, "period_s": 3.0, "plane": "yz"}),
        ]
    )
    try:
        return make_request(robot, name, parameters, t_s)
    except BehaviourError:
        return None


def driven_run(robot: str, seed: int, seconds: float, folder: Path) -> DrivenRun:
    """Runs a robot that is driven by random commands, and replays the log of the run.

    Args:
        robot: name of the robot.
        seed: random seed of the commands, of sensor noise and of the plant.
        seconds: duration of the run [s].
        folder: folder of the log.
    """
    scenario = {"name": "driven", "duration_s": seconds, "commands": [{"at_s": 0, "stand": {}}]}
    session = Session(RunPlan(robot, scenario, seed=seed, control="-", log=folder), handle_signals=False)
    operator = RandomOperator(session, seed)
    result = session.run(each_tick=operator)
    summary, problem = result.summary, ""
    if summary["fell"] or summary["exit_state"] != "active":
        why = session.brain.output.reason or result.events[-1]["text"]
        problem = f"{summary['exit_state']} after {summary['ticks']} ticks: {why}"
    assert result.log is not None
    with LogReader(result.log) as reader:
        again = replay(reader)
    if again.differ or again.ticks != summary["ticks"]:
        problem = problem or f"the replay differs in {again.differ} of {again.ticks} ticks: {again.first}"
    result.log.unlink()
    return DrivenRun(operator.kinds, problem, operator.fastest, operator.requests)


def main() -> None:
    """Runs the campaign that the arguments ask for; exits with 1 if any run went wrong."""
    robot, first, runs, seconds = (*sys.argv[1:5], *("g1", "0", "1", "60")[len(sys.argv) - 1 :])
    problems = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(int(first), int(first) + int(runs)):
            run = driven_run(robot, seed, float(seconds), Path(folder))
            problems += bool(run.problem)
            said = run.problem or "ok"
            last = ", ".join(run.kinds[-3:])
            counts = f"{len(run.kinds)} changes of command, {run.requests} requests"
            print(
                f"{robot} seed {seed}: {said}; {counts}; fastest joint {run.fastest:.2f}; {last}", flush=True
            )
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
