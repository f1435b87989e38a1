from __future__ import annotations

import errno
import resource
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_log import ROW, SCHEMA, toy_header, toy_rows, write_toy_log

from kilohertz.robots.config.config_error import ConfigError

log_file = pytest.importorskip("kilohertz.rt.log.file")
log_writer = pytest.importorskip("kilohertz.rt.log.writer")

SUMMARY = {"exit_state": "active", "events": [{"t_s": 0.25, "kind": "push", "text": "é"}]}
CHUNK = 20


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(log_writer, "CHUNK_ROWS", CHUNK)


def read(path):
    with log_file.LogReader(path) as reader:
        return reader, log_file.read_rows(reader)


def test_what_is_written_is_read_bit_by_bit(tmp_path):
    rows = toy_rows(1500)
    write_toy_log(tmp_path / "toy.mcap", rows, SUMMARY)
    reader, found = read(tmp_path / "toy.mcap")
    assert found.dtype == ROW
    assert found.tobytes() == rows.tobytes()
    assert (reader.lost, reader.damage) == (0, "")
    assert reader.events == SUMMARY["events"]
    assert reader.summary == SUMMARY
    # NaN does not equal NaN.
    assert repr(reader.header) == repr(toy_header())


def test_some_groups_can_be_read_alone(tmp_path):
    rows = toy_rows(20)
    write_toy_log(tmp_path / "toy.mcap", rows, None)
    with log_file.LogReader(tmp_path / "toy.mcap") as reader:
        found = log_file.read_rows(reader, ["tick", "stamps_ns"])
    assert found.dtype.names == ("tick", "stamps_ns")
    assert found["tick"].tolist() == list(range(20))
    assert found["stamps_ns"].tobytes() == np.ascontiguousarray(rows.view(ROW)[:, 0]["stamps_ns"]).tobytes()


def test_a_log_without_a_summary_has_none(tmp_path):
    write_toy_log(tmp_path / "toy.mcap", toy_rows(10), None)
    reader, found = read(tmp_path / "toy.mcap")
    assert reader.summary is None
    assert len(found) == 10
    assert reader.damage == ""


def test_lost_rows_are_counted(tmp_path):
    rows = toy_rows(30)
    writer = log_writer.LogWriter(tmp_path / "toy.mcap", toy_header(), SCHEMA)
    numbers = np.array([3, 4, 5, 10, 11])
    writer.add(numbers, rows[numbers, 0], rows[numbers])
    writer.close(None)
    reader, found = read(tmp_path / "toy.mcap")
    assert found["tick"].tolist() == numbers.tolist()
    assert reader.lost == 3 + 4


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A log of several chunks, and where each of them ends."""
    path = tmp_path_factory.mktemp("log") / "toy.mcap"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_writer, "CHUNK_ROWS", CHUNK)
        writer = log_writer.LogWriter(path, toy_header(), SCHEMA)
        rows = toy_rows(150)
        ends = []
        for number in range(150):
            writer.add(np.array([number]), rows[number : number + 1, 0], rows[number : number + 1])
            if not ends or writer.written != ends[-1][1]:
                ends.append((path.stat().st_size, writer.written))
        writer.close(SUMMARY)
    return path.read_bytes(), rows, ends


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_cut_off_at_any_byte_it_is_read_to_its_last_whole_chunk(whole, tmp_path_factory, data):
    content, rows, ends = whole
    at = data.draw(st.integers(0, len(content) - 1))
    path = tmp_path_factory.mktemp("cut") / "cut.mcap"
    path.write_bytes(content[:at])
    safe = max((written for size, written in ends if size <= at), default=0)
    try:
        reader, found = read(path)
    except ConfigError:
        assert safe == 0
        return
    assert len(found) >= safe
    assert found.tobytes() == rows[: len(found)].tobytes()
    assert reader.damage
    assert reader.lost == 0


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_wrong_byte_never_gives_a_wrong_row(whole, tmp_path_factory, data):
    content, rows, _ = whole
    at = data.draw(st.integers(0, len(content) - 1))
    spoilt = bytearray(content)
    spoilt[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("spoilt") / "spoilt.mcap"
    path.write_bytes(spoilt)
    known = {row.tobytes() for row in rows}
    try:
        _, found = read(path)
    except ConfigError:
        return
    assert all(row.tobytes() in known for row in found) or found.dtype != ROW


def test_a_damaged_summary_costs_the_summary_and_no_row(whole, tmp_path):
    content, rows, _ = whole
    path = tmp_path / "spoilt.mcap"
    path.write_bytes(content.replace(b"\x07\0\0\0summary", b"\x07\0\0\0summery"))
    reader, found = read(path)
    assert found.tobytes() == rows.tobytes()
    assert reader.summary is None
    assert "summary" in reader.damage


@given(st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_a_file_that_is_not_a_log_is_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("none") / "none.mcap"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is not a Kilohertz log"):
        read(path)
    with pytest.raises(ConfigError, match="does not exist"):
        read(Path("/nowhere/none.mcap"))


def test_a_full_disk_ends_the_log_at_a_whole_chunk(tmp_path):
    path = tmp_path / "toy.mcap"
    rows = toy_rows(400)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        writer = log_writer.LogWriter(path, toy_header(), SCHEMA)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20_000, hard))
        writer.add(np.arange(400), rows[:, 0], rows)
        writer.close(SUMMARY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert writer.errno == errno.EFBIG
    assert 0 < writer.written < 400
    reader, found = read(path)
    assert found.tobytes() == rows[: writer.written].tobytes()
    assert "cut off" in reader.damage


def test_a_log_is_never_written_over_another(tmp_path):
    write_toy_log(tmp_path / "toy.mcap", toy_rows(3), None)
    with pytest.raises(FileExistsError):
        log_writer.LogWriter(tmp_path / "toy.mcap", toy_header(), SCHEMA)
