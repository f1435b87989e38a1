"""Interventions of guard, ladder and watchdogs: what, when, where, value and limit."""

import numpy as np
import pytest
from why_runs import calm

from kilohertz.rt.loop.trace import STATES
from kilohertz.rt.why.interventions import COLUMNS, PARTS, interventions, spans
from kilohertz.rt.why.stop_figures import StopFigure


def test_a_calm_run_has_none():
    assert interventions(calm(300)) == []


def test_spans_that_are_near_are_joined():
    mask = np.zeros(100, dtype=bool)
    mask[[3, 4, 10, 60, 61]] = True
    assert spans(mask) == [(3, 10), (60, 61)]
    assert spans(np.zeros(5, dtype=bool)) == []


def test_all_kinds_are_listed_by_time():
    m = calm(300)
    limit = float(m.robot.torque_limit_Nm[3])
    m.rows["command"]["tau_ff"][50:60, 3] = limit
    m.active_range[80:90, 5] = True
    m.rows["rung"][120:123] = 1
    m.reasons.append((200, "a fall: the base has tilted too far"))
    m.rows["state"][200:] = STATES.index("damping")
    m.rows["command"]["tau_ff"][250:, 3] = limit
    m.events.append({"t_s": 0.29, "kind": "link_lost", "text": "gone"})
    m.robot_events.append({"t_s": 0.291, "kind": "damping", "text": "no command was accepted for 20 periods"})
    m.robot_events.append({"t_s": 0.292, "kind": "damping", "text": "a joint is too fast"})
    found = interventions(m)
    assert [each["what"] for each in found] == [
        "torque limit",
        "barrier of joint range or speed",
        "fallback of the whole-body controller",
        "controlled stop",
        "link_lost",
        "damping",
        "damping",
    ]
    parts = ["guard", "guard", "ladder", "watchdog", "watchdog", "watchdog", "envelope"]
    assert [each["part"] for each in found] == parts
    assert set(parts) <= set(PARTS)
    assert all(set(each) == set(COLUMNS) for each in found)
    first = found[0]
    assert (first["where"], first["limit"]) == (m.robot.joint_names[3], limit)
    assert first["t_s"] == pytest.approx(0.05)
    assert first["until_s"] == pytest.approx(0.059)
    assert found[3]["text"] == "a fall: the base has tilted too far"


def test_a_stop_by_a_watch_has_the_value_and_the_limit():
    m = calm(300)
    m.reasons.extend([(100, "a fall: the base has tilted too far"), (250, "damping was asked for")])
    m.stop_figures[100] = StopFigure(57.0, 45.0, "deg")
    tilted, asked = interventions(m)
    assert (tilted["part"], tilted["value"], tilted["limit"]) == ("watchdog", 57.0, 45.0)
    assert tilted["unit"] == "deg"
    assert (asked["part"], asked["value"], asked["limit"]) == ("supervisor", None, None)
