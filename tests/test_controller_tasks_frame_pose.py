"""The task on the pose of a frame."""

import numpy as np
import pinocchio as pin
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

from kilohertz.controller.tasks.frame_pose import spec
from kilohertz.controller.whole_body.whole_body import Task


def task(link):
    return Task("task", "frame_pose", 1.0, [1.0] * 4, link)


@pytest.mark.parametrize(("name", "link"), FRAME_CASES)
def test_compiled_rows_equal_the_twin(name, link):
    check_compiled_rows_equal_the_twin(robot(name), task(link))


@pytest.mark.parametrize(("name", "link"), FRAME_CASES)
def test_at_rest_nothing_is_asked(name, link):
    check_at_rest_nothing_is_asked(robot(name), task(link))


@pytest.mark.parametrize(("name", "link"), FRAME_CASES)
def test_rows_are_the_spatial_acceleration_in_the_frames_axes(name, link):
    velocity = frame_velocity(robot(name), link)

    def axes(body):
        return np.kron(np.eye(2), body.arrays.kin.R[-1])

    check_rows_are_the_derivative(robot(name), task(link), velocity, axes)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 5e-5, 2e-4, 0.04, 1.0, 3.0])
def test_the_error_leads_to_the_reference_along_one_screw(angle):
    body = body_at(robot("g1"), task("left_wrist_yaw_link"), 0, speed=0.0)
    kin, ref = body.arrays.kin, body.reference("task")
    body.gain("task")[:4] = 1.0, 0.0, 1.0, 0.0
    turn = pin.exp3(angle * np.array([0.6, 0.0, 0.8]))
    target = pin.SE3(kin.R[-1], kin.p[-1]) * pin.SE3(turn, np.array([0.3, 0.2, 0.1]))
    ref[:] = 0.0
    ref[:9], ref[9:12] = target.rotation.ravel(), target.translation
    _, error = written(body)
    reached = pin.SE3(kin.R[-1], kin.p[-1]) * pin.exp6(pin.Motion(error))
    np.testing.assert_allclose(reached.homogeneous, target.homogeneous, atol=1e-9)


def test_linear_and_angular_gains_are_their_own():
    body = body_at(robot("g1"), task("left_wrist_yaw_link"), 0, speed=0.0)
    kin, ref = body.arrays.kin, body.reference("task")
    body.gain("task")[:4] = 1.0, 2.0, 3.0, 4.0
    ref[:] = 0.0
    ref[:9], ref[9:12] = kin.R[-1].ravel(), kin.p[-1]
    ref[12:15], ref[15:18] = kin.R[-1] @ [0.1, 0, 0], kin.R[-1] @ [0, 0.1, 0]
    np.testing.assert_allclose(written(body)[1], [0.2, 0, 0, 0, 0.4, 0], atol=1e-12)


def test_columns_before_the_first_one_do_not_serve_the_task():
    body = body_at(robot("g1"), task("left_wrist_yaw_link"), 0)
    rows, error = (array.copy() for array in written(body))
    body.gain("task")[4] = 21
    fewer, same = written(body)
    assert np.abs(rows[:, :21]).max() > 0.1
    np.testing.assert_array_equal(fewer[:, :21], 0.0)
    np.testing.assert_array_equal(fewer[:, 21:], rows[:, 21:])
    np.testing.assert_array_equal(same, error)
    kin = body.arrays.kin
    np.testing.assert_allclose(spec(kin, -1, body.reference("task"), body.gain("task"))[0], fewer, atol=1e-12)
