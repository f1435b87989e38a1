from __future__ import annotations

import json

import numpy as np
import pytest

from kilohertz.controller.gains.comparison import RESTING
from kilohertz.controller.gains.live import GainsRow, live_numbers
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.gains.tuning import Tuning
from kilohertz.rt.live import live_run
from kilohertz.rt.live.live_run import LiveRun
from kilohertz.rt.run.session import RunPlan, Session

pytestmark = pytest.mark.host

REST, LIMIT = np.zeros(1), np.full(1, 10.0)


def judge(tuning, active=True, tau=1.0):
    tuning.judge(REST, tau * np.ones(1), LIMIT, True, 0.0, kind=RESTING, calm=True, active=active)


def resting():
    """A tuning supervisor of a robot that has been at rest for a second."""
    tuning = Tuning(Gains(), lambda gains: None, ("knee",), 1e-3)
    row = GainsRow(Gains())
    for _ in range(1001):
        tuning.take(row)
        judge(tuning)
    return tuning


def test_gains_from_the_watcher_reach_the_row_and_results_go_back():
    tuning = resting()
    live = LiveRun(Gains(), tuning)
    live.mailbox.post(1, 1.2 * live_numbers(Gains()))
    live.between_ticks(0.5)
    assert live.row.generation == 1
    assert live.events == []
    tuning.take(live.row)
    live.between_ticks(0.501)
    judge(tuning, active=False, tau=2.0)
    live.between_ticks(0.502)
    figures = "tracking 0 -> 0 mm, effort 10 -> 20 %, chatter 0 -> 1 Nm/ms, torque margin 90 -> 80 %"
    assert [event["text"] for event in live.events] == [
        "gains 1 on trial",
        f"gains 1 rolled back to 0: the robot gave up; {figures}",
    ]
    _, answer = live.mailbox.read_answer(0)
    assert answer is not None
    assert answer.reason == "the robot gave up"
    np.testing.assert_allclose(answer.figures, [[0.0, 0.1, 0.0, 0.9], [0.0, 0.2, 1.0, 0.8]])
    assert live.figures() == {"generation": 1, "in_force": 0, "rolled_back": 1}
    first, second = live.sets
    assert (first.generation, first.spans) == (0, [(0.0, 0.501), (0.502, None)])
    assert (second.generation, second.spans) == (1, [(0.501, 0.502)])
    np.testing.assert_array_equal(second.numbers, 1.2 * live_numbers(Gains()))
    assert second.answer == answer


def test_gains_that_wait_are_told():
    tuning = Tuning(Gains(), lambda gains: None, ("knee",), 1e-3)
    live = LiveRun(Gains(), tuning)
    live.mailbox.post(1, 1.2 * live_numbers(Gains()))
    for k in range(3):
        live.between_ticks(1e-3 * k)
        tuning.take(live.row)
        judge(tuning)
    assert [event["text"] for event in live.events] == [
        "gains 1 wait for motion that can be compared with that before them"
    ]


def test_the_events_say_how_many_are_left_out(monkeypatch):
    monkeypatch.setattr(live_run, "EVENTS_KEPT", 2)
    tuning = resting()
    live = LiveRun(Gains(), tuning)
    for generation in (1, 2, 3, 4):
        live.mailbox.post(generation, live_numbers(Gains()))
        live.between_ticks(float(generation))
        tuning.take(live.row)
    live.between_ticks(5.0)
    assert [event["text"] for event in live.events] == [
        "gains 1 on trial",
        "gains 2 on trial",
        "2 later events of gains are left out",
    ]
    assert [each.generation for each in live.sets] == [0, 1]


@pytest.mark.long
def test_a_run_with_watched_gains_reports_the_gains_in_force_at_the_end(tmp_path):
    gains, scenario = tmp_path / "gains.yaml", tmp_path / "scenario.yaml"
    gains.write_text("hand:\n  kp_per_s2: 400\n")
    scenario.write_text(
        json.dumps({"name": "hold", "duration_s": 5.0, "commands": [{"at_s": 0, "stand": {}}]})
    )
    session = Session(RunPlan("panda", str(scenario), seed=3, gains=gains, watch_gains=True))
    assert session.live is not None
    session.live.mailbox.post(1, 1.2 * live_numbers(session.gains))
    result = session.run()
    assert result.summary["gains"] == {"generation": 1, "in_force": 1, "rolled_back": 0}
    texts = [event["text"] for event in result.events]
    assert "gains 1 on trial" in texts
    assert any(text.startswith("gains 1 accepted: tracking ") for text in texts)
