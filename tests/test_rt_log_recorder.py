from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from datetime import datetime

import pytest
from toy_log import CELLS, ROW, SCHEMA, toy_header, toy_rows

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.log import recorder
from kilohertz.rt.log.recorder import new_path, recorded, require_library
from kilohertz.rt.log.ring import Ring

pytestmark = pytest.mark.host

log_file = pytest.importorskip("kilohertz.rt.log.file")
log_writer = pytest.importorskip("kilohertz.rt.log.writer")

SUMMARY = {"events": [{"t_s": 0.01, "kind": "push", "text": "by 5 Ns"}], "ticks": 40}


def push(ring, rows):
    for row in rows:
        ring.wait_for_room()
        ring.row[:] = row
        ring.push()


def read(path):
    with log_file.LogReader(path) as reader:
        return reader, log_file.read_rows(reader)


def until(condition):
    end_s = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.002)


def test_another_process_writes_what_is_pushed(tmp_path):
    ring, rows = Ring(CELLS, rows=16), toy_rows(1000)
    path = tmp_path / "toy.mcap"
    with recorded(ring, path, toy_header(), SCHEMA) as recording:
        push(ring, rows)
        assert recording.catch_up() == ""
        recording.finish(SUMMARY)
    reader, found = read(path)
    assert found.dtype == ROW
    assert found.tobytes() == rows.tobytes()
    assert reader.summary == SUMMARY
    assert reader.events == SUMMARY["events"]
    assert reader.damage == ""


def test_the_recorder_leaves_the_loops_core_and_priority(tmp_path):
    cores = os.sched_getaffinity(0)
    with recorded(Ring(CELLS), tmp_path / "toy.mcap", toy_header(), SCHEMA, max(cores)) as recording:
        assert os.sched_getaffinity(recording.pid) == (cores - {max(cores)} or cores)
        assert os.sched_getscheduler(recording.pid) == os.SCHED_OTHER


def test_a_log_that_cannot_be_begun_is_refused(tmp_path):
    (tmp_path / "toy.mcap").write_text("")
    with (
        pytest.raises(ConfigError, match="File exists"),
        recorded(Ring(CELLS), tmp_path / "toy.mcap", toy_header(), SCHEMA),
    ):
        pytest.fail("it goes on")


def test_a_killed_recorder_leaves_whole_chunks_and_the_writer_goes_on(tmp_path, monkeypatch):
    ring, rows = Ring(CELLS, rows=64), toy_rows(9000)
    path = tmp_path / "toy.mcap"
    with recorded(ring, path, toy_header(), SCHEMA) as recording:
        push(ring, rows)
        until(lambda: ring.written)
        os.kill(recording.pid, signal.SIGKILL)
        ring._patience_s = 0.01
        push(ring, rows[:100])
        reason = recording.catch_up()
    reader, found = read(path)
    assert found.tobytes() == rows[: len(found)].tobytes()
    assert len(found) >= ring.written
    assert reason == f"{ring.pushed - ring.written} rows lost: the recorder process ended"
    assert "the log is cut off" in reader.damage


def test_a_stopped_recorder_is_not_waited_for_and_overwritten_rows_count_as_lost(tmp_path):
    ring, rows = Ring(CELLS, rows=64), toy_rows(300)
    path = tmp_path / "toy.mcap"
    with recorded(ring, path, toy_header(), SCHEMA) as recording:
        push(ring, rows[:50])
        until(lambda: ring.behind <= 1)
        os.kill(recording.pid, signal.SIGSTOP)
        ring._patience_s = 0.0
        push(ring, rows[50:])
        os.kill(recording.pid, signal.SIGCONT)
        reason = recording.catch_up()
    reader, found = read(path)
    assert reason.startswith(f"{ring.lost} rows lost")
    assert reader.lost == ring.lost == 300 - len(found) >= 300 - 50 - 64
    assert [event["kind"] for event in reader.events] == [recorder.LOSSY]
    assert f"{ring.lost} rows lost" in reader.events[0]["text"]


