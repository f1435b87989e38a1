"""OSQP's sparse problem is the whole problem, row by row and scaled."""

import numpy as np
import pytest
import reference_qp
from bodies import BARRIER, ask, random_state, robot, whole_body

from kilohertz.controller.qp.osqp_assembly import M_ROWS, ROW_TAU, ROW_VDOT, WITH_LIMITS, N

CASES = [("g1", None), ("talos", ["left_foot"]), ("bolt", None), ("panda", ())]


def assembled(name, closed):
    """An assembled body, its OSQP problem as dense P, A and vectors, and the reference's problem."""
    body, rng = whole_body(robot(name), closed=closed, solver="osqp"), np.random.default_rng(1)
    q, v = random_state(body.robot, rng, 0.1, 0.3)
    body.update(q, v)
    ask(body, rng)
    body.assemble()
    a = body.osqp._current.arrays
    n, m = int(a.size[N]), int(a.size[M_ROWS])
    P, A = np.zeros((n, n)), np.zeros((m, n))
    P[a.position_P >= 0] = a.px[a.position_P[a.position_P >= 0]]
    A[a.position_A >= 0] = a.ax[a.position_A[a.position_A >= 0]]
    P = P + np.triu(P, 1).T
    A, lower, upper = (
        array / (a.row_scale[:, None] if array.ndim == 2 else a.row_scale) for array in (A, a.l, a.u)
    )
    unit = np.r_[np.ones(body.robot.nv), np.full(n - body.robot.nv, a.force_scale[0])]
    return (
        body,
        a,
        (P, a.g.copy(), A, lower, upper, unit),
        reference_qp.dense_problem(body, q, v, BARRIER, closed),
    )


def points_in_equilibrium(body, p, count=5):
    """Random (vdot, wrenches) whose base accelerates as the equations of motion say."""
    rng, nb = np.random.default_rng(3), body.robot.n_base
    for _ in range(count):
        x = rng.normal(size=len(p.g)) * np.r_[np.ones(body.robot.nv), np.full(len(p.g) - body.robot.nv, 50.0)]
        if nb:
            x[:nb] -= np.linalg.solve(p.S[:nb, :nb], (p.S @ x + p.h)[:nb])
        yield x


@pytest.mark.parametrize(("name", "closed"), CASES)
def test_costs_differ_by_a_constant_where_the_equations_of_motion_hold(name, closed):
    body, _, (P, g, _, _, _, unit), p = assembled(name, closed)
    costs = np.array(
        [
            [0.5 * (x / unit) @ P @ (x / unit) + g @ (x / unit), p.cost(x)]
            for x in points_in_equilibrium(body, p)
        ]
    )
    differences = costs - costs[0]
    # Unlike the reference, OSQP's problem has 1e-8 on the base's acceleration too.
    np.testing.assert_allclose(
        differences[:, 0], differences[:, 1], rtol=1e-6, atol=1e-7 * np.abs(costs).max()
    )


@pytest.mark.parametrize(("name", "closed"), CASES)
def test_rows_are_the_rows_of_the_whole_problem(name, closed):
    body, a, (_, _, A, lower, upper, unit), p = assembled(name, closed)
    n_eq = len(p.b_eq) if body.robot.floating else 0
    for x in points_in_equilibrium(body, p):
        values, scale = A @ (x / unit), 1e-9 * np.abs(x).max()
        np.testing.assert_allclose((values - upper)[:n_eq], (p.A_eq @ x - p.b_eq)[:n_eq], atol=1e3 * scale)
        cones = slice(n_eq, int(a.size[ROW_TAU]))
        if cones.stop > cones.start:
            worst = max((values - upper)[cones].max(), (lower - values)[cones].max())
            assert worst == pytest.approx((p.A @ x - p.b)[: p.blocks[0]].max(), abs=1e3 * scale)


def test_a_fixed_base_has_its_limits_in():
    body, a, (_, _, A, lower, upper, unit), p = assembled("panda", ())
    na = body.robot.na
    assert int(a.size[WITH_LIMITS]) == 1
    torque, barrier = slice(int(a.size[ROW_TAU]), int(a.size[ROW_VDOT])), slice(int(a.size[ROW_VDOT]), None)
    for x in points_in_equilibrium(body, p):
        tau = p.S @ x + p.h
        np.testing.assert_allclose((A @ x - upper)[torque], tau - body.robot.torque_limit_Nm, atol=1e-8)
        np.testing.assert_allclose((A @ x - lower)[torque], tau + body.robot.torque_limit_Nm, atol=1e-8)
        np.testing.assert_array_equal((A @ x)[barrier], x[:na])
    np.testing.assert_allclose(upper[barrier], body.arrays.limits.vdot_upper)
    np.testing.assert_allclose(lower[barrier], body.arrays.limits.vdot_lower)
    assert (unit == 1.0).all()


def test_contact_motion_that_is_implied_is_left_free():
    body, a, (_, _, _, lower, upper, _), _ = assembled("g1", None)
    body.arrays.contacts.implied[0, 3] = 1
    body.assemble()
    row = int(a.row_motion[0]) + 3
    assert a.l[row] < -1e6 < 1e6 < a.u[row]
    assert lower[row] == upper[row]


def test_momentum_tasks_leave_the_hessian_sparse():
    """Written on the wrenches, the tasks on the centre of mass and the momentum touch no joint."""
    _, _, (P, *_), _ = assembled("g1", None)
    assert np.count_nonzero(P[:35, 35:]) == 0
    assert np.count_nonzero(P[35:, 35:]) == 12 * 12
