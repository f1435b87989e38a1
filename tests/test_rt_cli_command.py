"""`khz command`: one request to a running controller, with the exit status of its outcome."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from control_channel import FakeLoop, controller
from typer.testing import CliRunner

import kilohertz
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.cli.main import app
from kilohertz.rt.live.command_mailbox import DAMP, SOFT_STOP
from kilohertz.rt.live.control_endpoint import control_endpoint

pytestmark = pytest.mark.host

DONE, USAGE, REFUSED, LOST = 0, 2, 3, 4
WALK = "walk: {velocity_m_s: [0.3, 0]}"


def khz(*arguments: Any) -> Any:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    return result


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel.load("g1")


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return control_endpoint("g1")


@pytest.fixture
def loop(robot: RobotModel, endpoint: str) -> Iterator[FakeLoop]:
    with controller(robot, endpoint) as loop:
        yield loop


def test_a_request_is_accepted(loop: FakeLoop, endpoint: str) -> None:
    result = khz("command", "--control", endpoint, WALK)
    assert (result.exit_code, result.stdout) == (DONE, "walk is accepted\n")
    assert loop.requests[0][3] == 0.3
    result = khz("command", "--robot", "g1", "stand", "--json", "-")
    assert result.exit_code == DONE
    assert json.loads(result.stdout) == {"behaviour": "stand", "accepted": True, "done": None}


def test_with_wait_its_end_is_awaited(loop: FakeLoop, endpoint: str) -> None:
    tick = loop.tick

    def tick_and_end(mono_ns: int) -> None:
        tick(mono_ns)
        loop.phase = 2

    loop.tick = tick_and_end  # type: ignore[method-assign]
    result = khz("command", "--control", endpoint, "bow: {angle_rad: 0.2, period_s: 3}", "--wait")
    assert (result.exit_code, result.stdout) == (DONE, "bow is done\n")

    def tick_and_abandon(mono_ns: int) -> None:
        tick(mono_ns)
        loop.abandoned, loop.text = loop.taken, "the robot was stopped"

    loop.tick = tick_and_abandon  # type: ignore[method-assign]
    result = khz("command", "--control", endpoint, WALK, "--wait")
    assert result.exit_code == REFUSED
    assert "walk ended before it was done: the robot was stopped" in result.stderr


@pytest.mark.parametrize(
    ("request_text", "why"),
    [
        ("wlk", "did you mean 'walk'"),
        ("walk: {velocity_m_s: [9, 0]}", "faster than 'g1' can walk"),
        ("walk: {velocity_m_s: [.nan, 0]}", "cannot be sent"),
        ("walk: [0.3, 0]", "is no request"),
        ("{walk: {}, stand: {}}", "is no request"),
        ("walk: {velocity_m_s: [0.3", "the request"),
        ("", "is empty"),
    ],
)
def test_what_cannot_be_carried_out_is_refused(
    loop: FakeLoop, endpoint: str, request_text: str, why: str
) -> None:
    result = khz("command", "--control", endpoint, request_text)
    assert result.exit_code == REFUSED
    assert why in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert loop.requests == []


def test_wrong_usage_and_a_controller_that_does_not_answer(endpoint: str, tmp_path: Path) -> None:
    for arguments in (("command", WALK), ("command", WALK, "--control", endpoint, "--robot", "g1")):
        result = khz(*arguments)
        assert result.exit_code == USAGE
        assert "give one of --control ENDPOINT and --robot ROBOT" in result.stderr
    result = khz("command", "--robot", "g1", "--timeout", 0.1, WALK)
    assert result.exit_code == LOST
    assert "no controller answers" in result.stderr
    assert khz("command", "--control", "g1", WALK).exit_code == REFUSED


def test_stop_goes_to_the_controller_or_to_the_robot(loop: FakeLoop, endpoint: str) -> None:
    result = khz("stop", "--control", endpoint)
    assert (result.exit_code, result.stdout) == (DONE, "the robot is coming to rest\n")
    result = khz("stop", "--robot", "g1", "--damp")
    assert (result.exit_code, result.stdout) == (DONE, "the robot is damping\n")
    khz("command", "--control", endpoint, "stand")  # the loop has run a cycle since
    assert loop.stops == [SOFT_STOP, DAMP]
    for arguments in ((), ("--control", endpoint, "--connect", endpoint)):
        result = khz("stop", *arguments)
        assert result.exit_code == USAGE
        assert "give one of --connect ENDPOINT, --control ENDPOINT and --robot ROBOT" in result.stderr


@pytest.mark.long
def test_a_simulated_arm_is_commanded_while_it_runs(endpoint: str, tmp_path: Path) -> None:
    code = "from kilohertz.rt.cli.main import main; main()"
    summary = tmp_path / "run.json"
    run = subprocess.Popen(
        [sys.executable, "-c", code, "sim", "panda", "--realtime", "--duration", "600", "--json", summary]
    )
    try:
        panda = endpoint.replace("g1", "panda")
        with kilohertz.connect(panda, 120.0, role="person") as robot:
            robot.command("reach", hand="hand", offset_m=[0.0, 0.0, 0.02])
            assert robot.status().behaviour == "reach"
            for _ in range(50):
                robot.stream(posture_rad={"panda_joint1": 0.05})
                time.sleep(0.002)
            assert robot.status().received == 50
        assert khz("command", "--robot", "panda", "stand").exit_code == DONE
        assert khz("stop", "--control", panda).exit_code == DONE
        run.wait(60.0)
    finally:
        run.kill()
    found = json.loads(summary.read_text())
    assert not found["fell"]
    assert "stopped by the command channel" in found["events"][-1]["text"]
    assert khz("command", "--robot", "panda", "--timeout", 0.1, "stand").exit_code == LOST


def test_a_robot_is_named_by_its_folder_too(loop: FakeLoop, robot: RobotModel) -> None:
    assert khz("command", "--robot", robot.folder, "stand").exit_code == DONE