def test_a_recorder_that_does_not_respond_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "PATIENCE_S", 0.1)
    ring = Ring(CELLS)
    with recorded(ring, tmp_path / "toy.mcap", toy_header(), SCHEMA) as recording:
        os.kill(recording.pid, signal.SIGSTOP)
        push(ring, toy_rows(10))
        assert recording.catch_up() == "10 rows lost: the recorder does not respond"
        recording.finish(SUMMARY)
    with pytest.raises(ProcessLookupError):
        os.kill(recording.pid, 0)


def test_a_full_disk_is_reported_once_and_the_lost_rows_are_counted(tmp_path, capfd):
    ring, rows = Ring(CELLS), toy_rows(20_000)
    path = tmp_path / "toy.mcap"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with recorded(ring, path, toy_header(), SCHEMA) as recording:
        limit = 3 << 20
        resource.prlimit(recording.pid, resource.RLIMIT_FSIZE, (limit, hard))
        push(ring, rows)
        reason = recording.catch_up()
        recording.finish(SUMMARY)
    reader, found = read(path)
    assert path.stat().st_size <= limit
    assert 0 < len(found) == ring.written < len(rows)
    assert reason == f"{20_000 - len(found)} rows lost: File too large"
    assert capfd.readouterr().err.count("the log ends here: File too large") == 1
    assert reader.lost == 0
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == (soft, hard)


CONTROLLER = """
import os, signal, sys
sys.path.insert(0, "tests")
from pathlib import Path
from toy_log import CELLS, SCHEMA, toy_header, toy_rows
from kilohertz.rt.log.recorder import recorded
from kilohertz.rt.log.ring import Ring
ring = Ring(CELLS)
with recorded(ring, Path(sys.argv[1]), toy_header(), SCHEMA) as recording:
    for row in toy_rows(500):
        ring.row[:] = row
        ring.push()
    print(recording.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_the_controller_was_killed_all_it_pushed_is_there_and_nothing_is_left_over(tmp_path):
    def shared():
        return {name for name in os.listdir("/dev/shm") if "kilohertz" in name}

    before = shared()
    path = tmp_path / "toy.mcap"
    done = subprocess.run(
        [sys.executable, "-c", CONTROLLER, str(path)], stdout=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)

    def is_gone():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    until(is_gone)
    reader, found = read(path)
    assert found.tobytes() == toy_rows(500).tobytes()
    assert reader.summary is None
    assert reader.damage == ""
    assert shared() == before


def test_a_new_log_never_reuses_a_name(tmp_path):
    now = datetime(2026, 11, 21, 7, 30)
    first = new_path(tmp_path, "g1-stand", now)
    assert first.name == "g1-stand-20261121-073000.mcap"
    first.write_text("")
    assert new_path(tmp_path, "g1-stand", now).name == "g1-stand-20261121-073000-2.mcap"


def test_a_missing_library_is_refused_with_the_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "mcap", None)
    with pytest.raises(ConfigError, match=r"kilohertz\[log\]"):
        require_library()


def test_a_folder_that_every_user_writes_takes_no_log(tmp_path):
    now = datetime(2030, 1, 1)
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigError, match="can be written by every user, who could replace the log"):
        new_path(tmp_path, "g1", now)
    for mode in (0o1777, 0o770):
        tmp_path.chmod(mode)
        assert new_path(tmp_path, "g1", now) == tmp_path / "g1-20300101-000000.mcap"


def test_a_planted_link_is_not_written_through(tmp_path):
    now = datetime(2030, 1, 1)
    (tmp_path / "g1-20300101-000000.mcap").symlink_to(tmp_path / "precious")
    path = new_path(tmp_path, "g1", now)
    assert path.name == "g1-20300101-000000-2.mcap"
    with pytest.raises(FileExistsError):
        log_writer.LogWriter(tmp_path / "g1-20300101-000000.mcap", toy_header(), SCHEMA)
    assert not (tmp_path / "precious").exists()
