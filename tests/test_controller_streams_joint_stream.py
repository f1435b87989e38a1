"""Tests of the stream of joint positions."""

from __future__ import annotations

import numpy as np
import pytest

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.streams.joint_stream import JointStream
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.robots.compile.ahead import load_pending
from kilohertz.robots.model.robot_model import RobotModel

DT_S = 1e-3


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel.load("panda")


@pytest.fixture(scope="module")
def made(robot: RobotModel) -> tuple[StreamRow, JointStream]:
    row = StreamRow(robot)
    stream = JointStream(robot, Gains(), row, range(robot.na), DT_S)
    load_pending()
    return row, stream


def run(
    made: tuple[StreamRow, JointStream], robot: RobotModel, seconds: float, start_s: float = 0.0
) -> np.ndarray:
    row, stream = made
    states = []
    for k in range(round(seconds / DT_S)):
        t_s = start_s + k * DT_S
        if k % 20 == 0:
            row.posture_t_s[0] = t_s
        stream.advance(t_s, DT_S, robot.q_nominal, np.zeros(robot.nv))
        states.append(stream.q.copy())
    return np.array(states)


def test_commanded_joints_move_within_their_limits_and_others_are_left_alone(
    robot: RobotModel, made: tuple[StreamRow, JointStream]
) -> None:
    row, stream = made
    stream.reset()
    row.posture_q[:] = np.nan
    row.posture_q[[0, 3]] = 0.5, 99.0
    q = run(made, robot, 5.0)
    assert stream.leads.tolist() == [True, False, False, True, False, False, False]
    assert q[-1, 0] == pytest.approx(0.5, abs=1e-3)
    # A target beyond the stop ends before it.
    assert robot.position_upper_rad[3] - 0.1 < q[-1, 3] < robot.position_upper_rad[3]
    speed = np.abs(np.diff(q[:, [0, 3]], axis=0)).max(axis=0) / DT_S
    assert (speed <= 1.05 * Gains().stream.joint_speed * robot.velocity_limit_rad_s[[0, 3]]).all()


def test_a_silent_stream_holds_its_joints_and_one_that_was_put_aside_frees_them(
    robot: RobotModel, made: tuple[StreamRow, JointStream]
) -> None:
    row, stream = made
    stream.reset()
    row.posture_q[:] = np.nan
    row.posture_q[1] = 0.2
    run(made, robot, 2.0)
    for k in range(500):
        stream.advance(2.5 + k * DT_S, DT_S, robot.q_nominal, np.zeros(robot.nv))
    assert stream.busy
    assert stream.q[1] == pytest.approx(0.2, abs=1e-3)
    stream.put_aside()
    assert not stream.busy
    row.posture_t_s[0] = 4.0
    stream.advance(4.0, DT_S, robot.q_nominal, np.zeros(robot.nv))
    assert not stream.busy
    stream.advance(5.0, DT_S, robot.q_nominal, np.zeros(robot.nv))
    run(made, robot, 0.1, start_s=5.0)
    assert stream.busy
