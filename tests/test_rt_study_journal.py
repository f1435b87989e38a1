"""The done runs of a study survive an interruption, and nothing else is taken for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.study.journal import NAME, Journal


def write(folder: Path, indices: list[int]) -> bytes:
    with Journal(folder, "me") as journal:
        for index in indices:
            journal.add({"index": index, "status": "done"})
    return (folder / NAME).read_bytes()


def test_done_runs_are_found_again_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write(tmp_path, [2, 0])
    write(tmp_path, [1])
    with Journal(tmp_path, "me") as journal:
        assert [entry["index"] for entry in journal.entries()] == [0, 1, 2]


def test_a_last_line_that_was_cut_off_anywhere_costs_one_run(tmp_path: Path) -> None:
    whole = write(tmp_path, [0, 1, 2])
    start = whole.rindex(b"\n", 0, -1) + 1
    for end in range(start, len(whole)):
        (tmp_path / NAME).write_bytes(whole[:end])
        with Journal(tmp_path, "me") as journal:
            assert sorted(journal.done) == [0, 1]
    assert write(tmp_path, [2]) == whole


def test_a_damaged_line_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    whole = write(tmp_path, [0, 1, 2])
    lines = whole.splitlines(keepends=True)
    for bad in (b"{\n", b"[]\n", b'{"status": "done"}\n'):
        damaged = b"".join([*lines[:2], bad, *lines[3:]])
        (tmp_path / NAME).write_bytes(damaged)
        with pytest.raises(ConfigError, match=f"{NAME}:3 is damaged"):
            Journal(tmp_path, "me")
        assert (tmp_path / NAME).read_bytes() == damaged


def test_the_folder_of_another_study_is_refused_and_left_alone(tmp_path: Path) -> None:
    whole = write(tmp_path, [0]) + b'{"cut'
    (tmp_path / NAME).write_bytes(whole)
    with pytest.raises(ConfigError, match="another study"):
        Journal(tmp_path, "other")
    assert (tmp_path / NAME).read_bytes() == whole


def test_two_do_not_write_to_one_folder(tmp_path: Path) -> None:
    with Journal(tmp_path, "me"), pytest.raises(ConfigError, match="another `khz` writes"):
        Journal(tmp_path, "me")
