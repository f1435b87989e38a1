"""The task on the centre of mass."""

import numpy as np
import pinocchio as pin
import pytest
from bodies import robot, whole_body
from task_checks import (
    body_at,
    check_at_rest_nothing_is_asked,
    check_compiled_rows_equal_the_twin,
    check_rows_are_the_derivative,
    written,
)

from kilohertz.controller.whole_body.whole_body import Task

TASK = Task("com", "com", 1.0, [1.0] * 6)
BIPEDS = ("g1", "talos")


@pytest.mark.parametrize("name", BIPEDS)
def test_compiled_rows_equal_the_twin(name):
    check_compiled_rows_equal_the_twin(robot(name), TASK)


@pytest.mark.parametrize("name", BIPEDS)
def test_at_rest_nothing_is_asked(name):
    check_at_rest_nothing_is_asked(robot(name), TASK)


@pytest.mark.parametrize("name", BIPEDS)
def test_rows_on_the_momentum_rate_are_the_acceleration_of_the_centre_of_mass(name):
    model = robot(name).pin_model

    def velocity(q, v):
        data = model.createData()
        pin.centerOfMass(model, data, q, v)
        return data.vcom[0].copy()

    check_rows_are_the_derivative(robot(name), TASK, velocity)


def test_each_axis_has_its_own_stiffness_and_damping():
    body = body_at(robot("g1"), TASK, 0)
    ref, gain, kin = body.reference("com"), body.gain("com"), body.arrays.kin
    gain[:6] = [1, 2, 3, 4, 5, 6]
    ref[:3] = kin.p_WC + 0.1
    ref[3:6] = kin.v_WC + 0.01
    ref[6:] = 0.5
    np.testing.assert_allclose(written(body)[1], [0.1 + 0.04 + 0.5, 0.2 + 0.05 + 0.5, 0.3 + 0.06 + 0.5])


@pytest.mark.parametrize("name", ["panda", "ur5"])
def test_a_fixed_base_has_no_momentum_to_steer(name):
    with pytest.raises(ValueError, match="task 'com': momentum tasks need a floating base"):
        whole_body(robot(name), [TASK])
