"""The list of logs: what each is of and how it ended, also for logs that are cut off or no logs."""

from __future__ import annotations

import json
import os
import time

from toy_log import SCHEMA, toy_header, toy_rows, write_toy_log

from kilohertz.rt.log.listing import entries_of
from kilohertz.rt.log.writer import LogWriter

SUMMARY = {"events": [], "exit_state": "damping", "duration_s": 3.2, "fell": True, "fell_at_s": 2.9}


def test_logs_are_listed_the_newest_first(tmp_path):
    write_toy_log(tmp_path / "fell.mcap", toy_rows(600), SUMMARY)
    write_toy_log(tmp_path / "crash.mcap", toy_rows(600), None, first_tick=7)
    (tmp_path / "text.mcap").write_text("no log")
    content = (tmp_path / "fell.mcap").read_bytes()
    (tmp_path / "cut.mcap").write_bytes(content[: len(content) // 2])
    for age, name in enumerate(("fell", "crash", "text", "cut")):
        os.utime(tmp_path / f"{name}.mcap", (time.time() - 100 * age,) * 2)
    fell, crash, text, cut = entries = entries_of(tmp_path)
    json.dumps(entries, allow_nan=False)
    assert fell["file"] == str(tmp_path / "fell.mcap")
    assert (fell["robot"], fell["scenario"], fell["seed"], fell["ended"]) == ("toy", "hop", 3, "damping")
    assert (fell["duration_s"], fell["fell"], fell["fell_at_s"]) == (3.2, True, 2.9)
    assert fell["bytes"] == len(content)
    assert crash["first_tick"] == 7
    assert crash["ended"] == cut["ended"] == "without a summary: crash, kill or full disk"
    assert text["robot"] is None
    assert text["ended"].startswith("no log: ")
    assert all(entry.keys() == fell.keys() for entry in entries)


def test_a_log_that_is_being_written_is_named(tmp_path):
    writer = LogWriter(tmp_path / "now.mcap", toy_header(), SCHEMA)
    assert entries_of(tmp_path)[0]["ended"] == "being written"
    writer.close(None)


def test_no_folder_has_no_logs(tmp_path):
    assert entries_of(tmp_path / "nowhere") == []
