"""The task on the position of a frame."""

import numpy as np
import pytest
from bodies import robot
from task_checks import (
    FRAME_CASES,
    body_at,
    check_at_rest_nothing_is_asked,
    check_compiled_rows_equal_the_twin,
    check_rows_are_the_derivative,
    frame_velocity,
    written,
)

from kilohertz.controller.whole_body.whole_body import Task


def task(link):
    return Task("task", "frame_position", 1.0, [1.0] * 2, link)


@pytest.mark.parametrize(("name", "link"), FRAME_CASES)
def test_compiled_rows_equal_the_twin(name, link):
    check_compiled_rows_equal_the_twin(robot(name), task(link))


@pytest.mark.parametrize(("name", "link"), FRAME_CASES)
def test_at_rest_nothing_is_asked(name, link):
    check_at_rest_nothing_is_asked(robot(name), task(link))


@pytest.mark.parametrize(("name", "link"), FRAME_CASES)
def test_rows_are_the_acceleration_of_the_origin_in_the_frames_axes(name, link):
    velocity = frame_velocity(robot(name), link)

    check_rows_are_the_derivative(
        robot(name), task(link), lambda q, v: velocity(q, v)[:3], lambda body: body.arrays.kin.R[-1]
    )


def test_the_error_is_the_way_to_go_in_the_frames_axes():
    body = body_at(robot("g1"), task("left_wrist_yaw_link"), 0, speed=0.0)
    kin, ref = body.arrays.kin, body.reference("task")
    body.gain("task")[:2] = 2.0, 0.0
    ref[:] = 0.0
    ref[:3] = kin.p[-1] + kin.R[-1] @ [0.1, 0.2, 0.3]
    np.testing.assert_allclose(written(body)[1], [0.2, 0.4, 0.6])
