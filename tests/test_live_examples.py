"""The examples of `Driving live` do what they say, in lockstep; ROS is replaced by modules of its names."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lockstep_connection import LockstepRun
from telemetry_runs import hello_for, robot, rows_for
from test_docs import DOCS, load, write_files

from kilohertz.rt.telemetry.content import state_message

PAGE = "tutorials/live.md"

pytestmark = [
    pytest.mark.closed_loop,
    pytest.mark.skipif(not DOCS.exists(), reason="this checkout has no documentation"),
]


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    write_files(PAGE, tmp_path)
    loaded = []

    def of(name: str) -> Any:
        loaded.append(f"live_{name}")
        return load(loaded[-1], tmp_path / f"{name}.py")

    yield of
    for name in loaded:
        sys.modules.pop(name, None)


def assert_stands(run: LockstepRun) -> None:
    run.sleep(2.0)
    truth = run.session.link.truth
    assert run.session.brain.output.state == "active"
    assert np.linalg.norm(truth.v_WC[:2]) < 0.05
    assert (truth.normal_force_N > 50.0).all()


@pytest.mark.long
def test_the_robot_walks_along_a_square(example: Callable[[str], Any]) -> None:
    square = example("square")
    side_m = 0.3
    with LockstepRun(60.0) as run:
        square.time = run.clock
        places = []
        sleep = run.clock.sleep

        def sleep_and_note(duration_s: float) -> None:
            sleep(duration_s)
            places.append(run.session.link.truth.p_WC[:2].copy())

        run.clock.sleep = sleep_and_note
        square.walk_square(run.robot, side_m)
        assert_stands(run)
    path = np.array(places)
    # It has been near all corners of a square to the left, whose sides it overshoots before it turns.
    for corner in ((side_m, 0.0), (side_m, side_m), (0.0, side_m), (0.0, 0.0)):
        nearest_m = np.linalg.norm(path[len(path) // 8 :] - path[0] - corner, axis=1).min()
        assert nearest_m < 0.6 * side_m, corner


@pytest.mark.long
def test_the_hands_follow_their_targets_while_walking(example: Callable[[str], Any]) -> None:
    hands = example("hands")
    with LockstepRun(10.0) as run:
        hands.time = run.clock
        start_m = run.session.link.truth.p_WC[0]
        errors = []
        sleep = run.clock.sleep

        def sleep_and_note(duration_s: float) -> None:
            sleep(duration_s)
            if run.t_s > 2.5:
                errors.append(hand_error_m(run))

        run.clock.sleep = sleep_and_note
        hands.walk_with_hands(run.robot, duration_s=4.0)
        walked_m = run.session.link.truth.p_WC[0] - start_m
        run.clock.sleep = sleep
        assert_stands(run)
    assert walked_m > 0.6
    # The figure of streamed hands while walking; their targets are 60 mm from the middle of the circle.
    assert np.sqrt(np.mean(np.square(errors))) < 0.015


def hand_error_m(run: LockstepRun) -> float:
    """Distance of the left hand from its reference, both relative to the base in which it is streamed [m]."""
    truth, brain = run.session.link.truth, run.session.brain
    estimated = brain.estimator.q[:3]
    return float(np.linalg.norm((truth.p_WH[0] - truth.q[:3]) - (brain.output.p_WH_des[0] - estimated)))


def test_a_policy_walks_to_its_goal(example: Callable[[str], Any]) -> None:
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package, reason=f"pip install {package}")
    policy = example("policy")
    goals = np.random.default_rng(1).uniform(-2.0, 2.0, (50, 2)).astype(np.float32)
    runs = policy.session(policy.network())
    actions = np.array([runs.run(None, {"goal": goal[None]})[0][0] for goal in goals])
    assert np.sqrt(np.mean(np.square(actions - policy.rule(goals)))) < 0.15
    assert runs.get_session_options().intra_op_num_threads == 1
    with LockstepRun(40.0) as run:
        policy.time = run.clock
        x, y, _ = run.session.link.truth.q[:3]
        assert policy.walk_to(run.robot, (x + 0.5, y + 0.4))
        assert_stands(run)
        truth = run.session.link.truth
        assert math.dist(truth.q[:2], (x + 0.5, y + 0.4)) < 0.3


# ROS


class Message:
    """A message of ROS: fields that are messages appear when they are used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = Message()
        setattr(self, name, value)
        return value


