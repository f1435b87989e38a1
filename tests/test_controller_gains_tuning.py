from __future__ import annotations

import numpy as np
import pytest
from bodies import robot
from control_runs import ignore

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.live import GainsRow, live_numbers, with_numbers
from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.controller.gains.tuning import GOOD, NONE, ON_TRIAL, REFUSED, ROLLED_BACK, Tuning, Watch
from kilohertz.controller.supervision.request import make_request
from kilohertz.rt.faults.body_bench import BodyBench

JOINTS = ("hip", "knee")
DT = 1e-3
REST = np.zeros(2)


def sway(k, amplitude, frequency_Hz=6.0):
    return np.array([0.0, amplitude * np.sin(2.0 * np.pi * frequency_Hz * k * DT)])


def tuning():
    applied = []
    return Tuning(Gains(), applied.append, JOINTS, DT), applied


def row(generation, factor=1.5):
    made = GainsRow(Gains())
    made.generation = generation
    made.numbers[0] *= factor
    return made


def run(tune, row, ticks, v=REST, active=True):
    for _ in range(ticks):
        tune.take(row)
        tune.judge(v, 0.1, True, 0.0, active)


def test_a_joint_that_swings_more_than_before_is_named():
    watch = Watch(JOINTS, DT)
    for k in range(3000):
        watch.see(sway(k, 0.3), 0.1, True, 0.0)
        watch.learn()
    for k in range(1000):
        watch.see(sway(k, 0.35), 0.1, True, 0.0)
        assert watch.verdict() == ""
    for k in range(300):
        watch.see(sway(k, 1.2), 0.1, True, 0.0)
    assert "the velocity of knee oscillates" in watch.verdict()


def test_slow_motion_is_no_swinging():
    watch = Watch(JOINTS, DT)
    for k in range(4000):
        watch.see(sway(k, 0.5, 0.25), 0.1, True, 0.0)
        assert watch.verdict() == ""


@pytest.mark.parametrize(
    ("torque", "solved", "off_m", "word"),
    [(1.0, True, 0.0, "limits"), (0.1, False, 0.0, "balance"), (0.1, True, 0.1, "reference")],
)
def test_saturation_missing_solutions_and_lost_references_are_reported(torque, solved, off_m, word):
    watch = Watch(JOINTS, DT)
    for _ in range(200):
        watch.see(REST, torque, solved, off_m)
    assert word in watch.verdict()
    watch.reset()
    assert watch.verdict() == ""


def test_gains_come_into_force_in_small_even_steps():
    tune, applied = tuning()
    run(tune, row(1, 2.0), 400)
    values = [Gains().com.dcm_gain_per_s, *(gains.com.dcm_gain_per_s for gains in applied)]
    ratios = np.divide(values[1:], values[:-1])
    np.testing.assert_allclose(ratios, 2.0 ** (1 / len(ratios)))
    assert len(ratios) == 20
    assert applied[-1] == with_numbers(Gains(), row(1, 2.0).numbers)


def test_gains_without_bad_effects_are_accepted():
    tune, _ = tuning()
    assert tune.state == NONE
    run(tune, row(1), 100)
    assert (tune.state, tune.in_force) == (ON_TRIAL, 1)
    run(tune, row(1), 2500)
    assert (tune.state, tune.in_force) == (GOOD, 1)


def test_gains_with_bad_effects_are_rolled_back_bit_identically():
    tune, applied = tuning()
    run(tune, row(1), 2600)
    good = applied[-1]
    new = row(2, 1.8)
    for k in range(400):
        tune.take(new)
        tune.judge(sway(k, 1.0), 0.1, True, 0.0, True)
    assert (tune.state, tune.generation, tune.in_force) == (ROLLED_BACK, 2, 1)
    assert "knee" in tune.reason
    assert tune.settled
    assert applied[-1] == good


def test_gains_on_trial_are_rolled_back_when_the_controller_becomes_inactive():
    tune, applied = tuning()
    run(tune, row(1), 100)
    run(tune, row(1), 100, active=False)
    assert tune.state == ROLLED_BACK
    assert applied[-1] == Gains()


def test_gains_out_of_their_bounds_are_refused_and_change_nothing():
    tune, applied = tuning()
    run(tune, row(1, np.nan), 300)
    assert tune.state == REFUSED
    assert not applied


def test_after_a_request_new_gains_wait_until_normal_motion_is_learned():
    tune, applied = tuning()
    tune.new_request(steps=False)
    run(tune, row(1), 500)
    assert tune.state == NONE
    run(tune, row(1), 600)
    assert tune.state == ON_TRIAL
    tune.reset()
    assert tune.state == NONE
    assert applied[-1] == Gains()


