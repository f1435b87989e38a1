"""The estimate in place of a true state that is not known."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from kilohertz.rt.loop.trace import ESTIMATE
from kilohertz.rt.run import summary
from kilohertz.rt.run.against_estimate import against_estimate
from kilohertz.rt.run.session import RunPlan, Session

pytestmark = pytest.mark.closed_loop

SCENARIO = {
    "name": "sway",
    "duration_s": 3.0,
    "commands": [{"at_s": 0, "sway": {"amplitude_m": 0.02, "period_s": 2.0, "axis": "y"}}],
    "estimator": "truth",
}


@pytest.fixture(scope="module")
def run():
    """A run whose estimate is the true state, so that one may stand for the other."""
    return Session(RunPlan("g1", SCENARIO, seed=2)).run()


def test_an_estimate_without_errors_gives_the_figures_of_the_true_state(run):
    trace, judged = run.trace, against_estimate(run.trace, run.robot)
    assert judged.against == ESTIMATE
    for name in ("p_WF_true", "p_WH_true", "p_WC_true", "p_WR_true", "v_WC_true"):
        np.testing.assert_allclose(judged.kept(name), trace.kept(name), atol=1e-3)
    told = summary.tracking_figures(judged, run.robot, run.scenario)
    true = summary.tracking_figures(trace, run.robot, run.scenario)
    assert told["com_rms_m"] == pytest.approx(true["com_rms_m"], abs=2e-4)


def test_the_feet_are_where_the_controller_took_them_to_be_after_its_frame_has_moved(run):
    trace = copy.copy(run.trace)
    # The best estimate of the place in the world has moved by a metre from the odometry frame.
    trace.q_est = trace.q_est + np.r_[1.0, np.zeros(trace.q_est.shape[1] - 1)]
    judged, usual = against_estimate(trace, run.robot), against_estimate(run.trace, run.robot)
    np.testing.assert_array_equal(judged.kept("p_WF_true"), usual.kept("p_WF_true"))
    np.testing.assert_array_equal(judged.kept("q_true"), usual.kept("q_true"))


def test_the_commanded_centre_of_pressure_is_near_the_true_one(run):
    trace, judged = run.trace, against_estimate(run.trace, run.robot)
    loaded = trace.kept("normal_true_N").min(axis=1) > 50.0
    loaded[:500] = False
    off = judged.kept("cop_true_W")[loaded] - trace.kept("cop_true_W")[loaded]
    assert np.sqrt(np.nanmean(off[:, :, :2] ** 2)) < 0.02


def test_errors_of_the_estimate_are_unknown_and_the_given_history_is_left_alone(run):
    before = run.trace.kept("q_true").copy()
    judged = against_estimate(run.trace, run.robot)
    assert set(summary.estimation_figures(judged, floating=True).values()) == {None}
    assert run.trace.against == "truth"
    np.testing.assert_array_equal(run.trace.kept("q_true"), before)
    assert run.summary["measured_against"] == "truth"
    assert run.judged is run.trace
