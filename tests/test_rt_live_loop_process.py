from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from kilohertz.rt.live.loop_process import SUFFIX, named_at, stop_by_signal

pytestmark = [pytest.mark.host, pytest.mark.quiet]

NAMED = """
import signal, sys
from kilohertz.rt.live.loop_process import named_at
count = 0
def on_signal(*_):
    global count
    count += 1
signal.signal(signal.SIGTERM, on_signal)
with named_at(sys.argv[1]):
    print("ready", flush=True)
    while count < int(sys.argv[2]):
        signal.pause()
print(count)
"""


@pytest.fixture
def endpoint():
    with tempfile.TemporaryDirectory(prefix="khz-") as folder:
        yield f"ipc://{folder}/g1-control"


@pytest.mark.parametrize(("damp", "signals"), [(False, 1), (True, 2)])
def test_the_loop_behind_an_endpoint_is_signalled(endpoint, damp, signals):
    process = subprocess.Popen(
        [sys.executable, "-c", NAMED, endpoint, str(signals)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline().strip() == "ready"
        assert stop_by_signal(endpoint, damp=damp)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert out.strip() == str(signals)
    # It has ended, and leaves nothing behind.
    assert not stop_by_signal(endpoint, damp=damp)
    assert not Path(endpoint.removeprefix("ipc://") + SUFFIX).exists()


def test_a_process_with_the_number_of_one_that_has_ended_is_not_signalled(endpoint, monkeypatch):
    told = []
    monkeypatch.setattr(os, "kill", lambda *arguments: told.append(arguments))
    path = Path(endpoint.removeprefix("ipc://") + SUFFIX)
    for text in (f"{os.getpid()} 1\n", "1 1\n", "-1 0\n", "x\n", "", "1" * 200, "999999999 5\n"):
        path.write_text(text)
        assert not stop_by_signal(endpoint, damp=True)
    assert told == []
    path.unlink()
    path.symlink_to("/proc/self/stat")
    assert not stop_by_signal(endpoint, damp=False)


def test_a_killed_run_does_not_keep_the_next_one_from_being_named(endpoint, monkeypatch):
    told = []
    monkeypatch.setattr(os, "kill", lambda *arguments: told.append(arguments))
    Path(endpoint.removeprefix("ipc://") + SUFFIX).write_text("4194304 77\n")
    with named_at(endpoint):
        assert stop_by_signal(endpoint, damp=False)
    assert told == [(os.getpid(), signal.SIGTERM)]
    assert not stop_by_signal(endpoint, damp=False)


def test_an_endpoint_of_another_computer_has_no_process_here():
    with named_at("tcp://127.0.0.1:5555"):
        assert not stop_by_signal("tcp://127.0.0.1:5555", damp=False)


@pytest.mark.long
def test_khz_stop_stops_a_simulation_whose_agent_is_dead():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    program = [sys.executable, "-c", "from kilohertz.rt.cli.main import main; main()"]
    with tempfile.TemporaryDirectory(prefix="khz-") as folder:
        environment["XDG_RUNTIME_DIR"] = folder
        path = Path(folder) / "kilohertz" / f"panda-control{SUFFIX}"
        run = subprocess.Popen(
            [*program, "sim", "panda", "--realtime", "--duration", "600", "--no-film"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            while not path.exists():
                assert run.poll() is None, run.stdout.read()
                time.sleep(0.02)
            (agent,) = agents_of(run.pid)
            os.kill(agent, signal.SIGKILL)
            stop = subprocess.run(
                [*program, "stop", "--robot", "panda"],
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert stop.returncode == 0, stop.stderr
            assert "stopped by a signal" in stop.stdout
            out, _ = run.communicate(timeout=120)
        finally:
            run.kill()
            run.wait()
        assert "Traceback" not in out
        assert not path.exists()


def agents_of(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == pid and b"agent.process" in line:
            found.append(int(folder.name))
    return found