class Publisher:
    def __init__(self) -> None:
        self.published: list[Any] = []

    def publish(self, message: Any) -> None:
        self.published.append(message)

    sendTransform = publish


class Node:
    def __init__(self, name: str) -> None:
        self.name, self.publishers, self.subscriptions, self.timers = name, {}, {}, []
        self.logged: list[str] = []

    def create_publisher(self, kind: type, topic: str, depth: int) -> Publisher:
        return self.publishers.setdefault(topic, Publisher())

    def create_subscription(self, kind: type, topic: str, callback: Any, depth: int) -> None:
        self.subscriptions[topic] = callback

    def create_timer(self, period_s: float, callback: Any) -> None:
        self.timers.append(callback)

    def get_clock(self) -> Any:
        return types.SimpleNamespace(now=lambda: types.SimpleNamespace(to_msg=lambda: "now"))

    def get_logger(self) -> Any:
        return types.SimpleNamespace(info=self.logged.append)


@pytest.fixture
def ros(example: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    transforms = Publisher()
    modules: dict[str, dict[str, Any]] = {
        "rclpy": {},
        "rclpy.node": {"Node": Node},
        "geometry_msgs": {},
        "geometry_msgs.msg": {"Twist": Message, "TransformStamped": Message},
        "nav_msgs": {},
        "nav_msgs.msg": {"Odometry": Message},
        "sensor_msgs": {},
        "sensor_msgs.msg": {"JointState": Message},
        "tf2_ros": {"TransformBroadcaster": lambda node: transforms},
    }
    for name, content in modules.items():
        module = types.ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    node = example("ros_node")
    node.transforms = transforms
    return node


def numbers(message: Any, names: str) -> list[float]:
    return [getattr(message, name) for name in names]


def test_a_telemetry_message_becomes_messages_of_ros(ros: Any, tmp_path: Path) -> None:
    hello, model = hello_for("g1"), robot("g1")
    row = rows_for("g1", 1)
    state = state_message(row, hello, 0)
    q, v = row[0]["estimate"]["q"], row[0]["estimate"]["v"]
    connection = types.SimpleNamespace(stream=None, events=lambda: [types.SimpleNamespace(text="a remark")])
    node = ros.RobotNode(connection, f"ipc://{tmp_path / 'telemetry'}")
    node._hello = hello
    node.publish(state)
    node.timers[0]()
    assert node.logged == ["a remark"]
    (joints,) = node.publishers["/joint_states"].published
    assert (joints.header.stamp, joints.name) == ("now", list(model.joint_names))
    assert joints.position == q[7:].tolist()
    assert joints.velocity == v[6:].tolist()
    assert joints.effort == row[0]["sensors"]["tau"].tolist()
    (odometry,) = node.publishers["/odom"].published
    (transform,) = ros.transforms.published
    for message in (odometry, transform):
        assert (message.header.frame_id, message.child_frame_id) == ("odom", "base_link")
    assert numbers(odometry.pose.pose.position, "xyz") == q[:3].tolist()
    assert numbers(odometry.pose.pose.orientation, "xyzw") == q[3:7].tolist()
    assert numbers(odometry.twist.twist.linear, "xyz") == v[:3].tolist()
    assert numbers(odometry.twist.twist.angular, "xyz") == v[3:6].tolist()
    assert numbers(transform.transform.translation, "xyz") == q[:3].tolist()
    assert numbers(transform.transform.rotation, "xyzw") == q[3:7].tolist()


def test_a_velocity_of_ros_is_streamed(ros: Any, tmp_path: Path) -> None:
    streamed: list[dict[str, Any]] = []
    connection = types.SimpleNamespace(stream=lambda **targets: streamed.append(targets), events=list)
    node = ros.RobotNode(connection, f"ipc://{tmp_path / 'telemetry'}")
    twist = Message()
    twist.linear.x, twist.linear.y, twist.angular.z = 0.3, -0.1, 0.2
    node.subscriptions["/cmd_vel"](twist)
    assert streamed == [{"velocity_m_s": [0.3, -0.1], "yaw_rate_rad_s": 0.2}]
