"""Without a solution the robot walks down the ladder, rung by rung, always with a torque it can bear."""

import numpy as np
import pytest
from bodies import ask, hold_still, random_state, robot, whole_body

from kilohertz.controller.safety.ladder import DAMPING, GRAVITY, LAST_GOOD, RUNGS, SOFTENED, SOLVED, Ladder

LAST_GOOD_TICKS, GRAVITY_TICKS = 5, 50


@pytest.fixture
def body():
    body = whole_body(robot("g1"))
    body.update(np.array(robot("g1").q_nominal), np.zeros(35))
    hold_still(body)
    body.assemble()
    return body


def no_solution(body, monkeypatch):
    monkeypatch.setattr(body, "solve_softened", lambda: False)


def test_a_solution_is_the_first_rung(body):
    ladder = Ladder(body)
    assert ladder.step(body.solve()) == SOLVED
    np.testing.assert_array_equal(ladder.tau, body.solution.tau)


def test_a_contradiction_is_softened(body):
    ladder = Ladder(body)
    body.set_force_limits("left_foot", 2000.0, 3000.0)
    body.assemble()
    assert ladder.step(body.solve()) == SOFTENED
    assert np.isfinite(ladder.tau).all()
    np.testing.assert_array_equal(ladder.tau, body.solution.tau)


def test_every_rung_is_reached_in_order_when_nothing_is_solved(body, monkeypatch):
    ladder = Ladder(body)
    rungs = [ladder.step(body.solve())]
    no_solution(body, monkeypatch)
    torques = [ladder.tau.copy()]
    for _ in range(LAST_GOOD_TICKS + GRAVITY_TICKS + 5):
        rungs.append(ladder.step(False))
        torques.append(ladder.tau.copy())
    expected = [SOLVED] + [LAST_GOOD] * LAST_GOOD_TICKS + [GRAVITY] * GRAVITY_TICKS + [DAMPING] * 5
    assert rungs == expected
    assert np.isfinite(torques).all()
    assert RUNGS[rungs[-1]] == "damping"


def test_at_rest_the_last_good_torque_holds_on_and_so_does_gravity_compensation(body, monkeypatch):
    """Nothing moves, so acceleration and wrenches of the last tick and none at all are the same."""
    ladder = Ladder(body)
    ladder.step(body.solve())
    solved = ladder.tau.copy()
    no_solution(body, monkeypatch)
    for _ in range(LAST_GOOD_TICKS + 1):
        ladder.step(False)
        np.testing.assert_allclose(ladder.tau, solved, atol=0.05)
    assert ladder.rung == GRAVITY


def test_last_good_repeats_the_acceleration_in_the_new_state(body, monkeypatch):
    """Inverse dynamics of the last acceleration and wrenches at this tick's state."""
    rng, ladder = np.random.default_rng(0), Ladder(body)
    body.update(*random_state(body.robot, rng, 0.05, 0.05))
    ask(body, rng)
    body.assemble()
    ladder.step(body.solve())
    vdot, wrench = body.solution.vdot.copy(), body.solution.wrench.copy()
    no_solution(body, monkeypatch)
    body.update(*random_state(body.robot, rng, 0.05, 0.05))
    assert ladder.step(False) == LAST_GOOD
    kin = body.arrays.kin
    force = kin.M @ vdot + kin.h - kin.J[0].T @ wrench[0] - kin.J[1].T @ wrench[1]
    np.testing.assert_allclose(ladder.tau, force[6:], atol=1e-9)


def test_without_any_solution_before_gravity_compensation_comes_first(body, monkeypatch):
    no_solution(body, monkeypatch)
    ladder = Ladder(body)
    assert ladder.step(False) == GRAVITY
    np.testing.assert_allclose(ladder.tau, body.arrays.kin.h[6:])


def test_one_solution_returns_to_the_first_rung(body, monkeypatch):
    ladder = Ladder(body)
    ladder.step(body.solve())
    no_solution(body, monkeypatch)
    for _ in range(20):
        ladder.step(False)
    assert ladder.rung == GRAVITY
    assert ladder.step(body.solve()) == SOLVED
    assert ladder.falls == 0
    for _ in range(LAST_GOOD_TICKS):
        assert ladder.step(False) == LAST_GOOD


def test_damping_is_latched(body, monkeypatch):
    ladder = Ladder(body)
    ladder.step(body.solve())
    no_solution(body, monkeypatch)
    while ladder.step(False) != DAMPING:
        pass
    np.testing.assert_array_equal(ladder.tau, 0.0)
    for _ in range(5):
        assert ladder.step(body.solve()) == DAMPING
        np.testing.assert_array_equal(ladder.tau, 0.0)
    ladder.reset()
    assert ladder.step(body.solve()) == SOLVED


@pytest.mark.parametrize("rung", [LAST_GOOD, GRAVITY])
def test_a_state_that_is_not_a_number_ends_in_damping_at_once(body, rung):
    ladder = Ladder(body)
    if rung == LAST_GOOD:
        ladder.step(body.solve())
    q = np.array(robot("g1").q_nominal)
    q[10] = np.nan
    body.update(q, np.zeros(35))
    body.assemble()
    assert ladder.step(body.solve()) == DAMPING
    np.testing.assert_array_equal(ladder.tau, 0.0)


def test_a_fixed_base_has_the_same_ladder(monkeypatch):
    body = whole_body(robot("ur5"))
    body.update(np.array(robot("ur5").q_nominal), np.zeros(6))
    hold_still(body)
    body.assemble()
    ladder = Ladder(body)
    assert ladder.step(body.solve()) == SOLVED
    no_solution(body, monkeypatch)
    rungs = {ladder.step(False) for _ in range(LAST_GOOD_TICKS + GRAVITY_TICKS + 1)}
    assert rungs == {LAST_GOOD, GRAVITY, DAMPING}
