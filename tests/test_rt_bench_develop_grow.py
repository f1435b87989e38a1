from __future__ import annotations

import json

import numpy as np
import pytest

from kilohertz.rt.bench.develop.grow import SOLVERS, GrownTick, as_json, fit, grow_table, run_grow

pytestmark = pytest.mark.host

EXACTLY = (3.0, 0.2, 5e-4, 1.5, 0.04)


def ticks_of(formula):
    return [
        GrownTick(joints, contacts, solver, formula(joints + 6, contacts), 0.0, 0.0)
        for joints in (6, 12, 29, 60, 100)
        for contacts in (1, 2, 4)
        for solver in SOLVERS
    ]


def test_the_fit_finds_the_coefficients_that_made_the_times():
    a, b, c, d, e = EXACTLY
    ticks = ticks_of(lambda nv, nc: a + b * nv + c * nv**2 + d * nc + e * nc * nv)
    growth = fit(ticks, "exact")
    np.testing.assert_allclose(growth.coefficients, EXACTLY, rtol=1e-6)
    assert growth.worst < 1e-9
    assert growth.us(100, 4) == pytest.approx(a + b * 106 + c * 106**2 + d * 4 + e * 4 * 106)
    assert str(growth) == "3 + 0.2 nv + 0.0005 nv² + 1.5 nc + 0.04 nc nv µs, to 0 %"


def test_the_fit_tells_its_largest_relative_error_and_its_signs():
    rng = np.random.default_rng(0)
    ticks = ticks_of(lambda nv, nc: (10.0 + 0.3 * nv - 2.0 * nc) * rng.uniform(0.95, 1.05))
    growth = fit(ticks, "osqp")
    errors = [growth.us(t.joints, t.contacts) / t.us - 1.0 for t in ticks if t.solver == "osqp"]
    assert growth.worst == pytest.approx(np.abs(errors).max())
    assert 0.0 < growth.worst < 0.1
    assert " - " in str(growth)


def test_solvers_are_fitted_apart():
    ticks = ticks_of(lambda nv, nc: nv + nc)
    ticks = [
        t if t.solver == "exact" else GrownTick(t.joints, t.contacts, "osqp", 2 * t.us, 0.0, 0.0)
        for t in ticks
    ]
    assert fit(ticks, "osqp").us(50, 2) == pytest.approx(2.0 * fit(ticks, "exact").us(50, 2))


@pytest.fixture(scope="module")
def measured():
    return run_grow((6, 29), ticks=20)


@pytest.mark.long
def test_every_number_of_contacts_is_timed_with_both_solvers_and_judged(measured):
    assert [(t.joints, t.contacts) for t in measured if t.solver == "exact"] == [
        (6, 1),
        (29, 1),
        (29, 2),
        (29, 3),
        (29, 4),
    ]
    for tick in measured:
        assert tick.us > 0.0
        assert tick.error_Nm < (1e-6 if tick.solver == "exact" else 0.2)


def test_the_table_has_a_line_for_each_and_the_json_the_fit(measured):
    assert grow_table(measured).row_count == 5
    content = json.loads(json.dumps(as_json(measured), allow_nan=False))
    assert len(content["grow"]) == 10
    assert [len(growth["coefficients"]) for growth in content["fit"]] == [5, 5]
