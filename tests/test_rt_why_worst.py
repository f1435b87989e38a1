"""The worst ticks of a run: each measure leads in turn, neighbours are told once."""

import itertools

import pytest
from why_runs import calm

from kilohertz.rt.loop.trace import STATES
from kilohertz.rt.why.worst import APART_TICKS, badness, worst_ticks


def troubled():
    m = calm(400)
    m.rows["stamps_ns"]["write"] = 200_000
    m.rows["stamps_ns"]["write"][100] = 3_000_000
    m.rows["rung"][200] = 2
    m.rows["qp_iterations"][300] = 80
    return m


def test_each_measure_leads_in_turn():
    ticks = worst_ticks(troubled(), 3)
    assert [(each["tick"], each["worst_of"]) for each in ticks] == [
        (100, "time"),
        (200, "ladder"),
        (300, "iterations"),
    ]
    assert ticks[0]["tick_us"] == 3000.0


def test_one_measure_can_be_asked_for():
    ticks = worst_ticks(troubled(), 4, "time")
    assert {each["worst_of"] for each in ticks} == {"time"}
    numbers = sorted(each["tick"] for each in ticks)
    assert all(b - a > APART_TICKS for a, b in itertools.pairwise(numbers))


def test_an_unknown_measure_is_refused():
    with pytest.raises(ValueError, match="'speed' is not one of time, ladder"):
        worst_ticks(calm(50), 1, "speed")


def test_ticks_after_the_stop_do_not_count():
    m = troubled()
    m.rows["state"][150:] = STATES.index("damping")
    assert badness(m)["ladder"][200] == 0.0
    assert badness(m)["time"][100] == pytest.approx(3.0)
