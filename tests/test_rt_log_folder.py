"""The folder of logs: where it is, who may write to it, and that the oldest logs make room."""

from __future__ import annotations

import os
import time

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.log import folder as logs
from kilohertz.rt.log.folder import Limits

MB = 1_000_000


@pytest.fixture
def place(tmp_path, monkeypatch):
    where = tmp_path / "logs"
    monkeypatch.setenv(logs.FOLDER, str(where))
    return where


def log_of(place, name, size, age_s):
    path = place / f"{name}.mcap"
    path.write_bytes(bytes(size))
    at_s = time.time() - age_s
    os.utime(path, (at_s, at_s))
    return path


def test_the_folder_is_that_of_the_state_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv(logs.FOLDER)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert logs.log_folder() == tmp_path / "kilohertz" / "logs"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert logs.log_folder() == tmp_path / ".local" / "state" / "kilohertz" / "logs"


def test_the_folder_is_made_for_this_user_only(place):
    assert logs.ready_folder() == place
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_can_write_or_that_is_a_file_is_refused(place):
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    with pytest.raises(ConfigError, match="can be written by every user"):
        logs.ready_folder()
    place.rmdir()
    place.write_text("")
    with pytest.raises(ConfigError, match="cannot be made"):
        logs.ready_folder()


def test_a_disk_that_is_nearly_full_is_refused(place, monkeypatch):
    monkeypatch.setattr(logs, "FREE_BYTES", 1 << 60)
    with pytest.raises(ConfigError, match="are free on the disk"):
        logs.ready_folder()


@pytest.mark.parametrize("text", ["much", "-1", "1.5", "9" * 12, "²"])
def test_limits_come_from_the_environment(monkeypatch, text):
    monkeypatch.delenv(logs.RUNS)
    assert logs.limits_of_user() == Limits(2000 * MB, 200)
    monkeypatch.setenv(logs.MEGABYTES, "50")
    monkeypatch.setenv(logs.RUNS, "0")
    assert logs.limits_of_user() == Limits(50 * MB, 0)
    assert logs.limits_of_user().none_kept
    monkeypatch.setenv(logs.MEGABYTES, text)
    with pytest.raises(ConfigError, match=f"{logs.MEGABYTES} is a whole number"):
        logs.limits_of_user()


def test_the_oldest_logs_make_room(place):
    place.mkdir()
    old, middle, new = (log_of(place, name, 1000, age) for name, age in (("a", 300), ("b", 200), ("c", 100)))
    (place / "notes.txt").write_bytes(bytes(9000))
    assert logs.make_room(place, Limits(3000, 3)) == []
    assert logs.make_room(place, Limits(3000, 3), 0, 1) == [old]
    assert logs.make_room(place, Limits(3000, 3), 2000) == [middle]
    assert logs.newest_log(place) == new
    assert (place / "notes.txt").exists()


def test_a_log_that_is_being_written_stays(place):
    place.mkdir()
    old, new = log_of(place, "a", 1000, 300), log_of(place, "b", 1000, 100)
    with old.open("rb") as file:
        logs.lock(file.fileno())
        assert logs.being_written(old)
        assert logs.make_room(place, Limits(1000, 9)) == [new]
    assert not logs.being_written(old)
    assert logs.make_room(place, Limits(0, 9)) == [old]


def test_without_locks_a_log_that_has_just_grown_stays(place, monkeypatch):
    def no_locks(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(logs.fcntl, "flock", no_locks)
    place.mkdir()
    log_of(place, "a", 1000, 1)
    old = log_of(place, "b", 1000, 100)
    assert logs.make_room(place, Limits(0, 0)) == [old]


def test_a_link_is_neither_listed_nor_removed(place, tmp_path):
    place.mkdir()
    (tmp_path / "precious").write_text("x")
    (place / "a.mcap").symlink_to(tmp_path / "precious")
    assert logs.logs_in(place) == []
    assert logs.make_room(place, Limits(0, 0)) == []


def test_no_newest_log_is_a_sentence(place):
    with pytest.raises(ConfigError, match="there is no log in"):
        logs.newest_log()
