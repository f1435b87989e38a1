from __future__ import annotations

import sys

import numpy as np
import pytest
from toy_run import toy_robot, toy_tick

from kilohertz.rt.loop.trace import STATES, Trace


def test_a_trace_keeps_what_each_tick_was():
    trace = Trace(toy_robot(), ticks=5)
    for tick in range(3):
        trace.record(*toy_tick(t_s=tick * 1e-3, tau=(tick, 0.0)))
    np.testing.assert_array_equal(trace.kept("t_s"), [0.0, 1e-3, 2e-3])
    np.testing.assert_array_equal(trace.kept("tau_true")[:, 0], [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(trace.kept("p_WC_des")[2], [0.1, 0.2, 0.3])
    assert trace.rows == trace.ticks == 3


def test_later_changes_of_the_rows_do_not_reach_back():
    trace = Trace(toy_robot(), ticks=2)
    output, estimator, truth = toy_tick()
    trace.record(output, estimator, truth)
    output.p_WC_des[:] = 9.0
    truth.q[:] = 9.0
    np.testing.assert_array_equal(trace.kept("p_WC_des")[0], [0.1, 0.2, 0.3])
    assert trace.kept("q_true")[0, 0] == 0.0


def test_a_long_run_keeps_every_nth_tick_but_counts_them_all():
    trace = Trace(toy_robot(), ticks=100, rows_kept=30)
    for tick in range(100):
        trace.record(
            *toy_tick(t_s=tick * 1e-3, rung=1 if tick == 5 else 0, residual=0.7 if tick == 5 else 0.1)
        )
    assert trace.stride == 4
    assert trace.rows == 25
    np.testing.assert_allclose(np.diff(trace.kept("t_s")), 4e-3)
    assert trace.ticks == 100
    assert trace.rung_ticks[:2].tolist() == [99, 1]
    assert trace.worst_dynamics_residual == 0.7


def test_more_ticks_than_it_was_made_for_are_counted_and_not_kept():
    trace = Trace(toy_robot(), ticks=2)
    for _ in range(4):
        trace.record(*toy_tick())
    assert trace.rows == 2
    assert trace.ticks == 4


def test_torque_is_counted_against_the_limit_of_its_joint():
    trace = Trace(toy_robot(), ticks=4)
    for tau in ((5.0, -20.0), (-9.99, 0.0), (-9.5, 0.0), (0.0, 19.98)):
        trace.record(*toy_tick(tau=tau))
    np.testing.assert_allclose(trace.peak_torque_fraction, [0.999, 1.0])
    assert trace.saturated_ticks.tolist() == [1, 2]


def test_iterations_beyond_the_last_cell_are_counted_in_it():
    trace = Trace(toy_robot(), ticks=1)
    trace.record(*toy_tick(iterations=1_000_000))
    assert trace.iteration_ticks[-1] == 1


@pytest.mark.parametrize("state", STATES)
def test_every_state_of_the_controller_can_be_kept(state):
    trace = Trace(toy_robot(), ticks=1)
    trace.record(*toy_tick(state=state))
    assert trace.kept("state")[0] == Trace.state_index(state)
    assert trace.exit_state == state


def test_recording_grows_nothing():
    trace = Trace(toy_robot(), ticks=2000)
    tick = toy_tick()
    for _ in range(100):
        trace.record(*tick)
    before = sys.getallocatedblocks()
    for _ in range(1000):
        trace.record(*tick)
    assert sys.getallocatedblocks() - before < 20


@pytest.mark.parametrize(("ticks", "rows_kept"), [(0, 10), (10, 0)])
def test_a_trace_of_nothing_is_refused(ticks, rows_kept):
    with pytest.raises(ValueError, match="at least one tick"):
        Trace(toy_robot(), ticks, rows_kept)
