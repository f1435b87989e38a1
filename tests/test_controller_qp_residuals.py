"""The check of a solution says by how much each block is missed, and where the zero-moment point is."""

import numpy as np
import pytest
import reference_qp
from bodies import BARRIER, ask, random_state, robot, whole_body

from kilohertz.controller.problem.tables import (
    RES_BASE,
    RES_CONE,
    RES_FINITE,
    RES_MOTION,
    RES_TAU,
    RES_VDOT,
)
from kilohertz.controller.qp.residuals import torque_and_residuals


@pytest.fixture(scope="module")
def solved():
    """A solved tick of the G1, its dense problem, and a function that checks a changed solution."""
    body, rng = whole_body(robot("g1")), np.random.default_rng(0)
    q, v = random_state(body.robot, rng, 0.05, 0.05)
    body.update(q, v)
    ask(body, rng, 0.3)
    problem = reference_qp.dense_problem(body, q, v, BARRIER)
    body.assemble()
    assert body.solve()
    keep = [array.copy() for array in body.solution]

    def check(**changes):
        for array, kept in zip(body.solution, keep, strict=True):
            array[:] = kept
        for field, (index, value) in changes.items():
            getattr(body.solution, field)[index] += value
        torque_and_residuals(body.arrays.kin, body.arrays.contacts, body.arrays.limits, body.solution)
        return body.solution

    return body, problem, check


def unknowns(solution):
    return np.r_[solution.vdot, solution.wrench.ravel()]


def test_torque_is_inverse_dynamics(solved):
    body, problem, check = solved
    solution = check(vdot=(10, 1.0), wrench=((0, 2), 50.0))
    force = problem.S @ unknowns(solution) + problem.h
    np.testing.assert_allclose(solution.tau, force[6:], atol=1e-8)
    assert solution.residual[RES_BASE] == pytest.approx(np.abs(force[:6]).max())
    assert body.robot.nv == 35


def test_a_solution_misses_nothing(solved):
    _, _, check = solved
    residual = check().residual
    assert residual[RES_BASE] < 1e-8
    assert residual[RES_MOTION] < 1e-6
    assert residual[RES_CONE] < 1e-4
    assert residual[RES_TAU] == 0.0
    assert residual[RES_VDOT] == 0.0
    assert residual[RES_FINITE] == 1.0


def test_contact_motion_is_missed_by_as_much_as_the_soles_accelerate_otherwise(solved):
    _, problem, check = solved
    solution = check(vdot=(8, 0.5))
    missed = np.abs(problem.A_eq @ unknowns(solution) - problem.b_eq)[6:]
    assert solution.residual[RES_MOTION] == pytest.approx(missed.max())


@pytest.mark.parametrize(("component", "change"), [(0, 500.0), (2, -1000.0), (2, 5000.0), (4, 100.0)])
def test_cones_are_missed_by_newtons(solved, component, change):
    _, problem, check = solved
    solution = check(wrench=((1, component), change))
    cones = problem.blocks[0]
    missed = (problem.A @ unknowns(solution) - problem.b)[:cones].max()
    assert missed > 10.0
    assert solution.residual[RES_CONE] == pytest.approx(missed)


def test_limits_are_missed_by_what_is_beyond_them(solved):
    body, problem, check = solved
    solution = check(vdot=(12, 5000.0))
    missed = problem.A @ unknowns(solution) - problem.b
    torque, barrier = np.split(missed[problem.blocks[0] :], 2)
    assert solution.residual[RES_TAU] == pytest.approx(torque.max())
    assert solution.residual[RES_VDOT] == pytest.approx(barrier.max())
    assert barrier.max() > 0.0
    assert not body.tolerances.limits_ok(solution.residual)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e12])
@pytest.mark.parametrize("field", ["vdot", "wrench"])
def test_non_finite_numbers_are_detected(solved, field, value):
    body, _, check = solved
    residual = check(**{field: (3 if field == "vdot" else (1, 3), value)}).residual
    assert residual[RES_FINITE] == 0.0
    assert not body.tolerances.accept(residual)


def test_the_zero_moment_point_has_no_horizontal_moment(solved):
    body, _, check = solved
    solution, kin = check(wrench=((0, 4), 3.0)), body.arrays.kin
    zmp = np.array([*solution.zmp, kin.p[:2, 2].mean()])
    moment = np.zeros(3)
    for c in range(2):
        force = kin.R[c] @ solution.wrench[c, :3]
        moment += kin.R[c] @ solution.wrench[c, 3:] + np.cross(kin.p[c] - zmp, force)
    np.testing.assert_allclose(moment[:2], 0.0, atol=1e-8)
