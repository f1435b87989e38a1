"""A running controller takes requests, streams and stops, reports their progress, and its log replays."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.supervision.request import make_request
from kilohertz.rt.live.command_mailbox import DAMP, SOFT_STOP, CommandMailbox, Status
from kilohertz.rt.log.file import LogReader
from kilohertz.rt.run.plan import RunPlan
from kilohertz.rt.run.replay import replay
from kilohertz.rt.run.session import Session, SessionResult

pytestmark = pytest.mark.closed_loop


class Operator:
    """Drives a run in lockstep through its mailbox, as the agent process does in real time."""

    def __init__(self, act: Callable[[Operator, float], None], **plan: Any) -> None:
        scenario = {"name": "driven", "duration_s": 1.0, "commands": [{"at_s": 0, "stand": {}}]}
        self.session = Session(
            RunPlan(plan.pop("robot", "g1"), scenario, control="-", **plan), handle_signals=False
        )
        self.robot = self.session.robot
        assert self.session.commands is not None
        self.mailbox = CommandMailbox(self.robot, os.dup(self.session.commands.mailbox.fd))
        self.row = StreamRow(self.robot)
        self.number = 0
        self.seen: list[Status] = []
        self._act = act

    def run(self) -> SessionResult:
        return self.session.run(each_tick=self._each_tick)

    def _each_tick(self, tick: int) -> None:
        status = self.mailbox.read_status()
        if status is not None and (not self.seen or status != self.seen[-1]):
            self.seen.append(status)
        self._act(self, float(self.session.sensors.t_s[0]))

    def ask(self, behaviour: str, **parameters: Any) -> int:
        self.number += 1
        self.mailbox.post_request(self.number, make_request(self.robot, behaviour, parameters))
        return self.number

    def stream(self, t_s: float, velocity: tuple[float, float, float]) -> None:
        self.row.velocity_t_s[0], self.row.velocity[:] = t_s, velocity
        self.mailbox.post_streams(self.row)


def at(t_s: float, when_s: float) -> bool:
    return abs(t_s - when_s) < 0.4e-3


@pytest.mark.long
def test_a_driven_walk_ends_standing_and_replays_bit_for_bit(tmp_path: Path) -> None:
    def act(operator: Operator, t_s: float) -> None:
        if at(t_s, 0.3):
            operator.ask("sway", amplitude_m=0.02, period_s=2.0)
        # A stick at 50 Hz, held and then let go without a word.
        if 0.6 < t_s < 2.6 and round(t_s * 1e3) % 20 == 0:
            operator.row.hands_t_s[0], operator.row.hands_frame[0] = t_s, 1.0
            operator.row.hands_p[:3] = 0.25, 0.2, 0.15 + 0.05 * math.sin(4.0 * t_s)
            operator.stream(t_s, (0.4, 0.0, 0.1))

    operator = Operator(act, duration_s=5.0, log=tmp_path)
    result = operator.run()
    truth = operator.session.link.truth
    assert not result.summary["fell"]
    assert result.exit_code == 0
    assert truth.q[0] > 0.3
    assert np.linalg.norm(truth.v_WC[:2]) < 0.05
    walked = [status.velocity[0] for status in operator.seen]
    assert max(walked) > 0.35
    # The last sample is of 2.6 s: silence from 2.7 s, no velocity 0.3 s later.
    assert all(abs(status.velocity[0]) < 1e-9 for status in operator.seen if status.t_s > 3.01)
    assert any(status.velocity[0] > 0.05 for status in operator.seen if 2.75 < status.t_s < 2.85)
    assert result.log is not None
    with LogReader(result.log) as reader:
        again = replay(reader)
    assert (again.ticks, again.differ) == (result.summary["ticks"], 0)


@pytest.mark.long
def test_progress_is_reported_and_a_request_that_another_one_replaces_is_abandoned() -> None:
    def act(operator: Operator, t_s: float) -> None:
        if at(t_s, 0.1):
            operator.ask("bow", angle_rad=0.15, period_s=1.2)
        if at(t_s, 1.6):
            operator.ask("squat", depth_m=0.03, period_s=2.0)
        if at(t_s, 1.8):
            operator.ask("stand")

    operator = Operator(act, duration_s=2.2)
    operator.run()
    by_number: dict[int, list[Status]] = {}
    for status in operator.seen:
        by_number.setdefault(status.taken, []).append(status)
    assert sorted(by_number) == [0, 1, 2, 3]
    assert by_number[1][0].t_s == pytest.approx(0.102, abs=2e-3)
    assert [by_number[1][0].behaviour_state, by_number[1][-1].behaviour_state] == [1, 2]
    assert {status.abandoned for status in by_number[2]} == {0}
    assert {status.abandoned for status in by_number[3]} == {2}


@pytest.mark.parametrize(("kind", "ends_in"), [(SOFT_STOP, "idle"), (DAMP, "active")])
def test_a_stop_ends_the_run(kind: int, ends_in: str) -> None:
    def act(operator: Operator, t_s: float) -> None:
        if at(t_s, 0.2):
            operator.mailbox.post_stop(kind)

    operator = Operator(act, duration_s=3.0)
    result = operator.run()
    # Softly, the robot crouches first, for up to two seconds.
    assert result.summary["ticks"] < (400 if kind == DAMP else 2200)
    assert (result.exit_code == 0) == (kind == SOFT_STOP)
    assert result.summary["exit_state"] == ends_in
    assert any(event["kind"] == "stopped" for event in result.events)


@pytest.mark.long
def test_a_new_stream_takes_the_robot_from_its_scenario_and_a_later_request_from_the_stream() -> None:
    def act(operator: Operator, t_s: float) -> None:
        if round(t_s * 1e3) % 20 == 0:
            operator.stream(t_s, (0.3, 0.0, 0.0))
        if at(t_s, 1.5):
            operator.ask("stand")

    operator = Operator(act, duration_s=4.0)
    operator.run()
    assert any(status.velocity[0] > 0.2 for status in operator.seen if status.t_s < 1.5)
    # The stick is still held, but the request is the newer command.
    assert all(status.velocity[0] == 0.0 for status in operator.seen if status.t_s > 3.5)
