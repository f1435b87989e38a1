from __future__ import annotations

import math

import numpy as np
import pytest
from telemetry_runs import hello_for, rows_for

from kilohertz.rt.telemetry.content import state_message
from kilohertz.rt.view.history import LATENCY_EDGES_US, WORST_TICK, History


def message(tick: int, **changes: object) -> dict:
    rows = rows_for("g1", 1)
    rows["tick"] = tick
    return state_message(rows, hello_for("g1"), 0) | changes


def filled(count: int, kept_s: float = 0.1) -> History:
    history = History(hello_for("g1"), kept_s)
    for tick in range(count):
        history.append(message(tick, p_WC=[tick, 0.0, 0.7], state=f"state {tick}"))
    return history


def test_before_the_first_message_there_is_nothing():
    history = filled(0)
    assert len(history) == 0
    assert history.at() == {}
    assert math.isnan(history.newest_s)
    assert math.isnan(history.oldest_s)
    assert [len(values) for values in history.since(0.0, 1.0, "t_s", "p_WC")] == [0, 0]


@pytest.mark.parametrize("count", [1, 19, 20, 21, 55])
def test_the_newest_messages_are_kept_and_no_others(count):
    history = filled(count)
    assert len(history) == min(count, 20)
    assert history.newest_s == pytest.approx((count - 1) * 1e-3)
    assert history.oldest_s == pytest.approx(max(0, count - 20) * 1e-3)
    t_s, p_WC = history.since(-1.0, 1.0, "t_s", "p_WC")
    np.testing.assert_allclose(t_s, np.arange(max(0, count - 20), count) * 1e-3)
    np.testing.assert_allclose(p_WC[:, 0], np.arange(max(0, count - 20), count))
    assert history.at()["state"] == f"state {count - 1}"


def test_a_moment_of_the_past_is_the_last_message_before_it():
    history = filled(50)
    assert history.at(0.0405)["state"] == "state 40"
    assert history.at(0.041)["state"] == "state 41"
    assert history.at(99.0)["state"] == "state 49"
    assert history.at(0.0)["state"] == "state 30"
    (t_s,) = history.since(0.035, 0.040, "t_s")
    np.testing.assert_allclose(t_s, [0.035, 0.036, 0.037, 0.038, 0.039, 0.040])


def test_every_tick_of_every_message_is_counted_by_its_duration():
    history = filled(0)
    history.append(message(3, tick_us=[5.0, 100.0, 100.0, 1e6], ticks=4, dropped=2))
    history.append(message(7, tick_us=[110.0], ticks=1))
    assert history.latency.sum() == history.ticks == 5
    assert history.dropped == 2
    assert history.latency[0] == 1
    assert history.latency[-1] == 1
    inside = np.searchsorted(LATENCY_EDGES_US, 100.0, side="right") - 1
    assert history.latency[inside] >= 2
    assert history.since(0.0, 1.0, WORST_TICK)[0].tolist() == [1e6, 110.0]


def test_what_a_robot_does_not_have_is_empty():
    history = History(hello_for("panda"), 1.0)
    history.append(state_message(rows_for("panda", 1), hello_for("panda"), 0))
    assert "contact" not in history.at()
    assert len(history.since(0.0, 1.0, "contact")[0]) == 0
