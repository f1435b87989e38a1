"""The reduced problem is the whole problem, seen from fewer unknowns."""

import numpy as np
import pytest
import reference_qp
from bodies import BARRIER, ask, random_state, robot, whole_body

CASES = [("g1", None), ("talos", ["left_foot"]), ("bolt", None), ("panda", ()), ("g1", ())]


def reduced(name, closed):
    """An assembled body, its reduced problem and its dense one."""
    body, rng = whole_body(robot(name), closed=closed), np.random.default_rng(1)
    q, v = random_state(body.robot, rng, 0.1, 0.3)
    body.update(q, v)
    ask(body, rng)
    body.assemble()
    body.solve()
    return body, body.osqp._groups["exact"], reference_qp.dense_problem(body, q, v, BARRIER, closed)


def whole(body, e, z):
    """(vdot, wrenches) of the reduced unknowns z, by the definition of the whitening and the elimination."""
    n, nb, na = len(z), body.robot.n_base, body.robot.na
    x = e.x0[:n] + e.sigma[:n] * z
    base = e.K[:, :n] @ z + e.K[:, n] if nb else np.zeros(0)
    return np.r_[base, x[:na], x[na:]]


def some_points(body, count=5):
    contacts = body.arrays.contacts
    n = body.robot.na + int(contacts.dim[contacts.offset >= 0].sum())
    return np.random.default_rng(2).normal(size=(count, n))


@pytest.mark.parametrize(("name", "closed"), CASES)
def test_every_point_of_the_reduced_problem_is_in_equilibrium(name, closed):
    body, e, p = reduced(name, closed)
    for z in some_points(body):
        x = whole(body, e, z)
        base = (p.S @ x + p.h)[: body.robot.n_base]
        np.testing.assert_allclose(base, 0.0, atol=1e-7 * max(np.abs(x).max(), 1.0))


def test_a_task_of_no_weight_is_left_out():
    body, _, _ = reduced("g1", None)
    body.assemble()
    assert body.solve()
    without = body.solution.vdot.copy()
    body.weight("com")[:] = 0.0
    body.reference("com")[:] = 1e6
    body.assemble()
    assert body.solve()
    free = body.solution.vdot.copy()
    body.reference("com")[:] = -1e6
    body.assemble()
    assert body.solve()
    np.testing.assert_allclose(body.solution.vdot, free, rtol=1e-10, atol=1e-10)
    assert not np.allclose(without, free)
