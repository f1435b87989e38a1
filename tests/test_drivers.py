"""A driver that was written in C from PROTOCOL.md, against the controller."""

from __future__ import annotations

import hashlib
import signal
import subprocess
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from c_compiler import c_compiler

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.zmq_link import ZmqLink, stop_robot
from kilohertz.rt.doctor.check import Check, Status
from kilohertz.rt.doctor.report import Report
from kilohertz.rt.faults.flooder import flooding
from kilohertz.rt.run.session import RunPlan, Session

pytestmark = [pytest.mark.host, pytest.mark.quiet]

SOURCE = Path(str(files("kilohertz.robots") / "two_joints.c"))
ROBOT = Path(__file__).parent / "drivers" / "two_joints"


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    program = tmp_path_factory.mktemp("driver") / "two_joints"
    built = subprocess.run(
        [c_compiler(), "-O2", "-Wall", "-o", program, SOURCE, "-lzmq", "-lmsgpackc", "-lm"],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode and ("zmq.h" in built.stderr or "msgpack.h" in built.stderr):
        pytest.skip("no ZeroMQ or msgpack for C: apt-get install libzmq3-dev libmsgpack-dev")
    assert built.returncode == 0, built.stderr
    return program


@pytest.fixture
def served(driver, tmp_path):
    endpoint = f"ipc://{tmp_path / 'robot'}"
    model = hashlib.sha256((ROBOT / "two_joints.urdf").read_bytes()).hexdigest()
    process = subprocess.Popen([driver, endpoint, model, "wait"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("serving")
    yield endpoint, process
    if process.poll() is None:
        process.kill()
        process.communicate()


def farewell(process):
    process.send_signal(signal.SIGTERM)
    words = process.communicate(timeout=20)[0].split()
    return {name: int(value) for name, value in zip(words[:10:2], words[1:10:2], strict=True)}


def test_the_controller_runs_a_robot_in_c(served):
    endpoint, process = served
    plan = RunPlan(str(ROBOT), "stand", 0.5, endpoint=endpoint, lockstep=True)
    result = Session(plan).run()
    assert result.exit_code == 0
    # The driver keeps its own time: on a busy host a state passes without a tick, and counts as an overrun.
    assert result.loop.ticks + result.loop.overruns == 500
    # A figure that needs the truth is null where the robot does not know it; torques are as it measures them.
    assert result.summary["fell"] is None
    assert result.summary["measured_against"] == "estimate"
    assert set(result.summary["estimation"].values()) == {None}
    assert 0.0 <= result.summary["torque"]["peak_fraction"] < 1.0
    assert result.summary["tracking"]["hand_rms_m"] == {"hand": None}
    counts = farewell(process)
    assert counts["accepted"] >= result.loop.ticks > 400
    assert counts["refused"] == counts["late"] == counts["damped"] == 0


def test_it_refuses_another_robot_and_names_the_field(served):
    endpoint, _ = served
    link = ZmqLink(RobotModel.load("ur5"), endpoint)
    with pytest.raises(ConfigError, match="wrong robot: robot"):
        link.connect()
    link.abandon()


def test_an_unfit_host_does_not_command_a_driver(served, monkeypatch):
    endpoint, process = served
    report = Report(0, 80, (Check(1, "PREEMPT_RT", Status.FAIL, "none"),))
    monkeypatch.setattr("kilohertz.rt.doctor.fitness.examine", lambda measure_s: report)
    plan = RunPlan(str(ROBOT), "stand", 0.5, endpoint=endpoint)
    with pytest.raises(ConfigError, match=r"not fit to command hardware: PREEMPT_RT \(none\)"):
        Session(plan)
    assert "PREEMPT_RT" in Session(replace(plan, allow_no_rt=True)).warning
    assert farewell(process)["accepted"] == 0


def test_a_driver_damps_alone_until_it_is_armed_again(served):
    endpoint, process = served
    robot = RobotModel.load(str(ROBOT))
    link = ZmqLink(robot, endpoint, lockstep=True)
    link.arm()
    sensors, command = robot.new_sensor_row(), robot.new_command_row()
    command.kd[:] = 1.0
    for _ in range(20):
        assert link.read(sensors)
        link.write(command)
    while link.read(sensors):
        pass
    assert "lease" in link.lost_because
    first = link.epoch
    link.arm()
    assert link.epoch > first
    link.close()
    assert farewell(process)["damped"] == 1


def words_at_the_end(process):
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=20)[0].split()


@pytest.mark.parametrize("kind", ["junk", "big messages", "valid heartbeats", "messages that are too long"])
def test_a_flood_keeps_neither_the_commands_nor_a_stop_away(served, kind):
    endpoint, process = served
    robot = RobotModel.load(str(ROBOT))
    link = ZmqLink(robot, endpoint, lockstep=True)
    with flooding(kind, endpoint.removeprefix("ipc://"), 2):
        link.arm()
        sensors, command = robot.new_sensor_row(), robot.new_command_row()
        command.kd[:] = 1.0
        for _ in range(100):
            assert link.read(sensors)
            link.write(command)
        stop_robot(endpoint, "test")
        link.abandon()
        words = words_at_the_end(process)
    assert int(words[words.index("accepted") + 1]) >= 90
    assert int(words[words.index("mode") + 1]) == 3
    assert int(words[words.index("gates") + 1]) == 1


def test_an_endless_message_ends_the_gate_and_not_the_robot(served):
    endpoint, process = served
    robot = RobotModel.load(str(ROBOT))
    link = ZmqLink(robot, endpoint, lockstep=True, silent_ms=2000)
    link.arm()
    sensors, command = robot.new_sensor_row(), robot.new_command_row()
    command.kd[:] = 1.0
    with flooding("endless messages in parts", endpoint.removeprefix("ipc://"), 1):
        while link.read(sensors):
            link.write(command)
    link.abandon()
    # The robot damps without its controller, and a new gate lets it in again.
    again = ZmqLink(robot, endpoint, lockstep=True)
    again.arm()
    again.close()
    words = words_at_the_end(process)
    assert int(words[words.index("damped") + 1]) >= 1
    assert int(words[words.index("gates") + 1]) >= 2


@pytest.mark.parametrize(
    ("tau_Nm", "kp_Nm_rad", "words"),
    [(40.0, 0.0, "elbow_joint jumps"), (0.0, 5001.0, "kp of elbow_joint is 5001, more than 5000")],
)
def test_a_mad_controller_ends_in_damping_that_names_joint_and_limit(served, tau_Nm, kp_Nm_rad, words):
    endpoint, process = served
    robot = RobotModel.load(str(ROBOT))
    link = ZmqLink(robot, endpoint, lockstep=True)
    link.arm()
    sensors, command = robot.new_sensor_row(), robot.new_command_row()
    while link.read(sensors):
        command.tau_ff[1] = tau_Nm if link.commands_sent % 2 else -tau_Nm
        command.q_des[1], command.kp[1] = sensors.q[1], kp_Nm_rad
        link.write(command)
        assert np.abs(sensors.tau).max() <= 50.0
    link.abandon()
    assert any(words in event["text"] for event in link.events)
    assert farewell(process)["damped"] == 1


def test_a_stop_needs_no_lease(served):
    endpoint, process = served
    stop_robot(endpoint, "test")
    assert farewell(process)["mode"] == 3
