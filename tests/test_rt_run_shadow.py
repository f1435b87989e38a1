from __future__ import annotations

import numpy as np
import pytest
from test_rt_run_summary import trace_of
from toy_run import toy_robot

from kilohertz.robots.model.rows import CommandRow, SensorRow
from kilohertz.rt.run.shadow import FEWEST_COMPARED, CommandComparison, shadow_figures

TICK = {"tick": {"p99.9": 900.0}}


def command(tau=(0.0, 0.0), q_des=(0.0, 0.0), kp=(0.0, 0.0), kd=(0.0, 0.0), v_des=(0.0, 0.0)):
    row = CommandRow(2)
    row.tau_ff[:], row.q_des[:], row.kp[:], row.kd[:], row.v_des[:] = tau, q_des, kp, kd, v_des
    return row


def state(q=(0.0, 0.0), v=(0.0, 0.0)):
    row = SensorRow(2, 2)
    row.q[:], row.v[:] = q, v
    return row


def compared(pairs, trip_us=500.0):
    comparison = CommandComparison(toy_robot())
    for seq, (mine, theirs, sensors) in enumerate(pairs, start=1):
        comparison.mine(seq, sensors, mine)
        comparison.theirs(seq, trip_us, theirs)
    return comparison


def figures_of(pairs, latency=TICK, missed=0, trace=None):
    pairs = list(pairs)
    trace = trace or trace_of(np.arange(len(pairs)) * 1e-3)
    return shadow_figures(compared(pairs), trace, toy_robot(), latency, missed)


def test_the_torque_of_a_command_is_that_of_the_drives_at_the_answered_state():
    mine = command(q_des=(0.2, 0.0), kp=(50.0, 0.0), v_des=(1.0, 0.0), kd=(2.0, 0.0), tau=(1.0, 4.0))
    comparison = compared([(mine, command(tau=(0.0, 4.0)), state(q=(0.1, 0.0), v=(0.5, 0.0)))])
    # 50 * 0.1 + 2 * 0.5 + 1 = 7 Nm of a limit of 10 Nm.
    np.testing.assert_allclose(comparison.highest, [0.7, 0.0], atol=1e-12)
    assert (comparison.compared, comparison.different) == (1, 1)


def test_the_order_in_which_the_two_commands_arrive_does_not_matter():
    comparison = CommandComparison(toy_robot())
    comparison.theirs(7, 400.0, command(tau=(5.0, 0.0)))
    comparison.mine(7, state(), command(tau=(2.0, 0.0)))
    assert comparison.compared == 1
    np.testing.assert_allclose(comparison.rms, [0.3, 0.0])


def test_a_state_that_only_one_of_them_answers_does_not_count():
    comparison = CommandComparison(toy_robot())
    comparison.mine(1, state(), command(tau=(5.0, 0.0)))
    comparison.theirs(2, 400.0, command())
    # Number 65 has the slot of number 1.
    comparison.theirs(65, 400.0, command())
    assert comparison.compared == 0
    assert comparison.commanded == 2


def test_equal_controllers_may_take_over():
    figures = figures_of([(command(tau=(3.0, 1.0)), command(tau=(3.0, 1.0)), state())] * FEWEST_COMPARED)
    assert figures["safe_to_take_over"]
    assert figures["reasons"] == []
    assert figures["different"] == 0
    assert figures["commander_round_trip_us"] == {"p50": 500.0, "p99": 500.0, "p99.9": 500.0}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"mine": command(tau=(4.0, 0.0))}, "would be a jump"),
        ({"mine": command(tau=(1.5, 0.0))}, "hip_joint differs by 0.15"),
        ({"latency": {"tick": {"p99.9": 4500.0}}}, "more than the deadline"),
        ({"missed": 30}, "30 of 1030 states"),
        ({"count": 10}, "only 10 torques"),
        ({"state": "damping"}, "in the state damping"),
        ({"rung": 3}, "without a solution"),
        ({"tilt": 0.1}, "estimated tilt"),
        ({"velocity": 0.3}, "estimated velocity"),
    ],
)
def test_each_reason_against_taking_over_is_told(change, reason):
    count = change.get("count", FEWEST_COMPARED)

    def wrong(t_s, output, estimator, truth):
        estimator.q[3], estimator.q[6] = (
            np.sin(change.get("tilt", 0.0) / 2),
            np.cos(change.get("tilt", 0.0) / 2),
        )
        estimator.v[0] = change.get("velocity", 0.0)

    tick = {key: change[key] for key in ("state", "rung") if key in change}
    trace = trace_of(np.arange(count) * 1e-3, wrong, **tick)
    pairs = [(change.get("mine", command()), command(), state())] * count
    figures = figures_of(pairs, change.get("latency", TICK), change.get("missed", 0), trace)
    assert not figures["safe_to_take_over"]
    assert any(reason in each for each in figures["reasons"]), figures["reasons"]


def test_without_copies_of_the_commands_the_measured_torques_are_compared_at_their_delay():
    wave = np.sin(0.05 * np.arange(2000))

    def change(t_s, output, estimator, truth):
        tick = round(1e3 * t_s)
        output.tau[0] = 8.0 * wave[tick]
        truth.tau[0] = 8.0 * wave[max(tick - 3, 0)]

    trace = trace_of(np.arange(2000) * 1e-3, change)
    figures = figures_of([], trace=trace)
    assert figures["against"] == "measured torques"
    assert figures["lag_ms"] == pytest.approx(3.0)
    assert figures["torque_p99_fraction"] == pytest.approx(0.0, abs=1e-12)
    assert figures["safe_to_take_over"], figures["reasons"]


def test_without_measured_torques_nothing_can_be_said():
    def change(t_s, output, estimator, truth):
        truth.tau[:] = np.nan

    figures = figures_of([], trace=trace_of(np.arange(2000) * 1e-3, change))
    assert figures["torque_p99_fraction"] is None
    assert not figures["safe_to_take_over"]


def test_in_lockstep_time_does_not_count():
    pairs = [(command(), command(), state())] * FEWEST_COMPARED
    assert figures_of(pairs, latency=None, missed=100)["safe_to_take_over"]
