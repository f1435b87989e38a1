"""One tick of a log, run again: everything about it, the same as recorded, and under the debugger."""

import json

import pytest
from why_runs import pushed_log

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.log.file import LogReader
from kilohertz.rt.why import tick as ticks

pytestmark = pytest.mark.closed_loop


def tick(number, **options):
    path, _ = pushed_log()
    with LogReader(path) as reader:
        return ticks.tick_of(reader, number, **options)


def test_a_tick_is_described_in_full():
    found = tick(520)
    assert found["tick"] == 520
    assert found["command_as_recorded"]
    assert (found["state"], found["rung"]) == ("active", "solved")
    assert set(found["contacts"]) == {"left_foot", "right_foot"}
    assert {"com", "posture"} <= set(found["tasks"])
    assert any(row["task"] == "base" for row in found["rows"])
    assert found["active_constraints"]
    json.dumps(found)


def test_a_tick_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"has no tick 99999: its last one is \d+"):
        tick(99999)


def test_the_debugger_stops_once_before_the_tick(monkeypatch):
    stops = []
    monkeypatch.setattr(ticks.pdb, "set_trace", lambda: stops.append(True))
    tick(10, debug=True)
    assert stops == [True]
