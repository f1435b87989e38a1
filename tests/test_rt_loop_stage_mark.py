"""The compiled mark writes the clock of the loop, into the row of the current tick."""

from __future__ import annotations

import sys
from time import monotonic_ns

import pytest

from kilohertz.rt.loop.stamps import READ, TICK, StageRing

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the mark is compiled on Linux")


def test_the_compiled_mark_writes_the_monotonic_clock() -> None:
    ring = StageRing(3)
    for tick in range(5):
        before = monotonic_ns()
        ring.begin(tick, before, before)
        ring.mark(READ)
        assert before <= ring.rows()[-1, READ] <= monotonic_ns()
    assert ring.rows()[:, TICK].tolist() == [2, 3, 4]


def test_a_ring_with_a_clock_of_its_own_marks_by_it() -> None:
    ring = StageRing(3, now=lambda: 7)
    ring.begin(0, 1, 2)
    ring.mark(READ)
    assert ring.rows()[-1, READ] == 7
