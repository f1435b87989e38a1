"""The task on the wrench of a contact."""

import numpy as np
import pytest
from bodies import robot, whole_body
from task_checks import body_at, specified

from kilohertz.controller.whole_body.whole_body import Task

CASES = (("g1", "right_foot"), ("talos", "left_foot"), ("bolt", "right_foot"))


def task(contact):
    return Task("force", "contact_force", 2.0, (), contact)


@pytest.mark.parametrize(("name", "contact"), CASES)
def test_the_compiled_diagonal_equals_the_twin(name, contact):
    slot = robot(name).contact_names.index(contact)
    for seed in range(5):
        body = body_at(robot(name), task(contact), seed)
        body.assemble()
        body.solve()
        diagonal, wish = specified(body)
        rows = body.arrays.rows
        np.testing.assert_allclose(rows.wrench_d[slot], 1e-12 + 2.0 * diagonal[0], rtol=1e-12)
        np.testing.assert_allclose(rows.wrench_dx[slot], 2.0 * diagonal[0] * wish, rtol=1e-12)


@pytest.mark.parametrize(("name", "contact"), CASES)
def test_the_other_contact_is_left_alone(name, contact):
    body = body_at(robot(name), task(contact), 0)
    body.assemble()
    body.solve()
    other = 1 - robot(name).contact_names.index(contact)
    np.testing.assert_array_equal(body.arrays.rows.wrench_dx[other], 0.0)
    np.testing.assert_array_equal(body.arrays.rows.wrench_d[other], 1e-12)


def test_a_contact_that_the_robot_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"there is no contact .tail.; there are left_foot, right_foot"):
        whole_body(robot("g1"), [task("tail")])
