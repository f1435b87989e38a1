"""What `khz run` says about a robot that speaks the protocol and sends wrong values."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kilohertz.robots.wire.zmq_link import ZmqLink
from kilohertz.rt.cli.main import app

pytestmark = pytest.mark.host

DONE, REFUSED, LOST = 0, 3, 4
PROGRAM = Path(__file__).with_name("distorted_robot.py")


@pytest.fixture
def served(tmp_path):
    """Starts a robot that spoils its states in a way; returns its endpoint."""
    running = []

    def start(robot, kind):
        endpoint = f"ipc://{tmp_path / 'robot'}"
        variables = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        process = subprocess.Popen(
            [sys.executable, PROGRAM, robot, endpoint, kind],
            env=variables,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout.readline().startswith("serving")
        return endpoint

    yield start
    for process in running:
        process.kill()
        process.communicate()


def khz_run(robot, endpoint, *arguments):
    words = ["run", robot, "--connect", endpoint, "--lockstep", "--scenario", "stand", "--allow-no-rt"]
    result = CliRunner().invoke(app, [*words, *map(str, arguments)])
    assert "Traceback" not in result.output
    return result


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("accelerometer in g", ("as if in g and not in m/s2", "send 9.81 times")),
        ("accelerometer upside down", ("accel has the wrong sign",)),
        ("gyroscope in degrees", ("as if in deg/s and not in rad/s",)),
        ("quiet gyroscope in degrees", ("as if in deg/s and not in rad/s",)),
        ("positions in degrees", ("as if in degrees and not in rad", "position_unit: deg")),
        ("milliseconds", ("as if in ms and not in seconds",)),
        ("microseconds", ("as if in us and not in seconds",)),
        ("not finite", ("states of the robot were refused", "is nan, which is not finite")),
    ],
)
def test_a_wrong_unit_is_named_before_the_robot_is_armed(kind, told, served, monkeypatch):
    monkeypatch.setattr(ZmqLink.check_units, "__defaults__", (1.0,))
    result = khz_run("g1", served("g1", kind), "--duration", 0.1)
    assert result.exit_code == REFUSED, result.output
    # One sentence, whatever else was printed while kernels were compiled.
    (sentence,) = (line for line in result.stderr.splitlines() if "not armed" in line)
    for words in told:
        assert words in sentence


def test_a_robot_without_faults_is_run_and_nothing_is_refused(served, tmp_path):
    path = tmp_path / "run.json"
    result = khz_run("ur5", served("ur5", "good"), "--duration", 0.3, "--json", path)
    assert result.exit_code == DONE, result.output
    link = json.loads(path.read_text())["link"]
    assert (link["states_refused"], link["states_refused_because"]) == (0, None)


@pytest.mark.long
def test_states_that_are_refused_are_counted_with_their_reason(served, tmp_path):
    path = tmp_path / "run.json"
    result = khz_run("ur5", served("ur5", "now and then not finite"), "--duration", 0.5, "--json", path)
    assert result.exit_code == DONE, result.output
    summary = json.loads(path.read_text())
    assert summary["link"]["states_refused"] >= 5
    assert summary["link"]["states_refused_because"] == "q of wrist_1_joint is nan, which is not finite"
    (event,) = (event for event in summary["events"] if event["kind"] == "refused")
    assert "states of the robot were refused: q of wrist_1_joint is nan" in event["text"]
    assert "q of wrist_1_joint is nan" in result.stdout


@pytest.mark.long
def test_refused_states_that_end_the_run_are_its_reason(served, tmp_path):
    path = tmp_path / "run.json"
    result = khz_run("ur5", served("ur5", "not finite from some time on"), "--duration", 2, "--json", path)
    assert result.exit_code == LOST, result.output
    assert "q of wrist_1_joint is nan, which is not finite" in result.stderr
    (event,) = (event for event in json.loads(path.read_text())["events"] if event["kind"] == "link_lost")
    assert "refused: q of wrist_1_joint is nan" in event["text"]


@pytest.mark.long
def test_without_a_true_state_tracking_is_that_of_the_estimate_everywhere(served, tmp_path):
    path, plots = tmp_path / "run.json", tmp_path / "plots"
    endpoint = served("g1", "good")
    result = khz_run("g1", endpoint, "--duration", 2.5, "--json", path, "--plot", plots, "--no-film",
                     "--log", tmp_path / "logs")  # fmt: skip
    assert result.exit_code == DONE, result.output
    assert "tracking is judged against the estimate" in result.stdout
    assert "did not fall" not in result.stdout
    assert "seed" not in result.stdout
    summary = json.loads(path.read_text())
    assert summary["measured_against"] == "estimate"
    assert summary["fell"] is None
    assert 0.0 < summary["tracking"]["com_rms_m"] < 0.02
    assert set(summary["estimation"].values()) == {None}
    assert 0.1 < summary["torque"]["peak_fraction"] < 1.0
    drawn = {plot.stem for plot in plots.iterdir()}
    assert {"latency", "balance", "contact_forces", "torques"} <= drawn
    assert "estimation" not in drawn
    (log,) = (tmp_path / "logs").iterdir()
    info = CliRunner().invoke(app, ["log", "info", str(log), "--json", "-"])
    assert json.loads(info.stdout)["measured_against"] == "estimate"


@pytest.mark.long
def test_an_arm_without_a_true_state_is_plotted_and_filmed(served, tmp_path):
    plots = tmp_path / "plots"
    result = khz_run("ur5", served("ur5", "torque unknown"), "--duration", 0.3, "--plot", plots,
                     "--json", tmp_path / "run.json")  # fmt: skip
    assert result.exit_code == DONE, result.output
    assert (plots / "torques.png").exists()
    assert (plots / "run.gif").exists()
    torque = json.loads((tmp_path / "run.json").read_text())["torque"]
    assert torque == {"peak_fraction": None, "saturated_joints": None, "peak_fraction_by_joint": {}}


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("good", []),
        ("adds gravity", ["set `adds_gravity: true` in driver.yaml"]),
        ("torque without gravity", ["the measured joint torques lack those of gravity"]),
    ],
)
def test_a_steady_torque_error_of_gravitys_shape_is_called_that(kind, told, served, tmp_path):
    path = tmp_path / "run.json"
    result = khz_run("ur5", served("ur5", kind), "--duration", 2.5, "--json", path)
    assert result.exit_code == DONE, result.output
    remarks = [event["text"] for event in json.loads(path.read_text())["events"] if event["kind"] == "remark"]
    assert len(remarks) == len(told)
    assert all(words in text for words, text in zip(told, remarks, strict=True))
