"""The task on one joint."""

import numpy as np
import pytest
from bodies import robot
from task_checks import (
    body_at,
    check_at_rest_nothing_is_asked,
    check_compiled_rows_equal_the_twin,
    check_rows_are_the_derivative,
    written,
)

from kilohertz.controller.whole_body.whole_body import Task

CASES = (("g1", "waist_yaw_joint"), ("talos", "leg_left_4_joint"), ("panda", "panda_joint4"))


def task(joint):
    return Task("task", "joint", 1.0, [1.0, 1.0], joint)


@pytest.mark.parametrize(("name", "joint"), CASES)
def test_compiled_rows_equal_the_twin(name, joint):
    check_compiled_rows_equal_the_twin(robot(name), task(joint))


@pytest.mark.parametrize(("name", "joint"), CASES)
def test_at_rest_nothing_is_asked(name, joint):
    check_at_rest_nothing_is_asked(robot(name), task(joint))


@pytest.mark.parametrize(("name", "joint"), CASES)
def test_the_row_is_the_joints_acceleration(name, joint):
    model = robot(name)
    j = model.n_base + model.joint_names.index(joint)
    check_rows_are_the_derivative(model, task(joint), lambda q, v: v[[j]], lambda body: np.eye(1))


def test_the_row_asks_for_a_spring_a_damper_and_a_feed_forward():
    body = body_at(robot("panda"), task("panda_joint4"), 0)
    body.gain("task")[:2] = 10.0, 3.0
    q, v = body.arrays.kin.q[3], body.arrays.kin.v[3]
    body.reference("task")[:] = q + 0.1, v + 0.2, 0.7
    np.testing.assert_allclose(written(body)[1], [1.0 + 0.6 + 0.7])
