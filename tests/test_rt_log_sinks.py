"""Where the recorder puts rows: a file with a largest size, and memory that is written after trouble."""

from __future__ import annotations

import numpy as np
import pytest
from toy_log import CELLS, SCHEMA, toy_header, toy_rows

from kilohertz.rt.log import sinks
from kilohertz.rt.log.file import LogReader, read_rows
from kilohertz.rt.log.folder import Limits, Storage
from kilohertz.rt.log.sinks import CappedLog, FlightLog, sink_of
from kilohertz.rt.log.writer import LogWriter

LIMITS = Limits(2_000_000, 5)
SUMMARY = {"events": [], "exit_state": "active"}


def ticks_of(path):
    with LogReader(path) as reader:
        rows = read_rows(reader)
    assert reader.damage == ""
    return rows["tick"].tolist(), reader


def fill(sink, rows):
    for at in range(0, len(rows), 500):
        part = rows[at : at + 500]
        sink.add(np.arange(at, at + len(part)), part[:, 0], part)
    sink.flush()


def test_a_long_run_has_a_file_for_its_beginning_and_one_for_its_end(tmp_path):
    said = []
    rows = toy_rows(16_000)
    assert rows.nbytes > 2 * LIMITS.one_run_bytes
    sink = CappedLog(tmp_path / "a.mcap", toy_header(), SCHEMA, LIMITS, said.append)
    fill(sink, rows)
    assert sink.written == len(rows)
    assert (sink.errno, len(said)) == (0, 1)
    sink.close(SUMMARY)
    begun, reader = ticks_of(tmp_path / "a.mcap")
    assert begun == list(range(len(begun)))
    assert reader.summary == SUMMARY
    assert reader.events[0]["kind"] == sinks.FULL
    ended, reader = ticks_of(tmp_path / "a-tail.mcap")
    assert ended[-1] == len(rows) - 1
    assert reader.header.first_tick > len(begun) - 1 or len(begun) + len(ended) >= len(rows)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < LIMITS.most_bytes * 1.1


def test_older_logs_make_room_while_a_log_grows(tmp_path, monkeypatch):
    monkeypatch.setattr(sinks, "ROOM_EVERY_BYTES", 100_000)
    (tmp_path / "old.mcap").write_bytes(bytes(1_500_000))
    sink = CappedLog(tmp_path / "a.mcap", toy_header(), SCHEMA, LIMITS, print)
    fill(sink, toy_rows(1_000_000 // (8 * CELLS)))
    sink.close(SUMMARY)
    assert not (tmp_path / "old.mcap").exists()
    assert (tmp_path / "a.mcap").exists()


@pytest.mark.parametrize("trouble", [False, True])
def test_the_flight_recorder_writes_after_trouble_only(tmp_path, trouble):
    sink = FlightLog(tmp_path / "a.mcap", toy_header(), SCHEMA, LIMITS)
    rows = toy_rows(700)
    fill(sink, rows)
    assert sink.written == 700
    assert list(tmp_path.iterdir()) == []
    sink.trouble = trouble
    sink.close(SUMMARY)
    assert (tmp_path / "a.mcap").exists() is trouble
    if trouble:
        ticks, reader = ticks_of(tmp_path / "a.mcap")
        assert ticks == list(range(700))
        assert reader.header.first_tick == 0
        assert reader.summary == SUMMARY


def test_the_kind_of_storage_chooses_the_sink(tmp_path):
    kinds = {None: LogWriter, Storage(LIMITS, True): FlightLog, Storage(LIMITS, False): CappedLog}
    for i, (storage, kind) in enumerate(kinds.items()):
        sink = sink_of(tmp_path / f"{i}.mcap", toy_header(), SCHEMA, storage, print)
        assert isinstance(sink, kind)
        sink.close(None)
