from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.zmq_link import ZmqLink
from kilohertz.rt.cli.main import app

pytestmark = [pytest.mark.host, pytest.mark.quiet]

DONE, SAFETY_STOP, USAGE, REFUSED, LOST, INTERRUPTED = 0, 1, 2, 3, 4, 130


def khz(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    return result


class Process:
    """khz in a process of its own."""

    def __init__(self, *arguments, hang_up=signal.SIG_DFL):
        argv = ["khz", *map(str, arguments)]
        code = f"import sys; sys.argv = {argv!r}; from kilohertz.rt.cli.main import main; main()"
        variables = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Whatever started the tests, such as `nohup`, must not decide.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, hang_up),
        )

    def end(self, number=None):
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def served(tmp_path):
    endpoint = f"ipc://{tmp_path / 'robot'}"
    server = Process("serve", "ur5", "--lockstep", "--bind", endpoint, "--scenario", "stand")
    assert server.process.stdout.readline().startswith("serving ur5")
    yield endpoint, server
    if server.process.poll() is None:
        server.process.kill()
        server.process.communicate()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, DONE), (signal.SIGINT, INTERRUPTED), (signal.SIGHUP, DONE)]
)
def test_a_served_robot_is_run_and_both_ends_report_how_it_went(number, status, served, tmp_path):
    endpoint, server = served
    path = tmp_path / "run.json"
    result = khz("run", "ur5", "--connect", endpoint, "--lockstep", "--scenario", "stand", "--duration", 0.3,
                 "--json", path)  # fmt: skip
    assert result.exit_code == DONE
    assert "commands accepted by the robot" in result.stdout
    link = json.loads(path.read_text())["link"]
    assert link["commands_accepted"] >= 300
    assert link["endpoint"] == endpoint
    assert link["round_trip_us"]["p99"] > 0.0
    ended, out, err = server.end(number)
    assert (ended, err) == (status, "")
    assert "commands taken" in out


def test_another_robot_is_refused_with_status_3_and_the_field(served):
    result = khz("run", "panda", "--connect", served[0], "--lockstep", "--duration", 0.1)
    assert result.exit_code == REFUSED
    assert "wrong robot: robot: the robot has 'ur5', the controller has 'panda'" in result.stderr


def test_nobody_there_is_status_4(tmp_path, monkeypatch):
    monkeypatch.setattr("kilohertz.robots.wire.zmq_link.ANSWER_S", 0.2)
    monkeypatch.setattr(ZmqLink.connect, "__defaults__", (0.2, None))
    result = khz("run", "ur5", "--connect", f"ipc://{tmp_path / 'nobody'}", "--duration", 0.1)
    assert result.exit_code == LOST
    assert "no robot answers" in result.stderr


def test_a_robot_that_dies_is_status_4(served):
    endpoint, server = served
    run = Process("run", "ur5", "--connect", endpoint, "--scenario", "stand", "--duration", 60)
    watcher = ZmqLink(RobotModel.load("ur5"), endpoint, truth=False, lockstep=True)
    watch_until(watcher, "active")
    status, out, err = (server.process.kill(), run.end())[1]
    watcher.abandon()
    assert status == LOST
    assert "no state was received from the robot" in out
    assert "the link was lost after" in err.splitlines()[-1]


@pytest.mark.long
def test_khz_stop_stops_it_whoever_commands(served):
    endpoint, _ = served
    run = Process("run", "ur5", "--connect", endpoint, "--lockstep", "--scenario", "stand", "--duration", 600)
    watcher = ZmqLink(RobotModel.load("ur5"), endpoint, truth=False, lockstep=True)
    watch_until(watcher, "active")
    assert khz("stop", "--connect", endpoint).exit_code == DONE
    status, out, _ = run.end()
    watcher.abandon()
    assert status == SAFETY_STOP
    assert "by khz stop" in out


