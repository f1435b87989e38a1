from __future__ import annotations

import live_changes
import pytest

from kilohertz.rt.faults.body_bench import BodyBench

pytestmark = pytest.mark.closed_loop


@pytest.fixture(scope="module")
def bench():
    return BodyBench("g1")


def test_harmless_changes_of_a_walking_robot_are_accepted_and_do_not_jerk(bench, tmp_path):
    figures = live_changes.harmless_changes(bench, 21, 3, tmp_path)
    assert (figures["changes"], figures["accepted"]) == (3, 3), figures["reasons"]
    assert not figures["fell"]
    assert figures["fading_step_above_Nm"] < live_changes.STEP_BAR_NM


@pytest.mark.parametrize("walks", [False, True])
def test_unstable_changes_are_rolled_back_and_the_robot_stands(bench, walks):
    found = [each for each in live_changes.unstable_changes(bench, 21, walks, 4) if each["unstable"]]
    assert found
    assert [each["gains"] for each in found if each["fell"] or not each["rolled_back"]] == []
