"""The ring holds the last ticks, the worst one survives it, and its timeline is a Chrome trace."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from kilohertz.rt.loop.stamps import (
    BRAIN_STAGES,
    DUE,
    ORDER,
    READ,
    RECORD,
    START,
    TICK,
    WORST_CONTEXT_TICKS,
    WRITE,
    StageRing,
    chrome_trace,
)


class Time:
    now_ns = 1000

    def __call__(self) -> int:
        self.now_ns += 7
        return self.now_ns


def filled(n_ticks: int, size: int, skip: tuple[int, ...] = (), worst: int = -1) -> StageRing:
    time = Time()
    ring = StageRing(size, time)
    for tick in range(n_ticks):
        due_ns = time()
        ring.begin(tick, due_ns, time())
        for column in ORDER:
            if column not in skip:
                ring.mark(column)
        if tick == worst:
            ring.keep_worst(100)
    return ring


def test_the_ring_holds_the_last_ticks_in_order() -> None:
    rows = filled(n_ticks=25, size=10).rows()
    assert rows[:, TICK].tolist() == list(range(15, 25))
    assert np.all(np.diff(rows[:, [DUE, START, *ORDER]].ravel()) > 0)


def test_a_ring_that_is_not_full_shows_only_what_happened() -> None:
    assert len(filled(n_ticks=4, size=10).rows()) == 4
    assert len(StageRing(10).rows()) == 0


def test_ticks_need_not_be_in_sequence() -> None:
    ring = StageRing(4, Time())
    for tick in (0, 1, 5, 9, 10):
        ring.begin(tick, tick + 1, tick + 1)
    assert ring.rows()[:, TICK].tolist() == [1, 5, 9, 10]


def test_the_worst_tick_survives_with_what_came_before() -> None:
    for worst in (5, 60, 61, 99):
        ring = filled(n_ticks=1000, size=61, worst=worst)
        kept = ring.worst_rows()
        assert kept[-1, TICK] == worst
        assert kept[:, TICK].tolist() == list(range(max(0, worst - WORST_CONTEXT_TICKS + 1), worst + 1))
        assert ring.worst_ns == 100


def test_the_brain_counts_its_stages_as_the_ring_does() -> None:
    brain = pytest.importorskip("kilohertz.controller.brain")
    assert tuple(brain.STAGES) == BRAIN_STAGES


def test_the_timeline_is_json_with_stages_that_follow_each_other() -> None:
    trace = json.loads(json.dumps(chrome_trace(filled(n_ticks=3, size=10).rows())))
    slices = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert [event["name"] for event in slices[:10]] == [
        "wake",
        "tick",
        "read",
        *BRAIN_STAGES,
        "write",
        "record",
    ]
    stages = [event for event in slices[:10] if event["name"] not in ("wake", "tick")]
    for before, after in pairwise(stages):
        assert np.isclose(before["ts"] + before["dur"], after["ts"])
    assert all(event["dur"] > 0 for event in slices)
    assert slices[0]["ts"] == 0.0


def test_stages_that_did_not_run_are_left_out_of_the_timeline() -> None:
    ring = filled(n_ticks=30, size=10, skip=(READ, 2, 3, RECORD))
    names = {event["name"] for event in chrome_trace(ring.rows())["traceEvents"] if event["ph"] == "X"}
    assert names == {"wake", "tick", "estimate", "kinematics", "guard", "write"}


def test_a_tick_that_was_never_written_has_no_end() -> None:
    ring = filled(n_ticks=1, size=4, skip=(WRITE, RECORD))
    names = [event["name"] for event in chrome_trace(ring.rows())["traceEvents"] if event["ph"] == "X"]
    assert names == ["wake", "read", *BRAIN_STAGES]


def test_the_timeline_of_nothing_is_empty() -> None:
    assert [event["ph"] for event in chrome_trace(StageRing(4).rows())["traceEvents"]] == ["M", "M"]
