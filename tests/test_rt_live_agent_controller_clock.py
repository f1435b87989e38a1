"""The agent's clock runs on between two reports of the loop, and stands still if the loop does."""

from __future__ import annotations

import math

import pytest

from kilohertz.rt.live.agent.controller_clock import LONGEST_GAP_S, ControllerClock


@pytest.mark.parametrize("slow_motion", [1, 10])
def test_the_clock_runs_on_from_the_newest_report(slow_motion: int) -> None:
    clock = ControllerClock(slow_motion)
    assert math.isnan(clock.now_s(5))
    clock.report(3.0, 1_000_000_000)
    assert clock.now_s(1_000_000_000) == 3.0
    assert clock.now_s(1_020_000_000) == pytest.approx(3.0 + 0.02 / slow_motion, abs=1e-12)
    assert clock.now_s(999_000_000) == 3.0
    clock.report(4.0, 2_000_000_000)
    assert clock.now_s(2_000_000_000) == 4.0


def test_the_clock_stands_still_if_the_loop_does() -> None:
    clock = ControllerClock()
    clock.report(3.0, 0)
    assert clock.now_s(10**12) == 3.0 + LONGEST_GAP_S
