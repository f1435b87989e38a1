"""The map from contact wrenches to the rate of the centroidal momentum."""

import numpy as np
import pinocchio as pin
import pytest
from bodies import random_state, robot, whole_body

from kilohertz.controller.qp.momentum_map import momentum_column


@pytest.mark.parametrize("name", ["g1", "bolt"])
def test_columns_are_the_wrenches_moved_to_the_centre_of_mass(name):
    body = whole_body(robot(name))
    kin, column = body.arrays.kin, np.zeros(6)
    body.update(*random_state(body.robot, np.random.default_rng(0)))
    for f in range(len(body.robot.contacts)):
        R, arm = kin.R[f], kin.p[f] - kin.p_WC
        G = np.block([[R, np.zeros((3, 3))], [pin.skew(arm) @ R, R]])
        for component in range(6):
            momentum_column(kin, f, component, column)
            np.testing.assert_allclose(column, G[:, component], atol=1e-14)


def test_the_sum_of_wrenches_and_gravity_is_the_rate_of_the_momentum():
    """For any solution of the equations of motion, whatever it asks for."""
    body = whole_body(robot("g1"))
    body.update(*random_state(body.robot, np.random.default_rng(1)))
    body.assemble()
    assert body.solve()
    kin, solution, column = body.arrays.kin, body.solution, np.zeros(6)
    rate = np.array([0, 0, -9.81 * kin.mass[0], 0, 0, 0])
    for f in range(2):
        for component in range(6):
            momentum_column(kin, f, component, column)
            rate += column * solution.wrench[f, component]
    model = body.robot.pin_model
    data = model.createData()
    pin.dccrba(model, data, kin.q, kin.v)
    np.testing.assert_allclose(data.Ag @ solution.vdot + data.dAg @ kin.v, rate, atol=1e-8)
