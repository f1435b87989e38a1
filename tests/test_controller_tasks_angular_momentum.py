"""The task on the angular momentum about the centre of mass."""

import pinocchio as pin
import pytest
from bodies import robot, whole_body
from task_checks import (
    check_at_rest_nothing_is_asked,
    check_compiled_rows_equal_the_twin,
    check_rows_are_the_derivative,
)

from kilohertz.controller.whole_body.whole_body import Task

TASK = Task("momentum", "angular_momentum", 1.0, [1.0])
BIPEDS = ("g1", "talos")


@pytest.mark.parametrize("name", BIPEDS)
def test_compiled_rows_equal_the_twin(name):
    check_compiled_rows_equal_the_twin(robot(name), TASK)


@pytest.mark.parametrize("name", BIPEDS)
def test_at_rest_nothing_is_asked(name):
    check_at_rest_nothing_is_asked(robot(name), TASK)


@pytest.mark.parametrize("name", BIPEDS)
def test_rows_on_the_momentum_rate_are_the_rate_of_the_angular_momentum(name):
    model = robot(name).pin_model

    def momentum(q, v):
        data = model.createData()
        pin.ccrba(model, data, q, v)
        return data.hg.angular.copy()

    check_rows_are_the_derivative(robot(name), TASK, momentum)


def test_a_fixed_base_has_no_momentum_to_steer():
    with pytest.raises(ValueError, match="task 'momentum': momentum tasks need a floating base"):
        whole_body(robot("ur5"), [TASK])