def test_a_trial_that_a_walk_interrupts_starts_again_when_walking_is_usual():
    tune, applied = tuning()
    run(tune, row(1), 1000)
    tune.new_request(steps=True)
    new = row(1)
    for k in range(2990):
        tune.take(new)
        tune.judge(sway(k, 0.0 if k < 1500 else 1.5), 0.1, True, 0.0, True)
        if k == 200:
            assert (tune.state, tune.in_force) == (ON_TRIAL, 0)
            assert applied[-1] == Gains()
    for k in range(2990, 5600):
        tune.take(new)
        tune.judge(sway(k, 1.5), 0.1, True, 0.0, True)
    assert (tune.state, tune.in_force) == (GOOD, 1)
    assert applied[-1] == with_numbers(Gains(), row(1).numbers)


@pytest.mark.closed_loop
@pytest.mark.parametrize("edit_at", [1500, 2000, 2900])
def test_a_harmless_change_right_before_a_walk_is_accepted(edit_at):
    gains = load_gains(robot("g1"))
    bench = BodyBench("g1", gains=gains)
    bench.row = made = GainsRow(gains)
    softer = gains.com.model_copy(update={"weight": 1.012 * gains.com.weight})
    for k in range(8500):
        if k == 3000:
            parameters = {"velocity_m_s": [0.3, 0.0], "yaw_rate_rad_s": 0.0}
            bench.request = make_request(bench.robot, "walk", parameters)
        if k == edit_at:
            made.numbers[:] = live_numbers(gains.model_copy(update={"com": softer}))
            made.generation = 1
        bench.tick()
    tune = bench.brain.tuning
    assert (tune.state, tune.in_force, tune.reason) == (GOOD, 1, "")


def brain_with(name, gains):
    bench = BodyBench(name, noise="none", gains=gains)
    return bench.brain, bench


def numbers_of(brain):
    body = brain.body
    parts = [body.arrays.tasks.gain, body.arrays.tasks.weight, body.arrays.limits.gain]
    parts += [body.arrays.contacts.damping_per_s, body.reference("posture")[body.robot.na :]]
    return np.concatenate([part.ravel() for part in parts])


OTHER = with_numbers(Gains(), live_numbers(Gains()) * np.linspace(0.6, 0.9, live_numbers(Gains()).size))


@pytest.mark.parametrize(
    ("name", "kind", "parameters"),
    [
        ("panda", "stand", {}),
        ("g1", "stand", {}),
        ("g1", "walk", {"velocity_m_s": [0.2, 0.0], "yaw_rate_rad_s": 0.0}),
    ],
)
@pytest.mark.closed_loop
def test_a_retuned_controller_equals_one_built_with_the_new_gains(name, kind, parameters):
    gains = load_gains(robot(name))
    other = with_numbers(gains, live_numbers(OTHER))
    (retuned, bench), (made, twin) = brain_with(name, gains), brain_with(name, other)
    for each in (bench, twin):
        each.request = make_request(each.robot, kind, parameters)
        each.run(20)
    before = numbers_of(retuned)
    retuned._retune(other)
    np.testing.assert_array_equal(numbers_of(retuned), numbers_of(made))
    retuned._retune(gains)
    np.testing.assert_array_equal(numbers_of(retuned), before)


@pytest.mark.closed_loop
def test_the_same_rows_with_the_same_gains_give_the_same_bits_and_no_step_of_torque():
    model = robot("panda")
    commands = []
    for _ in range(2):
        bench = BodyBench(model)
        bench.row = made = GainsRow(bench.gains)
        told, before = [], None
        for k in range(1500):
            if k == 1100:
                made.numbers *= 2.0
                made.generation = 1
            tau = bench.tick().tau.copy()
            assert before is None or (np.abs(tau - before) <= bench.step_limit_Nm + 1e-9).all()
            told.append(tau)
            before = tau
        commands.append(np.array(told))
        assert bench.brain.tuning.in_force == 1
    np.testing.assert_array_equal(*commands)


@pytest.mark.closed_loop
def test_a_walk_that_was_cut_off_leaves_nothing_behind():
    bench = BodyBench("g1", noise="none")
    brain, fresh = bench.brain, numbers_of(bench.brain)
    offset = brain.body.arrays.contacts.offset.copy()
    parameters = {"velocity_m_s": [0.2, 0.0], "yaw_rate_rad_s": 0.0}
    bench.request = make_request(bench.robot, "walk", parameters)
    bench.run(1500)
    assert (numbers_of(brain) != fresh).any()
    bench.request = make_request(bench.robot, "stand", {})
    bench.place()
    np.testing.assert_array_equal(numbers_of(brain), fresh)
    np.testing.assert_array_equal(brain.body.arrays.contacts.offset, offset)
    bench.run(300)
    assert bench.active


@pytest.mark.closed_loop
def test_gains_without_a_live_row_start_no_trial():
    bench = BodyBench("panda", noise="none")
    bench.run(50)
    brain: Brain = bench.brain
    assert brain.tuning.state == NONE
    brain.step(bench._sensors, bench.request, bench.gains, ignore)
    assert brain.tuning.generation == 0
