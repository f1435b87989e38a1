"""Samples that ask for more than the limits of a stream are found, with the value and the limit."""

from __future__ import annotations

import json
import math

import pytest

from kilohertz.controller.gains.schema import StreamGains
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.upper_body.hand_targets import BASE, WORLD
from kilohertz.controller.walking.speed import speed_limits
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live.agent.stream_limits import StreamLimits

GAINS = StreamGains(hand_speed_m_s=0.8, hand_speed_rad_s=2.0, wrench_N=30.0, wrench_Nm=3.0)


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel.load("g1")


@pytest.fixture
def row(robot: RobotModel) -> StreamRow:
    return StreamRow(robot)


def test_velocities_beyond_what_the_robot_walks(robot: RobotModel, row: StreamRow) -> None:
    limits = StreamLimits(robot, GAINS)
    low, high = speed_limits(robot)
    for i in range(3):
        for value, beyond in (
            (low[i], False),
            (low[i] - 0.01, True),
            (high[i], False),
            (high[i] + 0.01, True),
        ):
            row.velocity[:] = 0.0
            row.velocity[i] = value
            assert bool(limits.exceeded(row, ["velocity"])) == beyond
    assert "does not walk" in StreamLimits(RobotModel.load("panda"), GAINS).exceeded(row, ["velocity"])


def test_hands_out_of_reach_inside_the_body_or_too_fast(robot: RobotModel, row: StreamRow) -> None:
    limits = StreamLimits(robot, GAINS)

    def exceeded(
        p: tuple[float, float, float], v: float = math.nan, w: float = math.nan, frame: int = BASE
    ) -> str:
        row.hands_frame[0] = frame
        row.hands_p[:3] = p
        row.hands_v[:3], row.hands_w[:3] = (v, 0.0, 0.0), (0.0, w, 0.0)
        if math.isnan(v):
            row.hands_v[:3] = math.nan
        if math.isnan(w):
            row.hands_w[:3] = math.nan
        return limits.exceeded(row, ["hands of left_hand"])

    fine = (0.25, 0.2, 0.2)
    assert exceeded(fine) == ""
    assert exceeded(fine, 0.8, 2.0) == ""
    assert exceeded(fine, 0.81) == "left_hand moves at 0.81 m/s, and 0.8 m/s is the limit"
    assert "turns at 2.10 rad/s" in exceeded(fine, 0.0, 2.1)
    assert "from the shoulder" in exceeded((2.0, 0.2, 0.2))
    assert "inside the body" in exceeded((0.0, 0.01, 0.2))
    # The robot may be anywhere in the world.
    assert exceeded((2.0, 0.2, 0.2), frame=WORLD) == ""
    assert "moves at" in exceeded((2.0, 0.2, 0.2), 0.81, frame=WORLD)


def test_an_arm_has_limits_in_the_world_too() -> None:
    robot = RobotModel.load("panda")
    row = StreamRow(robot)
    row.hands_frame[0], row.hands_p[:3] = WORLD, (5.0, 0.0, 0.0)
    assert "from the shoulder" in StreamLimits(robot, GAINS).exceeded(row, ["hands of hand"])


def test_joints_lean_and_wrenches(robot: RobotModel, row: StreamRow) -> None:
    limits = StreamLimits(robot, GAINS)
    i = robot.joint_names.index("left_elbow_joint")
    row.posture_q[i] = robot.position_upper_rad[i]
    assert limits.exceeded(row, ["posture"]) == ""
    row.posture_q[i] += 0.01
    assert "left_elbow_joint at" in limits.exceeded(row, ["posture"])
    row.lean[0] = 0.3
    assert limits.exceeded(row, ["lean"]) == ""
    row.lean[0] = -0.4
    assert "lean -0.40 rad" in limits.exceeded(row, ["lean"])
    row.wrench[6:12] = 30.0, 0.0, 0.0, 0.0, 3.0, 0.0
    assert limits.exceeded(row, ["wrench of right_hand"]) == ""
    row.wrench[7] = 5.0
    assert "right_hand exerts 30.4 N" in limits.exceeded(row, ["wrench of right_hand"])
    row.wrench[6:12] = 0.0, 0.0, 0.0, 0.0, 3.0, 1.0
    assert "right_hand exerts 3.2 Nm" in limits.exceeded(row, ["wrench of right_hand"])


def test_only_what_a_sample_is_for_is_looked_at(robot: RobotModel, row: StreamRow) -> None:
    limits = StreamLimits(robot, GAINS)
    row.velocity[:], row.lean[0] = 5.0, 5.0
    assert limits.exceeded(row, ["gaze", "com"]) == ""
    assert "lean" in limits.exceeded(row, ["com", "lean"])


@pytest.mark.parametrize("name", ["g1", "panda"])
def test_the_limits_are_told_as_json(name: str) -> None:
    content = json.loads(json.dumps(StreamLimits(RobotModel.load(name), GAINS).content(), allow_nan=False))
    assert content["wrench_N"] == 30.0
    assert content["silence_s"] == 0.1
    assert len(content["velocity"]["high"]) == (3 if name == "g1" else 0)
