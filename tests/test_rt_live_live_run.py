from __future__ import annotations

import json

import pytest

from kilohertz.controller.gains.live import live_numbers
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.gains.tuning import Tuning
from kilohertz.rt.live.live_run import LiveRun
from kilohertz.rt.run.session import RunPlan, Session

pytestmark = pytest.mark.host


def test_gains_from_the_watcher_reach_the_row_and_results_go_back():
    tuning = Tuning(Gains(), lambda gains: None, ("knee",), 1e-3)
    live = LiveRun(Gains(), tuning)
    live.mailbox.post(1, 1.2 * live_numbers(Gains()))
    live.between_ticks(0.5)
    assert live.row.generation == 1
    assert live.events == []
    tuning.take(live.row)
    live.between_ticks(0.501)
    tuning.judge(live.row.numbers[:1], 0.0, True, 0.0, False)
    live.between_ticks(0.502)
    assert [event["text"] for event in live.events] == [
        "gains 1 on trial",
        "gains 1 rolled back to 0: the robot gave up",
    ]
    _, answer = live.mailbox.read_answer(0)
    assert answer is not None
    assert answer.reason == "the robot gave up"
    assert live.figures() == {"generation": 1, "in_force": 0, "rolled_back": 1}


def test_a_run_with_watched_gains_reports_the_gains_in_force_at_the_end(tmp_path):
    gains, scenario = tmp_path / "gains.yaml", tmp_path / "scenario.yaml"
    gains.write_text("hand:\n  kp_per_s2: 400\n")
    scenario.write_text(
        json.dumps({"name": "hold", "duration_s": 1.5, "commands": [{"at_s": 0, "stand": {}}]})
    )
    session = Session(RunPlan("panda", str(scenario), gains=gains, watch_gains=True))
    assert session.live is not None
    session.live.mailbox.post(1, 1.2 * live_numbers(session.gains))
    result = session.run()
    assert result.summary["gains"] == {"generation": 1, "in_force": 1, "rolled_back": 0}
    assert "gains 1 on trial" in [event["text"] for event in result.events]
