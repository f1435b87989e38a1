from __future__ import annotations

import socket
import threading
import time

import numpy as np
import pytest
from wrist_robots import arm

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.endpoint import load_key, load_public, new_key, trusted_keys
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.robot_side import WATCHDOG_TICKS
from kilohertz.robots.wire.zmq_link import ZmqLink
from kilohertz.rt.run.remote_robot import RemoteTruth
from kilohertz.rt.run.serve import Serving
from kilohertz.rt.run.session import RunPlan, Session
from kilohertz.sim.scenario import load_scenario
from kilohertz.sim.server import SimulatedServer
from kilohertz.sim.simulated_robot import SimulatedRobot

pytestmark = pytest.mark.host

UR5 = RobotModel.load("ur5")


def serve(endpoint, name="ur5", scenario="stand", **options):
    robot = RobotModel.load(name)
    return SimulatedServer(robot, load_scenario(scenario, robot), endpoint, lockstep=True, **options)


class Served:
    """A server in a thread of its own."""

    def __init__(self, server):
        self.server = server
        self.endpoint = server.endpoint
        self._serving = Serving(server)
        self._thread = threading.Thread(target=self._serving.run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._serving.stop()
        self._thread.join()


def result(name, scenario, seconds, endpoint=None):
    return Session(RunPlan(name, scenario, seconds, endpoint=endpoint, lockstep=endpoint is not None)).run()


PUSHED = """
name: pushed
duration_s: 1
events:
  - {at_s: 0.3, hand_push: {hand: hand, force_N: [0, 6, 8], rise_s: 0.05, hold_s: 1}}
"""

POOR_SENSORS = """
name: poor-sensors
duration_s: 1
sensors: {encoder_rate_Hz: 250, imu_rate_Hz: 200, drop_fraction: 0.2, jitter_ms: 0.3}
"""


@pytest.mark.parametrize(
    ("name", "scenario"),
    [("g1", "squat"), ("panda", "default-arm"), ("so101", "default-arm"), ("g1", POOR_SENSORS)],
)
def test_a_run_over_the_link_is_the_run_in_one_process_bit_for_bit(tmp_path, name, scenario):
    if scenario == POOR_SENSORS:
        (tmp_path / "poor.yaml").write_text(scenario)
        scenario = str(tmp_path / "poor.yaml")
    here = result(name, scenario, 0.3)
    with Served(serve(f"ipc://{tmp_path / 'robot'}", name, scenario)) as served:
        there = result(name, scenario, 0.3, served.endpoint)
    for column in ("q_true", "q_est", "tau", "p_WH_true", "cop_true_W", "normal_true_N"):
        np.testing.assert_array_equal(there.trace.kept(column), here.trace.kept(column), err_msg=column)
    for key, value in here.summary.items():
        if key != "latency_us":
            assert there.summary[key] == value, key
    assert there.summary["link"]["commands_accepted"] >= 300


@pytest.mark.long
def test_the_values_of_a_wrist_sensor_come_over_the_link_bit_for_bit(tmp_path):
    scenario = tmp_path / "push.yaml"
    scenario.write_text(PUSHED)
    robot = str(arm(tmp_path / "robot", "panda"))
    here = result(robot, str(scenario), 0.5)
    with Served(serve(f"ipc://{tmp_path / 'endpoint'}", robot, str(scenario))) as served:
        there = result(robot, str(scenario), 0.5, served.endpoint)
    np.testing.assert_array_equal(there.trace.kept("tau"), here.trace.kept("tau"))
    wrench = here.summary["hand_wrench"]["hand"]
    assert there.summary["hand_wrench"]["hand"] == wrench
    # The force of the person acts on the hand.
    assert np.linalg.norm(wrench["force_N"]) == pytest.approx(10.0, abs=1.0)


@pytest.mark.long
def test_a_second_run_starts_like_the_first(tmp_path):
    with Served(serve(f"ipc://{tmp_path / 'robot'}")) as served:
        first, second = (result("ur5", "stand", 0.1, served.endpoint) for _ in range(2))
    np.testing.assert_array_equal(first.trace.kept("tau"), second.trace.kept("tau"))


def test_the_truth_over_the_wire_has_every_field_of_the_truth():
    truth = SimulatedRobot(UR5, load_scenario("stand", UR5)).truth
    remote = RemoteTruth(UR5, None)
    for name, value in vars(truth).items():
        if not name.startswith("_") and isinstance(value, np.ndarray):
            assert getattr(remote, name).shape == value.shape, name


def test_the_same_endpoint_is_not_served_twice(tmp_path):
    with (
        Served(serve(f"ipc://{tmp_path / 'robot'}")) as served,
        pytest.raises(ConfigError, match="another process"),
    ):
        serve(served.endpoint)


@pytest.mark.long
def test_a_state_says_when_it_was_sent_and_not_when_the_simulation_began(tmp_path, monkeypatch):
    server = serve(f"ipc://{tmp_path / 'robot'}")
    link = ZmqLink(UR5, server.endpoint, lockstep=True)
    link.arm(between=server.serve_tick)
    stepped_ns, sent_ns = [], []
    step, state = server.simulated.step, server.side.state
    monkeypatch.setattr(server.simulated, "step", lambda: (step(), stepped_ns.append(time.monotonic_ns())))
    monkeypatch.setattr(
        server.side, "state", lambda sensors, now_ns: (sent_ns.append(now_ns), state(sensors, now_ns))[1]
    )

    def command():
        # The first command may answer a state that is too old; while it waits for the next, it is sent again.
        if link.read(UR5.new_sensor_row()):
            link.write(UR5.new_command_row())
            link.read(UR5.new_sensor_row())

    controller = threading.Thread(target=command)
    controller.start()
    while controller.is_alive() and not stepped_ns:
        server.wait_for_packet(10)
        server.serve_tick()
    controller.join()
    link.abandon()
    server.abandon()
    assert sent_ns[-1] >= stepped_ns[0]


def test_its_time_stands_still_until_it_is_commanded(tmp_path):
    server = serve(f"ipc://{tmp_path / 'robot'}")
    for _ in range(100):
        server.serve_tick()
    assert server.simulated.t_s == 0.0
    assert server.side.mode == wire.STANDBY
    server.close()


def test_a_silent_controller_leaves_it_damping_and_what_it_held_fades_without_a_jump(tmp_path):
    with Served(serve(f"ipc://{tmp_path / 'robot'}")) as served:
        link = ZmqLink(UR5, served.endpoint, lockstep=True)
        link.arm()
        sensors, command = UR5.new_sensor_row(), UR5.new_command_row()
        command.copy_from(served.server.simulated.drives.commanded)
        for _ in range(10):
            assert link.read(sensors)
            link.write(command)
        last = int(sensors.seq[0])
        while link.read(sensors):
            pass
        assert "lease" in link.lost_because
        assert served.server.side.mode == wire.DAMPING
        assert link.newest_state - last <= WATCHDOG_TICKS + 2
        link.write(command)
        link.close()
        assert served.server.side.mode == wire.DAMPING


@pytest.mark.parametrize("wrong", ["kp", "torque"])
def test_a_wrong_controller_is_told_which_limit_it_left_by_which_joint(tmp_path, wrong):
    with Served(serve(f"ipc://{tmp_path / 'robot'}")) as served:
        link = ZmqLink(UR5, served.endpoint, lockstep=True)
        link.arm()
        sensors, command = UR5.new_sensor_row(), UR5.new_command_row()
        command.copy_from(served.server.simulated.drives.commanded)
        for period in range(60):
            if not link.read(sensors):
                break
            if period > 10 and wrong == "kp":
                command.kp[2] = 1e5
            elif period > 10:
                command.tau_ff[2] = UR5.torque_limit_Nm[2] * (-1.0) ** period
            link.write(command)
        assert period < 30
        assert served.server.side.mode == wire.DAMPING
        (event,) = [event for event in link.events if event["kind"] == "damping"]
        assert "elbow_joint" in event["text"]
        assert ("kp" if wrong == "kp" else "jumps") in event["text"]
        link.close()


def free_port():
    """A port that nobody had a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_it_lets_in_whoever_has_a_key_that_it_knows(tmp_path, monkeypatch):
    monkeypatch.setenv("KILOHERTZ_KEYS", str(tmp_path / "keys"))
    for name in ("robot", "friend"):
        new_key(name)
    friend, robot_key = load_key("friend"), load_public("robot")
    trusted = trusted_keys()
    new_key("stranger")
    server = serve(f"tcp://127.0.0.1:{free_port()}", key=load_key("robot"), trusted=trusted)
    with Served(server):
        link = ZmqLink(UR5, server.endpoint, key=friend, robot_key=robot_key)
        link.connect()
        link.abandon()
        for key, theirs in (
            (load_key("stranger"), robot_key),
            (friend, load_public("stranger")),
            (None, None),
        ):
            outsider = ZmqLink(UR5, server.endpoint, key=key, robot_key=theirs)
            with pytest.raises(LinkLostError):
                outsider.connect(timeout_s=0.5)
            outsider.abandon()
    assert server.side.counts.refused == 0
