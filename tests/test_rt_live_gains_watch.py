from __future__ import annotations

import time

import pytest
from bodies import robot

from kilohertz.controller.gains.live import GainsRow, live_paths
from kilohertz.controller.gains.schema import Gains, load_gains, unfinished
from kilohertz.controller.gains.tuning import GOOD, ROLLED_BACK, Tuning
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.live.gains_mailbox import GainsMailbox
from kilohertz.rt.live.gains_watch import (
    PATIENCE_S,
    STILL_S,
    GainsWatcher,
    changed_gains,
    watched,
    watched_file,
)

pytestmark = pytest.mark.host

MODEL = robot("panda")
KP = live_paths().index(("hand", "kp_per_s2"))
START = "hand:\n  kp_per_s2: 400\n"
DEADLINE_S = 60.0


class Scene:
    """A watcher with a simulated clock, the file it watches, and the loop's side of the mailbox."""

    def __init__(self, path):
        self.path, self.messages = path, []
        path.write_text(START)
        self.mailbox, self.row = GainsMailbox(), GainsRow(Gains())
        self.watcher = GainsWatcher(MODEL, path, load_gains(MODEL, path), self.mailbox, self.messages.append)
        self.now_s = 0.0

    def write(self, text, wait_s=2 * STILL_S):
        self.path.write_text(text)
        self.wait(wait_s)

    def wait(self, wait_s=2 * STILL_S):
        for _ in range(2):
            self.watcher.look(self.now_s)
            self.now_s += wait_s
        self.watcher.look(self.now_s)
        self.mailbox.collect(self.row)

    def answer(self, generation, in_force, state):
        tuning = Tuning(Gains(), lambda gains: None, MODEL.joint_names, 1e-3)
        tuning.generation, tuning.in_force, tuning.state, tuning.reason = generation, in_force, state, "why"
        self.mailbox.answer(tuning)


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path / "gains.yaml")


def test_a_saved_file_reaches_the_loop_and_its_changes_are_reported(scene):
    scene.wait()
    assert scene.messages == []
    scene.write(START.replace("400", "800"))
    assert (scene.row.generation, scene.row.numbers[KP]) == (1, 800.0)
    assert scene.messages == ["gains 1: hand.kp_per_s2 400 -> 800"]
    scene.answer(1, 1, GOOD)
    scene.wait()
    assert scene.messages[-1] == "gains 1 accepted"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hand:\n  kp_per_s: 500\n", ":2:3: hand.kp_per_s: is not a known key"),
        ("hand:\n  kp_per_s2: .nan\n", ":2:3: hand.kp_per_s2: should be a finite number"),
        ("hand:\n  kp_per_s2: 4000\n", ":2:3: hand.kp_per_s2: should change by 4 times at most"),
        ("hand:\n  kp_per_s2: 400\nsolver: exact\n", ":3:1: solver: cannot change while the robot runs"),
        ("", "is empty"),
    ],
)
def test_an_invalid_file_is_reported_with_its_line_and_changes_nothing(scene, text, sentence):
    scene.write(text)
    assert scene.row.generation == 0
    (message,) = scene.messages
    assert f"{scene.path}{sentence}" in message or (not text and sentence in message)
    assert message.endswith("the running gains stay as they are")
    scene.write(START.replace("400", "500"))
    assert scene.row.numbers[KP] == 500.0


def test_a_file_that_ends_within_a_line_is_waited_for(scene):
    scene.write("hand:\n  kp_per_s2: 50")
    assert scene.messages == []
    scene.write("hand:\n  kp_per_s2: 500\n")
    assert scene.row.numbers[KP] == 500.0
    scene.write("hand:\n  kp_per_s2: 60", wait_s=PATIENCE_S)
    assert scene.row.numbers[KP] == 500.0
    assert "ends within this line" in scene.messages[-1]


def test_a_deleted_file_is_reported_once_and_read_when_it_is_back(scene):
    scene.path.unlink()
    scene.wait()
    assert scene.messages == []
    scene.wait(PATIENCE_S)
    scene.wait(PATIENCE_S)
    assert len(scene.messages) == 1
    assert "does not exist" in scene.messages[0]
    scene.write(START.replace("400", "500"))
    assert scene.row.numbers[KP] == 500.0


def test_gains_that_were_rolled_back_are_tried_again_when_the_file_is_saved_again(scene):
    bad = START.replace("400", "1000")
    scene.write(bad)
    scene.answer(1, 0, ROLLED_BACK)
    scene.wait()
    assert scene.messages[-1] == "gains 1 rolled back to 0: why"
    scene.wait()
    assert scene.row.generation == 1
    scene.write(bad + "# saved again\n")
    assert scene.row.generation == 2
    # Each change counts from what is in force, which is the start again.
    assert scene.messages[-1] == "gains 2: hand.kp_per_s2 400 -> 1000"
    scene.answer(2, 0, ROLLED_BACK)
    scene.write(START.replace("400", "1600"))
    assert scene.messages[-1] == "gains 3: hand.kp_per_s2 400 -> 1600"


def test_a_change_between_reading_and_watching_is_not_missed(tmp_path):
    path, mailbox, messages = tmp_path / "gains.yaml", GainsMailbox(), []
    path.write_text(START)
    running = load_gains(MODEL, path)
    path.write_text(START.replace("400", "600"))
    watcher = GainsWatcher(MODEL, path, running, mailbox, messages.append)
    for now_s in (0.0, 1.0):
        watcher.look(now_s)
    assert messages == ["gains 1: hand.kp_per_s2 400 -> 600"]


@pytest.mark.parametrize(
    ("text", "whole"), [("a: 1\n", True), ("a: 1", False), ("a: 1\n# end", True), ("a: 1\n  ", True)]
)
def test_only_a_cut_line_with_content_makes_a_file_unfinished(tmp_path, text, whole):
    path = tmp_path / "gains.yaml"
    path.write_text(text)
    assert (unfinished(path) is None) == whole


def test_a_robot_without_gains_has_nothing_to_watch(tmp_path):
    with pytest.raises(ConfigError, match="--gains"):
        watched_file(robot("ur5"), None)
    assert watched_file(MODEL, tmp_path) == tmp_path


def test_changed_gains_are_those_of_the_file(tmp_path):
    path = tmp_path / "gains.yaml"
    path.write_text(START.replace("400", "600"))
    assert changed_gains(MODEL, path, Gains()) == load_gains(MODEL, path)


def test_a_separate_process_watches_and_ends(tmp_path, capfd):
    path, mailbox, row = tmp_path / "gains.yaml", GainsMailbox(), GainsRow(Gains())
    path.write_text(START)
    until_s = time.monotonic() + DEADLINE_S
    with watched("panda", path, load_gains(MODEL, path), mailbox):
        path.write_text(START.replace("400", "600"))
        while row.generation == 0 and time.monotonic() < until_s:
            mailbox.collect(row)
            time.sleep(0.01)
    assert row.numbers[KP] == 600.0
    assert "gains 1: hand.kp_per_s2 400 -> 600" in capfd.readouterr().err