@pytest.mark.long
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, DONE), (signal.SIGINT, INTERRUPTED), (signal.SIGHUP, DONE)]
)
def test_a_run_stopped_by_a_signal_writes_its_files(number, status, served, tmp_path):
    endpoint, _ = served
    path = tmp_path / "run.json"
    run = Process("run", "ur5", "--connect", endpoint, "--lockstep", "--scenario", "stand", "--duration", 600,
                  "--json", path)  # fmt: skip
    watcher = ZmqLink(RobotModel.load("ur5"), endpoint, truth=False, lockstep=True)
    watch_until(watcher, "active")
    ended, _, _ = run.end(number)
    watcher.abandon()
    assert ended == status
    assert json.loads(path.read_text())["ticks"] > 0


@pytest.mark.long
def test_a_hang_up_that_is_ignored_at_the_start_stops_nothing(served, tmp_path):
    endpoint, _ = served
    path = tmp_path / "run.json"
    run = Process("run", "ur5", "--connect", endpoint, "--lockstep", "--scenario", "stand", "--duration", 1,
                  "--json", path, hang_up=signal.SIG_IGN)  # fmt: skip
    watcher = ZmqLink(RobotModel.load("ur5"), endpoint, truth=False, lockstep=True)
    watch_until(watcher, "active")
    watcher.abandon()
    assert run.end(signal.SIGHUP)[0] == DONE
    assert json.loads(path.read_text())["ticks"] == 1000


@pytest.mark.long
def test_a_run_whose_terminal_is_closed_stops_softly_and_writes_its_files(served, tmp_path):
    endpoint, _ = served
    path = tmp_path / "run.json"
    child, terminal = pty.fork()
    if child == 0:
        words = ["khz", "run", "ur5", "--connect", endpoint, "--lockstep", "--scenario", "stand"]
        argv = [*words, "--duration", "600", "--json", str(path)]
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        code = f"import sys; sys.argv = {argv!r}; from kilohertz.rt.cli.main import main; main()"
        paths = os.pathsep.join(path for path in sys.path if path)
        os.execve(sys.executable, [sys.executable, "-c", code], os.environ | {"PYTHONPATH": paths})
    watcher = ZmqLink(RobotModel.load("ur5"), endpoint, truth=False, lockstep=True)
    watch_until(watcher, "active")
    watcher.abandon()
    os.close(terminal)
    status = os.waitpid(child, 0)[1]
    assert os.waitstatus_to_exitcode(status) == DONE
    assert "stopped by SIGHUP" in [event["text"] for event in json.loads(path.read_text())["events"]]


def watch_until(watcher, mode):
    until_s = time.monotonic() + 60.0
    sensors = watcher.robot.new_sensor_row()
    watcher.connect(60.0)
    while watcher.mode != mode:
        watcher.peek(sensors, 60.0)
        assert time.monotonic() < until_s


@pytest.mark.long
def test_sim_over_zmq_is_sim(tmp_path):
    summaries = []
    for link in ("inproc", "zmq"):
        path = tmp_path / f"{link}.json"
        done = khz("sim", "ur5", "--scenario", "stand", "--duration", 0.2, "--link", link, "--json", path)
        assert done.exit_code == DONE
        summaries.append(json.loads(path.read_text()))
    here, there = summaries
    assert {key for key in there if there[key] != here.get(key)} == {"latency_us", "link"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "ur5", "--connect", "tcp://192.0.2.1:5555"], "khz keys new"),
        (["run", "ur5", "--connect", "tcp://127.0.0.1:1", "--key", "a"], "both or not at all"),
        (["run", "ur5", "--connect", "nowhere"], "is not an endpoint"),
        (["serve", "ur5", "--bind", "tcp://0.0.0.0:5555"], "khz keys new"),
        (["serve", "ur6"], "did you mean 'ur5'"),
        (["stop", "--connect", "nowhere"], "is not an endpoint"),
    ],
)
def test_what_must_not_be_is_refused_with_status_3(arguments, told):
    result = khz(*arguments)
    assert result.exit_code == REFUSED
    assert told in result.stderr


