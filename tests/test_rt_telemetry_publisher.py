from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgpack
import numpy as np
import pytest
import zmq
from telemetry_runs import hello_for, rows_for

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.log.ring import Ring
from kilohertz.rt.log.schema import schema_text
from kilohertz.rt.run.session import RunPlan, Session
from kilohertz.rt.telemetry.publisher import Publisher, published, telemetry_endpoint
from kilohertz.rt.telemetry.subscriber import Subscriber

pytestmark = pytest.mark.host

PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the test's own for the endpoints, with a short path."""
    with tempfile.TemporaryDirectory(prefix="khz-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def connected(endpoint, topic=b"", queued=1000):
    socket = zmq.Context.instance().socket(zmq.SUB)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVHWM, queued)
    socket.subscribe(topic)
    socket.connect(endpoint)
    return socket


def received(socket):
    assert socket.poll(PATIENCE_S * 1e3)
    return msgpack.unpackb(socket.recv())


def push(ring, rows):
    cells = rows.view("<i8").reshape(len(rows), -1)
    for row in cells:
        ring.row[:] = row
        ring.push()


def ring_for(rows):
    return Ring(rows.dtype.itemsize // 8)


def test_each_new_subscriber_is_sent_the_hello_message_first():
    endpoint = telemetry_endpoint("toy")
    publisher = Publisher(endpoint, {"robot_name": "toy"})
    for _ in range(2):
        socket = connected(endpoint)
        while not socket.poll(1):
            publisher.publish({"t_s": 1.0}, 0.0)
        kind, content = received(socket)
        assert (kind, content) == ("hello", {"robot_name": "toy"})
        socket.close()
    publisher.close()


def test_kinds_can_be_chosen_by_the_first_bytes_as_documented():
    endpoint = telemetry_endpoint("toy")
    publisher = Publisher(endpoint, {"robot_name": "toy"})
    for topic, expected in ((b"\x92\xa5hello", "hello"), (b"\x92\xa5state", "state")):
        socket = connected(endpoint, topic)
        now_s = 0.0
        while not socket.poll(1):
            publisher.publish({"t_s": 1.0}, now_s)
            now_s += 0.5
        assert received(socket)[0] == expected
        socket.close()
    publisher.close()


def test_a_subscriber_that_never_reads_holds_nobody_up():
    endpoint = telemetry_endpoint("toy")
    publisher = Publisher(endpoint, {"robot_name": "toy"})
    idle = [connected(endpoint, queued=1) for _ in range(3)]
    reader = connected(endpoint)
    while not reader.poll(1):
        publisher.greet(time.monotonic())
    filler = "x" * 4000
    newest = -1
    # About 100 MB, of which the queues of the idle ones hold but a few.
    for number in range(25_000):
        publisher.publish({"number": number, "filler": filler}, 0.0)
        while reader.poll(0):
            kind, content = received(reader)
            newest = content["number"] if kind == "state" else newest
    while newest < 24_999 and reader.poll(2000):
        kind, content = received(reader)
        newest = content["number"] if kind == "state" else newest
    # Its own queue may have been full at the last message, too.
    assert newest > 24_000
    waiting = 0
    while idle[0].poll(100):
        idle[0].recv()
        waiting += 1
    assert waiting < 2_000
    for socket in (*idle, reader):
        socket.close()
    publisher.close()


def test_an_endpoint_in_use_is_not_taken_over():
    endpoint = telemetry_endpoint("toy")
    publisher = Publisher(endpoint, {})
    with pytest.raises(ConfigError, match="another process"):
        Publisher(endpoint, {})
    publisher.close()


def test_another_process_publishes_the_newest_row_and_counts_all():
    rows = rows_for("g1", 300)
    ring = ring_for(rows)
    with published(ring, hello_for("g1"), schema_text(rows.dtype)) as process:
        subscriber = Subscriber(telemetry_endpoint("g1"))
        push(ring, rows[:1])
        while not subscriber.hello:
            # No message without a whole tick, but hello messages.
            assert subscriber.receive(0.1) is None
        assert process.poll() is None
        assert subscriber.hello == hello_for("g1")
        push(ring, rows[1:])
        seen = []
        while not seen or seen[-1]["tick"] < 298:
            message = subscriber.receive(PATIENCE_S)
            assert message is not None
            seen.append(message)
        assert sum(message["ticks"] + message["dropped"] for message in seen) == 299
        assert seen[-1]["tau_ff"] == rows["command"]["tau_ff"][298].tolist()
        # The recorder's counts are not this reader's.
        assert ring.behind == 300
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 10
        subscriber.close()
    assert process.returncode == 0


def test_a_run_without_the_endpoint_goes_on_and_says_so(capfd):
    rows = rows_for("g1", 1)
    holder = Publisher(telemetry_endpoint("g1"), {})
    with published(ring_for(rows), hello_for("g1"), schema_text(rows.dtype)) as process:
        assert process.wait(PATIENCE_S) == 0
    holder.close()
    error = capfd.readouterr().err
    assert error.startswith("no telemetry: ")
    assert error.count("\n") == 1


def test_the_process_ends_when_its_controller_is_killed():
    program = (
        "import sys, time; sys.path.insert(0, sys.argv[1]);"
        "from test_rt_telemetry_publisher import *\n"
        "rows = rows_for('g1', 1)\n"
        "with published(ring_for(rows), hello_for('g1'), schema_text(rows.dtype)) as process:\n"
        "    print(process.pid, flush=True); time.sleep(60)\n"
    )
    controller = subprocess.Popen(
        [sys.executable, "-c", program, str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True
    )
    pid = int(controller.stdout.readline())
    controller.kill()
    controller.wait()
    controller.stdout.close()
    until_s = time.monotonic() + PATIENCE_S
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def test_a_stopped_process_is_ended_with_the_run(monkeypatch):
    monkeypatch.setattr("kilohertz.rt.telemetry.publisher.END_S", 0.1)
    rows = rows_for("g1", 1)
    with published(ring_for(rows), hello_for("g1"), schema_text(rows.dtype)) as process:
        os.kill(process.pid, signal.SIGSTOP)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.long
def test_telemetry_shows_a_run_and_leaves_it_as_it_was():
    scenario = {"name": "short", "duration_s": 1.0, "commands": [{"at_s": 0, "stand": {}}]}
    subscriber = Subscriber(telemetry_endpoint("g1"))
    session = Session(RunPlan("g1", scenario, seed=3, telemetry_hz=200.0))
    seen = []
    result = session.run(each_tick=lambda tick: seen.append(subscriber.receive(0.0)))
    while (message := subscriber.receive(0.1)) is not None:
        seen.append(message)
    subscriber.close()
    messages = [message for message in seen if message is not None]
    assert messages
    for message in messages:
        tick = message["tick"]
        np.testing.assert_array_equal(message["q"], result.trace.kept("q_est")[tick])
        np.testing.assert_array_equal(message["p_WC"], result.trace.kept("p_WC_est")[tick])
        np.testing.assert_array_equal(message["tau_ff"], result.trace.kept("tau")[tick])
        assert (message["state"], message["behaviour"]) == ("active", "stand")
    assert subscriber.hello["robot_name"] == "g1"
    without = Session(RunPlan("g1", scenario, seed=3))
    assert without.log is None
    assert without.run().trace.kept("tau").tobytes() == result.trace.kept("tau").tobytes()
