from __future__ import annotations

import os
from pathlib import Path

import pytest
from telemetry_runs import robot

from kilohertz.controller.gains.live import live_paths
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.live.gains_watch import changed_gains
from kilohertz.rt.view.gains_draft import GainsDraft

TEXT = """\
# Tuned on a Monday.
com:
  dcm_gain_per_s: 8.0           # the stiffness of the balance
  weight: 50                    # an integer
trunk: {kp_per_s2: 150.0, kd_per_s: 22.0}
# The end.
"""
GAIN, WEIGHT = ("com", "dcm_gain_per_s"), ("com", "weight")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gains.yaml"
    path.write_text(TEXT)
    return path


def test_a_draft_changes_nothing_until_it_is_applied(file):
    draft = GainsDraft(robot("g1"), file)
    draft.change(GAIN, 9.0)
    draft.change(WEIGHT, 60.0)
    assert file.read_text() == TEXT
    draft.change(WEIGHT, 50.0)
    assert draft.draft == {GAIN: 9.0}
    before = draft.running
    draft.apply()
    assert file.read_text() == TEXT.replace("8.0 ", "9.0 ")
    assert draft.draft == {}
    assert draft.values()[GAIN] == 9.0
    # What the watcher of a running controller does with the file.
    assert changed_gains(robot("g1"), file, before).com.dcm_gain_per_s == 9.0


def test_revert_goes_back_to_what_was_saved_last(file):
    draft = GainsDraft(robot("g1"), file)
    for value in (9.0, 10.0):
        draft.change(GAIN, value)
        draft.apply()
    assert draft.unsaved
    draft.change(WEIGHT, 60.0)
    draft.revert()
    assert file.read_text() == TEXT
    assert draft.draft == {}
    assert not draft.unsaved
    draft.change(GAIN, 9.0)
    draft.apply()
    draft.save()
    assert not draft.unsaved
    draft.change(GAIN, 12.0)
    draft.apply()
    draft.revert()
    assert draft.values()[GAIN] == 9.0


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({GAIN: 2000.0}, "com.dcm_gain_per_s"),
        ({GAIN: 1.0}, "4 times at most"),
        ({("walk", "height"): 0.8}, "cannot change while the robot runs"),
    ],
)
def test_what_a_running_robot_may_not_take_is_refused_and_the_file_stays(file, values, told):
    draft = GainsDraft(robot("g1"), file)
    draft.draft.update(values)
    with pytest.raises(ConfigError, match=told):
        draft.apply()
    assert file.read_text() == TEXT
    assert os.listdir(file.parent) == ["gains.yaml"]


def test_a_mistake_that_someone_else_made_in_the_file_is_told_and_not_overwritten(file):
    draft = GainsDraft(robot("g1"), file)
    draft.change(GAIN, 9.0)
    file.write_text("com: {wieght: 3}\n")
    with pytest.raises(ConfigError, match="wieght"):
        draft.apply()
    assert file.read_text() == "com: {wieght: 3}\n"


def test_changes_of_another_program_are_seen_and_kept(file):
    draft = GainsDraft(robot("g1"), file)
    assert not draft.look()
    file.write_text(TEXT.replace("50 ", "55 "))
    assert draft.look()
    draft.change(GAIN, 9.0)
    draft.apply()
    assert file.read_text() == TEXT.replace("50 ", "55 ").replace("8.0 ", "9.0 ")


def test_a_link_stays_a_link_and_rights_stay_what_they_are(file, tmp_path):
    file.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    draft = GainsDraft(robot("g1"), link)
    draft.change(GAIN, 9.0)
    draft.apply()
    assert link.is_symlink()
    assert "9.0 " in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o640


def test_each_range_holds_the_value_and_only_what_may_be_applied_at_once(file):
    draft = GainsDraft(robot("g1"), file)
    values, ranges = draft.values(), draft.ranges()
    assert set(ranges) == set(values) == set(live_paths())
    assert all(low <= values[path] <= high for path, (low, high) in ranges.items())
    assert ranges[GAIN] == (2.0, 30.0)
    assert ranges[WEIGHT] == (12.5, 200.0)
