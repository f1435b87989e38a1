from __future__ import annotations

import numpy as np
from bodies import random_state, robot, weak, whole_body

from kilohertz.rt.bench.develop.exact_torque import torque_error_Nm


def test_the_error_is_that_of_the_solution_which_stays_as_it_was():
    model = weak("g1", 0.5)
    body, rng = whole_body(model), np.random.default_rng(0)
    for _ in range(5):
        body.update(*random_state(model, rng, 0.05, 0.05))
        body.assemble()
        assert body.solve()
        assert torque_error_Nm(body) < 1e-5
        body.solution.tau[3] += 0.25
        before = [array.copy() for array in body.solution]
        assert abs(torque_error_Nm(body) - 0.25) < 1e-5
        for array, old in zip(body.solution, before, strict=True):
            np.testing.assert_array_equal(array, old)


def test_where_there_is_no_optimum_there_is_no_error():
    body = whole_body(robot("g1"))
    body.update(robot("g1").q_nominal.copy(), np.zeros(35))
    body.set_force_limits("left_foot", 2000.0, 3000.0)
    body.assemble()
    assert not body.solve()
    assert np.isnan(torque_error_Nm(body))
