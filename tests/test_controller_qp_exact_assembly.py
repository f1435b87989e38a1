"""The reduced problem is the whole problem, seen from fewer unknowns."""

import numpy as np
import pytest
import reference_qp
from bodies import BARRIER, ask, random_state, robot, whole_body

from kilohertz.controller.qp.exact_assembly import N_CONE, N_MOTION, N_ROWS, N

CASES = [("g1", None), ("talos", ["left_foot"]), ("bolt", None), ("panda", ()), ("g1", ())]


def reduced(name, closed):
    """An assembled body, its reduced problem and its dense one."""
    body, rng = whole_body(robot(name), closed=closed), np.random.default_rng(1)
    q, v = random_state(body.robot, rng, 0.1, 0.3)
    body.update(q, v)
    ask(body, rng)
    body.daqp.assemble((), ())
    return body, body.daqp._problem, reference_qp.dense_problem(body, q, v, BARRIER, closed)


def whole(body, e, z):
    """(vdot, wrenches) of the reduced unknowns z, by the definition of the whitening and the elimination."""
    n, nb, na = int(e.size[N]), body.robot.n_base, body.robot.na
    x = e.x0[:n] + e.sigma[:n] * z
    base = e.K[:, :n] @ z + e.K[:, n] if nb else np.zeros(0)
    return np.r_[base, x[:na], x[na:]]


def some_points(e, count=5):
    rng = np.random.default_rng(2)
    return rng.normal(size=(count, int(e.size[N])))


@pytest.mark.parametrize(("name", "closed"), CASES)
def test_every_point_of_the_reduced_problem_is_in_equilibrium(name, closed):
    body, e, p = reduced(name, closed)
    for z in some_points(e):
        x = whole(body, e, z)
        base = (p.S @ x + p.h)[: body.robot.n_base]
        np.testing.assert_allclose(base, 0.0, atol=1e-7 * max(np.abs(x).max(), 1.0))


@pytest.mark.parametrize(("name", "closed"), CASES)
def test_costs_differ_by_a_constant(name, closed):
    body, e, p = reduced(name, closed)
    n = int(e.size[N])
    H = e.H[: n * n].reshape(n, n)
    np.testing.assert_array_equal(H, H.T)
    costs = np.array([[0.5 * z @ H @ z + e.f[:n] @ z, p.cost(whole(body, e, z))] for z in some_points(e)])
    differences = costs - costs[0]
    scale = np.abs(costs).max()
    np.testing.assert_allclose(differences[:, 0], differences[:, 1], atol=1e-9 * scale)


@pytest.mark.parametrize(("name", "closed"), CASES)
def test_rows_are_the_rows_of_the_whole_problem(name, closed):
    body, e, p = reduced(name, closed)
    n, nb, na = int(e.size[N]), body.robot.n_base, body.robot.na
    motion, cone, rows = int(e.size[N_MOTION]), int(e.size[N_CONE]), int(e.size[N_ROWS])
    C = e.C[: rows * n].reshape(rows, n)
    lower, upper = e.lower[na : na + rows], e.upper[na : na + rows]
    torque_limit = body.robot.torque_limit_Nm
    for z in some_points(e):
        x, values = whole(body, e, z), C @ z
        scale = 1e-8 * max(np.abs(x).max(), 1.0)
        missed = p.A_eq[nb:] @ x - p.b_eq[nb:] if nb else np.zeros(0)
        np.testing.assert_allclose(values[:motion] - upper[:motion], missed, atol=scale)
        np.testing.assert_array_equal(lower[:motion], upper[:motion])
        if cone:
            worst = (
                (values - upper)[motion : motion + cone].max(),
                (lower - values)[motion : motion + cone].max(),
            )
            assert max(worst) == pytest.approx((p.A @ x - p.b)[: p.blocks[0]].max(), abs=scale)
        tau = (p.S @ x + p.h)[nb:]
        np.testing.assert_allclose(
            values[motion + cone :] - upper[motion + cone :], tau - torque_limit, atol=1e-6
        )
        np.testing.assert_allclose(
            lower[motion + cone :] - values[motion + cone :], -tau - torque_limit, atol=1e-6
        )


@pytest.mark.parametrize("name", ["g1", "panda"])
def test_bounds_are_the_barriers(name):
    body, e, _ = reduced(name, None if name == "g1" else ())
    na, limits = body.robot.na, body.arrays.limits
    np.testing.assert_allclose(e.x0[:na] + e.sigma[:na] * e.lower[:na], limits.vdot_lower, atol=1e-8)
    np.testing.assert_allclose(e.x0[:na] + e.sigma[:na] * e.upper[:na], limits.vdot_upper, atol=1e-8)


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


def test_softened_contact_motion_is_a_heavy_cost():
    body, e, p = reduced("g1", None)
    hard = [z @ e.H[: len(z) ** 2].reshape(len(z), -1) @ z / 2 + e.f[: len(z)] @ z for z in some_points(e)]
    body.solve_softened()
    soft = [z @ e.H[: len(z) ** 2].reshape(len(z), -1) @ z / 2 + e.f[: len(z)] @ z for z in some_points(e)]
    missed = [np.sum((p.A_eq[6:] @ whole(body, e, z) - p.b_eq[6:]) ** 2) for z in some_points(e)]
    extra = np.array(soft) - np.array(hard) - 0.5e3 * np.array(missed)
    np.testing.assert_allclose(extra, extra[0], atol=1e-9 * max(soft))
