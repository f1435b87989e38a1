from __future__ import annotations

import pytest

from kilohertz.rt.bench.develop.torque_errors import SCENARIOS, as_json, run_torque_errors, torque_error_table

pytestmark = pytest.mark.closed_loop


@pytest.mark.long
def test_both_solvers_are_judged_tick_by_tick_in_both_runs():
    errors = run_torque_errors("g1", duration_s=0.2)
    assert [(e.scenario, e.solver) for e in errors] == [
        (scenario, solver) for scenario in SCENARIOS for solver in ("osqp", "exact")
    ]
    for e in errors:
        assert e.ticks == 200
        assert e.p50_Nm <= e.p99_Nm <= e.max_Nm
        assert e.p99_Nm < (1e-3 if e.solver == "exact" else 0.1)
    assert torque_error_table(errors).row_count == 4
    assert as_json(errors)["torque_errors"][1]["solver"] == "exact"
