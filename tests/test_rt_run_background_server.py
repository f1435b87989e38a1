from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.zmq_link import ZmqLink
from kilohertz.rt.run import background_server
from kilohertz.rt.run.background_server import serve_command, served
from kilohertz.rt.run.session import RunPlan

pytestmark = pytest.mark.host


def test_the_server_takes_robot_scenario_seed_and_pace_from_the_plan():
    command = serve_command(RunPlan("g1", "squat", seed=7), "ipc:///x")
    assert command[3:] == [
        "serve", "g1", "--bind", "ipc:///x", "--seed", "7", "--scenario", "squat", "--lockstep"
    ]  # fmt: skip
    assert "--lockstep" not in serve_command(RunPlan("g1", realtime=True), "ipc:///x")


def test_a_robot_is_there_for_as_long_as_it_is_needed():
    with served(RunPlan("ur5", "stand")) as endpoint:
        link = ZmqLink(RobotModel.load("ur5"), endpoint, lockstep=True)
        link.connect()
        link.abandon()
        folder = Path(endpoint.removeprefix("ipc://")).parent
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


def test_a_server_that_does_not_start_is_told(capfd):
    with pytest.raises(ConfigError, match="did not start"), served(RunPlan("ur5", "no such scenario")):
        pass
    assert "no such scenario" in capfd.readouterr().err


def test_a_server_that_ends_by_itself_is_an_internal_failure(monkeypatch):
    monkeypatch.setattr(background_server, "serve_command", lambda *_: [sys.executable, "-c", "exit(1)"])
    with pytest.raises(RuntimeError, match="its process ended with status 1"), served(RunPlan("ur5")):
        pass
    died = "import os; print('serving', flush=True); os.kill(os.getpid(), 9)"
    monkeypatch.setattr(background_server, "serve_command", lambda *_: [sys.executable, "-c", died])
    with pytest.raises(RuntimeError, match="was ended by SIGKILL"), served(RunPlan("ur5")):
        time.sleep(1.0)
