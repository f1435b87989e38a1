from __future__ import annotations

import live_changes
import pytest

from kilohertz.controller.gains.live import live_numbers, live_paths
from kilohertz.rt.faults.body_bench import BodyBench

pytestmark = pytest.mark.closed_loop


@pytest.fixture(scope="module")
def bench():
    return BodyBench("g1")


@pytest.mark.long
def test_harmless_changes_of_a_walking_robot_are_accepted_and_do_not_jerk(bench, tmp_path):
    figures = live_changes.harmless_changes(bench, 21, 2, tmp_path)
    assert (figures["changes"], figures["accepted"]) == (2, 2), figures["reasons"]
    assert not figures["fell"]
    assert figures["fading_step_above_Nm"] < live_changes.STEP_BAR_NM


@pytest.mark.long
@pytest.mark.parametrize(
    ("walks", "gain", "value"), [(False, "trunk.kd_per_s", 200.0), (True, "walk.swing.kd_per_s", 500.0)]
)
def test_an_unstable_change_is_rolled_back_and_the_robot_does_not_fall(bench, walks, gain, value):
    delay_ms = 2.0 if walks else live_changes.STANDING_DELAY_MS
    scene = live_changes.Scene(bench, 21, walks, delay_ms=delay_ms)
    numbers = live_numbers(bench.gains)
    numbers[live_paths().index(tuple(gain.split(".")))] = value
    assert live_changes.in_child(lambda: live_changes.without_supervisor(scene, numbers))["unstable"]
    figures = live_changes.with_supervisor(scene, numbers)
    bench.row = None
    assert (figures["rolled_back"], figures["fell"]) == (True, False)
    assert figures["after_ms"] < 1000
