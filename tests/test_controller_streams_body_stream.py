"""Tests of the streamed offsets of the centre of mass and of the trunk."""

from __future__ import annotations

import numpy as np
import pytest

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.problem.soles import com_height
from kilohertz.controller.streams.body_stream import BodyStream
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.robots.compile.ahead import load_pending
from kilohertz.robots.model.robot_model import RobotModel

DT_S = 1e-3
SOLES_M = np.array([0.08, 0.12])


@pytest.fixture(scope="module")
def made() -> tuple[StreamRow, BodyStream, RobotModel]:
    robot = RobotModel.load("g1")
    row = StreamRow(robot)
    stream = BodyStream(robot, Gains(), row, SOLES_M, DT_S)
    load_pending()
    return row, stream, robot


def run(made: tuple[StreamRow, BodyStream, RobotModel], seconds: float, sent_s: float) -> np.ndarray:
    """Advances the stream; samples arrive until sent_s. Returns offset and lean of every tick, (n, 4)."""
    row, stream, _ = made
    states = []
    for k in range(round(seconds / DT_S)):
        t_s = k * DT_S
        if t_s < sent_s and k % 20 == 0:
            row.com_t_s[0] = row.lean_t_s[0] = t_s
        stream.advance(t_s, DT_S)
        states.append([*stream.p, stream.lean[0]])
    return np.array(states)


def test_offsets_are_followed_within_their_limits(made: tuple[StreamRow, BodyStream, RobotModel]) -> None:
    row, stream, _ = made
    stream.reset()
    row.com[:], row.lean[0] = (0.02, -0.01, -0.05), 0.2
    states, limits = run(made, 3.0, 3.0), Gains().stream
    np.testing.assert_allclose(states[-1], [0.02, -0.01, -0.05, 0.2], atol=1e-4)
    speed = np.abs(np.diff(states, axis=0)).max(axis=0) / DT_S
    assert (speed <= 1.05 * np.array([limits.com_speed_m_s] * 3 + [limits.lean_speed_rad_s])).all()


def test_offsets_far_beyond_the_soles_end_over_them(made: tuple[StreamRow, BodyStream, RobotModel]) -> None:
    row, stream, robot = made
    stream.reset()
    row.com[:], row.lean[0] = (5.0, -5.0, -5.0), 9.0
    last = run(made, 6.0, 6.0)[-1]
    assert (np.abs(last[:2]) < 0.5 * SOLES_M).all()
    assert -0.15 * com_height(robot) < last[2] < 0.0
    assert 0.0 < last[3] < 0.5


def test_silence_brings_the_robot_back(made: tuple[StreamRow, BodyStream, RobotModel]) -> None:
    row, stream, _ = made
    stream.reset()
    row.com[:], row.lean[0] = (0.02, 0.0, -0.03), 0.1
    states = run(made, 6.0, 2.0)
    assert abs(states[1900][0] - 0.02) < 1e-3
    np.testing.assert_array_equal(states[-1], 0.0)
    assert not stream.busy