def test_an_arm_of_another_maker_is_wrong_usage_whatever_the_host():
    result = khz("bridge", "kuka", "ur5", "--robot-ip", "192.0.2.1")
    assert result.exit_code == USAGE
    assert "franka" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["bridge", "unitree", "g1"], "a bridge to unitree needs --network"),
        (
            ["bridge", "unitree", "g1", "--network", "lo", "--robot-ip", "h"],
            "a bridge to unitree needs --network",
        ),
        (["bridge", "ur", "ur5"], "a bridge to ur needs --robot-ip"),
        (["serve", "g1", "--network", "lo"], "need --as unitree"),
        (["serve", "g1", "--as", "unitree", "--bind", "ipc:///tmp/r"], "do not fit --as unitree"),
    ],
)
def test_options_of_another_maker_are_wrong_usage(arguments, told):
    result = khz(*arguments)
    assert result.exit_code == USAGE
    assert told in " ".join(result.stderr.replace("\u2502", " ").split())


def test_keys_are_made_and_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("KILOHERTZ_KEYS", str(tmp_path / "keys"))
    assert str(tmp_path / "keys" / "me.secret") in khz("keys", "new", "me").stdout
    listed = khz("keys", "list").stdout
    assert listed.startswith("me ")
    assert listed.rstrip().endswith("own key pair")
    (key,) = json.loads(khz("keys", "list", "--json", "-").stdout)["keys"]
    assert (key["name"], key["own_key_pair"]) == ("me", True)
    assert khz("keys", "new", "me").exit_code == REFUSED


def test_the_protocol_and_the_driver_in_c_are_printed_as_installed():
    assert khz("protocol").stdout.startswith("# The wire protocol, version 1\n")
    driver = khz("protocol", "--c-driver").stdout
    assert "#include <zmq.h>" in driver
    assert "int envelope_limit(" in driver
    assert 'envelope.h"' not in driver
    assert khz("protocol", "--commands").stdout.startswith("# The command channel, version 1\n")
    assert [Path(line).name for line in khz("protocol", "--path").stdout.split()] == [
        "PROTOCOL.md",
        "two_joints.c",
        "COMMANDS.md",
        "envelope.h",
    ]


@pytest.mark.long
def test_a_controller_that_was_stopped_blames_its_computer_and_not_the_robot(tmp_path):
    endpoint, path = f"ipc://{tmp_path / 'robot'}", tmp_path / "run.json"
    server = Process("serve", "ur5", "--bind", endpoint, "--scenario", "stand")
    assert server.process.stdout.readline().startswith("serving ur5")
    run = Process(
        "run", "ur5", "--connect", endpoint, "--scenario", "stand", "--duration", 60, "--json", path
    )
    watcher = ZmqLink(RobotModel.load("ur5"), endpoint, truth=False, lockstep=True)
    watch_until(watcher, "active")
    watcher.abandon()
    run.process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    status, _, err = run.end(signal.SIGCONT)
    server.end(signal.SIGTERM)
    assert status == LOST
    told = re.search(r"the link was lost after .*: this computer stalled for (\d+) ms, in which", err)
    assert 250 <= int(told[1]) < 10_000
    lost = json.loads(path.read_text())["events"]
    assert any("this computer stalled" in event["text"] for event in lost if event["kind"] == "link_lost")


@pytest.mark.long
def test_in_slow_motion_both_ends_are_slow_and_nothing_is_lost(tmp_path):
    endpoint = f"ipc://{tmp_path / 'robot'}"
    server = Process("serve", "ur5", "--slow-motion", 20, "--bind", endpoint, "--scenario", "stand")
    assert server.process.stdout.readline().startswith("serving ur5")
    path = tmp_path / "run.json"
    result = khz("run", "ur5", "--connect", endpoint, "--slow-motion", 20, "--scenario", "stand",
                 "--duration", 0.05, "--json", path)  # fmt: skip
    server.end(signal.SIGTERM)
    assert result.exit_code == DONE
    link = json.loads(path.read_text())["link"]
    assert link["commands_accepted"] >= 50
    assert link["states_predicted"] == 0
