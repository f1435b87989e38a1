"""A solution is accepted only within the tolerances of every block."""

import numpy as np
import pytest

from kilohertz.controller.problem.tables import (
    RES_BASE,
    RES_CONE,
    RES_FINITE,
    RES_INEQUALITY,
    RES_MOTION,
    RES_TAU,
    RES_VDOT,
)
from kilohertz.controller.qp.residuals import accepted, limits_hold
from kilohertz.controller.qp.tolerances import Tolerances

TOLERANCES = Tolerances(force_N=0.3)


def residual(**changes):
    values = np.zeros(7)
    values[RES_FINITE] = 1.0
    for index, value in changes.items():
        values[int(index[1:])] = value
    return values


def test_a_perfect_solution_is_accepted():
    assert TOLERANCES.accept(residual())
    assert TOLERANCES.limits_ok(residual())


@pytest.mark.parametrize(("block", "limit"), [(RES_BASE, 0.3), (RES_CONE, 0.3), (RES_MOTION, 0.1)])
def test_each_block_is_accepted_up_to_its_tolerance(block, limit):
    assert TOLERANCES.accept(residual(**{f"r{block}": limit}))
    assert not TOLERANCES.accept(residual(**{f"r{block}": np.nextafter(limit, 1.0)}))


@pytest.mark.parametrize(("block", "limit"), [(RES_TAU, 0.005), (RES_VDOT, 0.01), (RES_INEQUALITY, 0.01)])
def test_limits_enter_the_problem_beyond_their_tolerance(block, limit):
    assert TOLERANCES.limits_ok(residual(**{f"r{block}": limit}))
    assert not TOLERANCES.limits_ok(residual(**{f"r{block}": np.nextafter(limit, 1.0)}))


@pytest.mark.parametrize("block", [RES_TAU, RES_VDOT, RES_INEQUALITY])
def test_limits_do_not_decide_what_is_accepted(block):
    assert TOLERANCES.accept(residual(**{f"r{block}": 1e3}))


@pytest.mark.parametrize("block", [RES_BASE, RES_CONE, RES_MOTION])
def test_what_is_accepted_does_not_decide_on_limits(block):
    assert TOLERANCES.limits_ok(residual(**{f"r{block}": 1e3}))


@pytest.mark.parametrize("block", [RES_BASE, RES_MOTION, RES_CONE])
def test_nothing_that_is_not_a_number_is_accepted(block):
    assert not TOLERANCES.accept(residual(**{f"r{block}": np.nan}))


@pytest.mark.parametrize("block", [RES_TAU, RES_VDOT, RES_INEQUALITY])
def test_nan_does_not_satisfy_a_limit(block):
    assert not TOLERANCES.limits_ok(residual(**{f"r{block}": np.nan}))


def test_a_solution_that_is_not_finite_is_refused():
    assert not TOLERANCES.accept(np.zeros(7))


@pytest.mark.parametrize("block", range(7))
@pytest.mark.parametrize(
    "value", [0.0, 1.0, 0.3, np.nextafter(0.3, 1.0), 0.1, 0.005, 0.01, 0.02, np.nan, np.inf]
)
def test_compiled_checks_agree_with_these(block, value):
    r = residual(**{f"r{block}": value})
    assert accepted(r, TOLERANCES.row()) == TOLERANCES.accept(r)
    assert limits_hold(r, TOLERANCES.row()) == TOLERANCES.limits_ok(r)
