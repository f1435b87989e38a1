from __future__ import annotations

import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.bench import disturb
from kilohertz.rt.bench.disturb import Disturbance, RecorderAtWork, stress

pytestmark = pytest.mark.host


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_for(pid: int, states: str) -> None:
    until_s = time.monotonic() + 30.0
    while state_of(pid) not in states:
        assert time.monotonic() < until_s
        time.sleep(0.001)


def test_a_disturbance_starts_paused_goes_on_when_told_and_ends() -> None:
    disturbance = Disturbance("while True: pass")
    pid = disturbance._process.pid
    wait_for(pid, "T")
    disturbance.resume()
    wait_for(pid, "RS")
    disturbance.pause()
    wait_for(pid, "T")
    disturbance.end()
    assert disturbance._process.returncode == -9


def test_without_stress_ng_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disturb.shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match="apt install stress-ng"), stress():
        pass
    with stress(on=False):
        pass


def test_the_load_and_all_its_workers_end_with_the_block(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    load = tmp_path / "stress-ng"
    load.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {tmp_path}/worker\nwait\n")
    load.chmod(0o755)
    monkeypatch.setattr(disturb.shutil, "which", lambda name: str(load))
    with stress():
        until_s = time.monotonic() + 30.0
        while not (tmp_path / "worker").exists() or not (tmp_path / "worker").read_text():
            assert time.monotonic() < until_s
            time.sleep(0.001)
        worker = (tmp_path / "worker").read_text().strip()
    until_s = time.monotonic() + 30.0
    # Killed, and reaped by whoever inherits it.
    while subprocess.run(["kill", "-0", worker], capture_output=True, check=False).returncode == 0:
        if state_of(int(worker)) == "Z":
            break
        assert time.monotonic() < until_s
        time.sleep(0.001)


def test_a_recorder_is_held_up_once_there_is_one() -> None:
    process = subprocess.Popen(["sleep", "600"])
    session: Any = SimpleNamespace(recording=None)
    recorder = RecorderAtWork(session)
    recorder.pause()
    session.recording = process
    recorder.pause()
    wait_for(process.pid, "T")
    recorder.resume()
    wait_for(process.pid, "S")
    process.kill()
    process.wait()
