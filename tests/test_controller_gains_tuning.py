from __future__ import annotations

import numpy as np
import pytest
from bodies import robot
from control_runs import ignore

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.comparison import RESTING, TRANSITION, Figures
from kilohertz.controller.gains.live import GainsRow, live_numbers, with_numbers
from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.controller.gains.tuning import GOOD, NONE, ON_TRIAL, REFUSED, ROLLED_BACK, Tuning
from kilohertz.controller.supervision.request import make_request
from kilohertz.rt.faults.body_bench import BodyBench

JOINTS = ("hip", "knee")
DT = 1e-3
REST, LIMIT = np.zeros(2), np.full(2, 100.0)
REFERENCE_TICKS = 1001
STEP_TICKS = 400


def sway(k, amplitude, frequency_Hz=6.0):
    return np.array([0.0, amplitude * np.sin(2.0 * np.pi * frequency_Hz * k * DT)])


def steps(k):
    """Kind of the motion in tick k of a walk."""
    return 1 + k // STEP_TICKS % 2


def tuning():
    """A tuning supervisor that has not seen any motion, and the gains that it applies."""
    applied = []
    return Tuning(Gains(), applied.append, JOINTS, DT), applied


def resting():
    """A tuning supervisor of a robot that has been at rest for a second."""
    tune, applied = tuning()
    run(tune, GainsRow(Gains()), REFERENCE_TICKS)
    return tune, applied


def row(generation, factor=1.5):
    made = GainsRow(Gains())
    made.generation = generation
    made.numbers[0] *= factor
    return made


def tick(tune, row, v=REST, kind=RESTING, calm=True, active=True):
    tune.take(row)
    tune.judge(v, 0.1 * LIMIT, LIMIT, True, 0.0, kind=kind, calm=calm, active=active)


def run(tune, row, ticks, v=REST, **how):
    for _ in range(ticks):
        tick(tune, row, v, **how)


def test_gains_come_into_force_in_small_even_steps():
    tune, applied = resting()
    run(tune, row(1, 2.0), 400)
    values = [Gains().com.dcm_gain_per_s, *(gains.com.dcm_gain_per_s for gains in applied)]
    ratios = np.divide(values[1:], values[:-1])
    np.testing.assert_allclose(ratios, 2.0 ** (1 / len(ratios)))
    assert len(ratios) == 20
    assert applied[-1] == with_numbers(Gains(), row(1, 2.0).numbers)
    np.testing.assert_array_equal(tune.numbers, row(1, 2.0).numbers)


def test_the_numbers_in_force_are_those_applied_and_not_those_that_arrived():
    tune, applied = resting()
    new = row(1, 2.0)
    for _ in range(260):
        tick(tune, new)
        if applied:
            np.testing.assert_array_equal(tune.numbers, live_numbers(applied[-1]))
    run(tune, row(2, np.nan), 10)
    assert (tune.state, tune.in_force) == (REFUSED, 0)
    run(tune, row(2, np.nan), 100)
    np.testing.assert_array_equal(tune.numbers, live_numbers(Gains()))


def test_gains_without_bad_effects_are_accepted_with_figures():
    tune, _ = resting()
    assert tune.state == NONE
    run(tune, row(1), 100)
    assert (tune.state, tune.in_force) == (ON_TRIAL, 1)
    assert np.isnan(tune.figures).all()
    run(tune, row(1), 2500)
    assert (tune.state, tune.in_force) == (GOOD, 1)
    np.testing.assert_allclose(tune.figures[0], tune.figures[1], atol=1e-12)
    before = Figures(*tune.figures[0])
    assert (before.effort, before.torque_margin) == (pytest.approx(0.1), pytest.approx(0.9))


def test_gains_with_bad_effects_are_rolled_back_bit_identically():
    tune, applied = resting()
    run(tune, row(1), 2600)
    good = applied[-1]
    new = row(2, 1.8)
    for k in range(400):
        tick(tune, new, sway(k, 1.0))
    assert (tune.state, tune.generation, tune.in_force) == (ROLLED_BACK, 2, 1)
    assert "knee" in tune.reason
    assert tune.settled
    assert applied[-1] == good
    assert np.isfinite(tune.figures).all()


