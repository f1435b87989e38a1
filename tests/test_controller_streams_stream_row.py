"""Tests of the row of streamed targets."""

from __future__ import annotations

import numpy as np

from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.robots.model.robot_model import RobotModel


def test_a_new_row_has_no_stream_in_use_and_a_cleared_one_neither() -> None:
    row = StreamRow(RobotModel.load("ur5"))
    assert row.number == 0.0
    assert np.isnan(row.data[1:]).all()
    row.data[:] = 1.0
    row.clear()
    assert row.number == 0.0
    assert np.isnan(row.data[1:]).all()


def test_fields_are_views_that_cover_the_row_without_gaps() -> None:
    robot = RobotModel.load("ur5")
    row = StreamRow(robot)
    for i, (name, length) in enumerate(row.fields):
        getattr(row, name)[:] = i
        assert getattr(row, name).shape == (length,)
    assert row.posture_q.size == robot.na
    assert sorted(set(row.data.tolist())) == list(range(len(row.fields)))
