"""The task on the posture."""

import numpy as np
import pytest
from bodies import robot, whole_body
from task_checks import body_at, specified

from kilohertz.controller.whole_body.whole_body import Task

ROBOTS = ("g1", "talos", "panda")
TASK = Task("posture", "posture", 2.0, [30.0, 8.0])


@pytest.mark.parametrize("name", ROBOTS)
def test_the_compiled_diagonal_equals_the_twin(name):
    for seed in range(5):
        body = body_at(robot(name), TASK, seed)
        body.reference("posture")[:] = np.abs(body.reference("posture"))
        body.assemble()
        body.solve()
        diagonal, wish = specified(body)
        rows = body.arrays.rows
        np.testing.assert_allclose(rows.d, 1e-8 + 2.0 * diagonal[0], rtol=1e-12)
        np.testing.assert_allclose(rows.dx, 2.0 * diagonal[0] * wish, rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("name", ROBOTS)
def test_at_rest_in_its_posture_nothing_is_asked(name):
    body = body_at(robot(name), TASK, 0, speed=0.0)
    na = body.robot.na
    body.reference("posture")[:na] = body.arrays.kin.q[body.robot.nq_base :]
    body.assemble()
    body.solve()
    np.testing.assert_allclose(body.arrays.rows.dx, 0.0, atol=1e-12)


def test_each_joint_is_a_spring_and_a_damper_of_its_own():
    body = body_at(robot("panda"), TASK, 0)
    kin = body.arrays.kin
    body.gain("posture")[:2] = 30.0, 8.0
    ref = body.reference("posture")
    ref[:7] = kin.q + 0.1
    ref[7:] = np.arange(1.0, 8.0)
    body.assemble()
    body.solve()
    weight = 2.0 * np.arange(1.0, 8.0)
    np.testing.assert_allclose(body.arrays.rows.dx, weight * (3.0 - 8.0 * kin.v))


def test_two_postures_add_up():
    first, second = Task("a", "posture", 1.0, [10.0, 0.0]), Task("b", "posture", 3.0, [10.0, 0.0])
    body = whole_body(robot("panda"), [first, second])
    body.update(np.array(robot("panda").q_nominal), np.zeros(7))
    for name, offset in (("a", 0.1), ("b", 0.2)):
        body.reference(name)[:7], body.reference(name)[7:] = robot("panda").q_nominal + offset, 1.0
    body.assemble()
    body.solve()
    np.testing.assert_allclose(body.arrays.rows.d, 4.0 + 1e-8)
    np.testing.assert_allclose(body.arrays.rows.dx, 1.0 * 1.0 + 3.0 * 2.0)
