"""A problem without a solution is explained by the names of the rows that could not all be had."""

import numpy as np
import pytest
from bodies import hold_still, robot, whole_body

from kilohertz.controller.whole_body.explain import missed_rows


@pytest.fixture
def body():
    body = whole_body(robot("g1"))
    body.update(np.array(robot("g1").q_nominal), np.zeros(35))
    hold_still(body)
    body.assemble()
    return body


def test_a_solution_misses_nothing(body):
    assert body.solve()
    assert missed_rows(body) == []


def test_a_load_that_no_foot_can_carry_is_named(body):
    body.set_force_limits("left_foot", 2000.0, 3000.0)
    body.assemble()
    assert not body.solve()
    assert body.solve_softened()
    missed = missed_rows(body)
    assert any(name.startswith("left_foot.") or name.endswith(".torque_limit") for name in missed)
    assert not any(name.startswith("right_foot.force") for name in missed)


def test_knees_without_strength_are_named(body):
    weak = [robot("g1").joint_names.index(f"{side}_knee_joint") for side in ("left", "right")]
    body.arrays.limits.tau[weak] = 1e-3
    body.set_force_limits("left_foot", 100.0, 300.0)
    body.set_force_limits("right_foot", 100.0, 300.0)
    body.assemble()
    assert body.solve_softened()
    named = {name.split(".")[0] for name in missed_rows(body)}
    assert named <= {*robot("g1").joint_names, *robot("g1").contact_names}
