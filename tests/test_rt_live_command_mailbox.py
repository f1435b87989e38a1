"""Tests of the shared memory between the loop and the process that takes commands."""

from __future__ import annotations

import os

import numpy as np
import pytest

from kilohertz.controller.joint_motion.plan_row import JointState
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.supervision.request import make_request, request_from_numbers
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live.command_mailbox import (
    DAMP,
    SOFT_STOP,
    STATUS_NUMBERS,
    TEXT_BYTES,
    CommandMailbox,
    padded,
)


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel.load("g1")


@pytest.fixture
def sides(robot: RobotModel) -> tuple[CommandMailbox, CommandMailbox]:
    loop = CommandMailbox(robot)
    return loop, CommandMailbox(robot, os.dup(loop.fd))


def test_a_request_arrives_once_and_unchanged(
    robot: RobotModel, sides: tuple[CommandMailbox, CommandMailbox]
) -> None:
    loop, agent = sides
    into = np.zeros(1 + loop.most)
    assert loop.collect_request(into) == 0
    for number, behaviour, parameters in (
        (1, "walk", {"velocity_m_s": [0.3, 0.1], "hands": {"left_hand": {"p_BH_m": [0.3, 0.2, 0.2]}}}),
        (2, "squat", {"depth_m": 0.05, "period_s": 2.0}),
    ):
        request = make_request(robot, behaviour, parameters, 1.5)
        agent.post_request(number, request)
        assert loop.collect_request(into) == number
        restored = request_from_numbers(robot, into[1 : 1 + int(into[0])].tolist())
        assert restored.kind is request.kind
        np.testing.assert_array_equal(restored.data, request.data)
        assert loop.collect_request(into) == 0


def test_streams_arrive_once_and_a_torn_row_waits_until_it_is_whole(
    robot: RobotModel, sides: tuple[CommandMailbox, CommandMailbox]
) -> None:
    loop, agent = sides
    row, got = StreamRow(robot), StreamRow(robot)
    row.velocity_t_s[0], row.velocity[:] = 2.0, (0.4, 0.0, 0.1)
    agent.post_streams(row)
    assert loop.collect_streams(got)
    np.testing.assert_array_equal(got.data, row.data)
    assert not loop.collect_streams(got)
    row.velocity[0] = 0.2
    agent.post_streams(row)
    # What a reader sees while the agent is writing the next row.
    agent._stream_numbers[0] = 7.0
    assert not loop.collect_streams(got)
    assert got.velocity[0] == 0.4
    agent.post_streams(row)
    assert loop.collect_streams(got)
    assert got.velocity[0] == 0.2


def test_a_stop_arrives_once_and_a_torn_one_damps(sides: tuple[CommandMailbox, CommandMailbox]) -> None:
    loop, agent = sides
    assert loop.collect_stop() == 0
    agent.post_stop(SOFT_STOP)
    assert (loop.collect_stop(), loop.collect_stop()) == (SOFT_STOP, 0)
    agent.post_stop(DAMP)
    assert loop.collect_stop() == DAMP
    agent.post_stop(SOFT_STOP)
    agent._stop_number[0] = 77
    assert loop.collect_stop() == DAMP


def test_the_status_of_a_tick_is_read_by_the_agent(sides: tuple[CommandMailbox, CommandMailbox]) -> None:
    loop, agent = sides
    assert agent.read_status() is None
    loop.publish_status(123, tuple(float(i) for i in range(len(STATUS_NUMBERS))), padded("it fell"))
    status = agent.read_status()
    assert status is not None
    assert (status.mono_ns, status.t_s, status.taken, status.behaviour_state) == (123, 0.0, 1, 3)
    assert (status.p_WB, status.yaw_rad, status.velocity) == ((6.0, 7.0), 8.0, (9.0, 10.0, 11.0))
    assert status.text == "it fell"
    loop.publish_status(124, tuple(float(i) for i in range(len(STATUS_NUMBERS))), None)
    status = agent.read_status()
    assert status is not None
    assert status.text == "it fell"
    assert len(padded("x" * 500)) == len(padded("")) == TEXT_BYTES


def test_the_state_of_an_arm_in_which_a_motion_would_begin_reaches_the_agent(robot: RobotModel) -> None:
    panda = RobotModel.load("panda")
    loop = CommandMailbox(panda)
    agent = CommandMailbox(panda, os.dup(loop.fd))
    state = JointState(*np.random.default_rng(0).normal(size=(3, panda.na)))
    loop.publish_status(5, (0.0,) * len(STATUS_NUMBERS), padded("moves"), state)
    status = agent.read_status()
    assert status is not None
    assert status.joints is not None
    for sent, got in zip((state.q, state.v, state.a), vars(status.joints).values(), strict=True):
        np.testing.assert_array_equal(sent, got)
    assert status.text == "moves"
    of_biped = CommandMailbox(robot)
    of_biped.publish_status(5, (0.0,) * len(STATUS_NUMBERS), padded("walks"))
    status = CommandMailbox(robot, os.dup(of_biped.fd)).read_status()
    assert status is not None
    assert status.joints is None
    assert status.text == "walks"