def test_after_a_roll_back_new_gains_wait_until_the_motion_is_as_before():
    tune, _ = resting()
    for k in range(200):
        tick(tune, row(1), sway(k, 1.0))
    assert tune.state == ROLLED_BACK
    run(tune, row(2), 500)
    assert (tune.generation, tune.waiting) == (1, True)
    run(tune, row(2), 600)
    assert (tune.generation, tune.state, tune.waiting) == (2, ON_TRIAL, False)


def test_gains_on_trial_are_rolled_back_when_the_controller_becomes_inactive():
    tune, applied = resting()
    run(tune, row(1), 100)
    run(tune, row(1), 100, active=False)
    assert tune.state == ROLLED_BACK
    assert applied[-1] == Gains()


def test_gains_out_of_their_bounds_are_refused_and_change_nothing():
    tune, applied = resting()
    run(tune, row(1, np.nan), 300)
    assert tune.state == REFUSED
    assert not applied


def test_after_a_request_new_gains_wait_until_normal_motion_is_learned():
    tune, applied = resting()
    tune.new_request()
    run(tune, row(1), 500)
    assert (tune.state, tune.waiting) == (NONE, True)
    run(tune, row(1), 600)
    assert (tune.state, tune.waiting) == (ON_TRIAL, False)
    tune.reset()
    assert tune.state == NONE
    assert applied[-1] == Gains()


def test_a_trial_that_a_walk_interrupts_starts_again_when_walking_is_usual():
    tune, applied = resting()
    run(tune, row(1), 1000)
    tune.new_request()
    new = row(1)
    run(tune, new, 200, kind=TRANSITION)
    assert (tune.state, tune.in_force, tune.waiting) == (ON_TRIAL, 0, True)
    assert applied[-1] == Gains()
    for k in range(8000):
        tick(tune, new, sway(k, 1.5), kind=steps(k))
    assert (tune.state, tune.in_force) == (GOOD, 1)
    assert applied[-1] == with_numbers(Gains(), row(1).numbers)


def test_motion_before_a_transition_is_no_reference_for_motion_after_it():
    tune, _ = resting()
    run(tune, GainsRow(Gains()), 1, kind=TRANSITION)
    run(tune, row(1), 900)
    assert (tune.state, tune.waiting) == (NONE, True)
    run(tune, row(1), 200)
    assert tune.state == ON_TRIAL


@pytest.mark.parametrize("calm", [True, False])
def test_gains_that_fail_during_a_disturbance_get_one_more_trial(calm):
    tune, applied = resting()
    new = row(1)
    run(tune, new, 300)
    for k in range(150):
        tick(tune, new, sway(k, 1.0), calm=calm)
    assert applied[-1] == Gains()
    assert (tune.state, tune.in_force) == (ROLLED_BACK if calm else ON_TRIAL, 0)
    run(tune, new, 5000)
    assert (tune.state, tune.in_force) == ((ROLLED_BACK, 0) if calm else (GOOD, 1))


def test_gains_that_fail_in_two_disturbances_are_rolled_back():
    tune, applied = resting()
    new = row(1)
    for k in range(6000):
        shaken = tune.state == ON_TRIAL and not tune.waiting
        tick(tune, new, sway(k, 1.0 if shaken else 0.0), calm=not shaken)
    assert (tune.state, tune.in_force) == (ROLLED_BACK, 0)
    assert applied[-1] == Gains()


def test_a_disturbance_that_gains_survive_does_not_count():
    tune, _ = resting()
    new = row(1)
    run(tune, new, 300)
    run(tune, new, 500, calm=False)
    assert tune.state == ON_TRIAL
    run(tune, new, 3300)
    assert (tune.state, tune.in_force) == (GOOD, 1)


@pytest.mark.long
@pytest.mark.closed_loop
@pytest.mark.parametrize("edit_at", [1500, 2000, 2900])
def test_a_harmless_change_right_before_a_walk_is_accepted(edit_at):
    gains = load_gains(robot("g1"))
    bench = BodyBench("g1", gains=gains)
    bench.row = made = GainsRow(gains)
    softer = gains.com.model_copy(update={"weight": 1.012 * gains.com.weight})
    for k in range(11000):
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
        for k in range(2000):
            if k == 1600:
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
