from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from telemetry_runs import hello_for, rows_for

pytest.importorskip("viser")

from kilohertz.rt.telemetry.content import state_message
from kilohertz.rt.view.history import History
from kilohertz.rt.view.plots import extremes, latency_text


@given(st.lists(st.floats(-1e6, 1e6), max_size=60), st.integers(1, 20))
def test_fewer_points_still_show_the_extreme_one(values, count):
    found = extremes(np.array(values), count)
    assert len(found) <= max(count, 1)
    if values:
        assert np.abs(found).max() == np.abs(values).max()
        assert set(found) <= set(values)


def test_unknown_values_are_not_taken_for_extreme_ones():
    found = extremes(np.array([np.nan, 1.0, np.nan, np.nan, -3.0, 2.0]), 3)
    assert repr(found.tolist()) == "[1.0, nan, -3.0]"


def test_the_percentiles_of_the_latency_are_upper_bounds():
    history = History(hello_for("g1"))
    assert latency_text(history) == ""
    message = state_message(rows_for("g1", 1), hello_for("g1"), 0)
    history.append(message | {"tick_us": [100.0] * 999 + [900.0], "ticks": 1000, "dropped": 7})
    text = latency_text(history)
    assert text.startswith("1000 ticks; at most p50: 1")
    figures = [
        float(part.split(": ")[1].split()[0]) for part in text.split("most ")[1].split(";")[0].split(", ")
    ]
    assert 100.0 <= figures[0] < 120.0
    assert figures[0] == figures[1] == figures[2]
    assert text.endswith("7 not seen")
