"""The exact solver finds the solution of the problem, found by another way."""

import numpy as np
import pytest
import reference_qp
from bodies import BARRIER, ask, hold_still, random_state, robot, unlimited, weak, whole_body

from kilohertz.robots.model.robot_model import RobotModel

TORQUE_NM, ACCELERATION = 1e-5, 1e-5

# robot, part of its torque, how far it bends, how fast it moves, how much is asked of it
FREE = (("g1", 1.0, 0.05, 0.05, 1.0), ("talos", 4.0, 0.05, 0.05, 1.0), ("bolt", 1.0, 0.05, 0.05, 1.0))
AT_LIMITS = (
    ("g1", 0.5, 0.1, 0.3, 5.0),
    ("talos", 0.5, 0.1, 0.3, 5.0),
    ("bolt", 0.35, 0.1, 0.5, 3.0),
    ("panda", 0.5, 0.1, 0.3, 5.0),
    ("ur5", 0.35, 0.3, 0.5, 5.0),
)
ARMS_FREE = (("panda", 1.0, 0.05, 0.05, 1.0), ("ur5", 1.0, 0.05, 0.05, 1.0))


def compare(model, spread, speed, size, states=40, closed=None):
    """Solves random problems both ways; returns the references, for what was met on the way."""
    body, rng, met = whole_body(model, closed=closed), np.random.default_rng(3), []
    for _ in range(states):
        q, v = random_state(model, rng, spread, speed)
        body.update(q, v)
        ask(body, rng, size)
        try:
            reference = reference_qp.solve(body, q, v, BARRIER, closed)
        except ValueError:  # no solution: the limits contradict the contacts
            body.assemble()
            assert not body.solve()
            continue
        body.assemble()
        assert body.solve()
        met.append(reference)
        solution, tolerances = body.solution, body.tolerances
        assert tolerances.limits_ok(solution.residual)
        limits_in = solution.y_tau.any() or solution.y_vdot.any()
        if reference.active_torque + reference.active_barrier > 0 and not limits_in:
            continue  # a limit that is missed by less than the guard clips is not entered
        np.testing.assert_allclose(solution.tau, reference.tau, atol=TORQUE_NM)
        np.testing.assert_allclose(solution.vdot, reference.vdot, atol=ACCELERATION)
    assert len(met) > states / 2
    return met


@pytest.mark.parametrize(("name", "torque", "spread", "speed", "size"), FREE)
def test_double_support_equals_an_independent_solution(name, torque, spread, speed, size):
    met = compare(weak(name, torque), spread, speed, size)
    assert sum(reference.active_cone > 0 for reference in met) > 10


@pytest.mark.parametrize(("name", "torque", "spread", "speed", "size"), AT_LIMITS)
def test_torque_limits_and_barriers_equal_an_independent_solution(name, torque, spread, speed, size):
    met = compare(weak(name, torque), spread, speed, size)
    assert sum(reference.active_torque > 0 for reference in met) > 10


def test_barriers_are_met_on_the_way():
    met = compare(weak("g1", 0.5), 0.2, 1.0, 5.0)
    assert sum(reference.active_barrier > 0 for reference in met) > 10


@pytest.mark.parametrize(("name", "torque", "spread", "speed", "size"), ARMS_FREE)
def test_a_fixed_base_equals_an_independent_solution(name, torque, spread, speed, size):
    compare(weak(name, torque), spread, speed, size)


@pytest.mark.parametrize("closed", [["left_foot"], ["right_foot"], []], ids=["left", "right", "in the air"])
def test_fewer_feet_equal_an_independent_solution(closed):
    compare(robot("g1"), 0.05, 0.05, 1.0, closed=closed)


@pytest.mark.parametrize("speed", [0.0, 0.05])
def test_contacts_that_repeat_each_other_are_solved(tmp_path, speed):
    """Four points under each foot block 24 motions, of which 12 are independent."""
    body = whole_body(model := four_points_per_foot(tmp_path))
    assert int(body.arrays.contacts.implied.sum()) == 12
    rng = np.random.default_rng(0)
    for _ in range(20):
        q, v = random_state(model, rng, 0.05, speed)
        body.update(q, v)
        ask(body, rng)
        reference = reference_qp.solve(body, q, v, BARRIER)
        body.assemble()
        assert body.solve()
        # A foot that turns moves its points on circles; that no four of them can be held still at once
        # is left to the least squares of the reference, and to the first three points here.
        np.testing.assert_allclose(body.solution.tau, reference.tau, atol=TORQUE_NM if speed == 0.0 else 0.1)


def four_points_per_foot(folder) -> RobotModel:
    text = (robot("g1").folder / "robot.yaml").read_text()
    before, after = text.split("contacts:", 1)
    points = "contacts:\n"
    for side in ("left", "right"):
        for i, (x, y) in enumerate([(0.12, 0.03), (0.12, -0.03), (-0.05, -0.025), (-0.05, 0.025)]):
            corner = f"[[{x}, {y}, -0.035]]"
            points += f"  {side}_{i}: {{link: {side}_ankle_roll_link, corners_m: {corner}, friction: 0.6}}\n"
    (folder / "robot.yaml").write_text(before + points + after[after.index("hands:") :])
    return RobotModel.load(folder)


def test_multipliers_push_only_at_bounds_that_are_reached():
    model = weak("g1", 0.3)
    body, rng = whole_body(model), np.random.default_rng(5)
    pushed = 0
    for _ in range(20):
        body.update(*random_state(model, rng, 0.1, 0.5))
        ask(body, rng, 3.0)
        body.assemble()
        if not body.solve():
            continue
        solution, contacts, limits = body.solution, body.arrays.contacts, body.arrays.limits
        for c in range(2):
            rows = int(contacts.n_rows[c])
            force = contacts.cone[c, :rows] @ solution.wrench[c]
            upper = solution.y_cone[c, :rows] > 1e-6
            np.testing.assert_allclose(force[upper], contacts.upper[c, :rows][upper], atol=1e-3)
            lower = solution.y_cone[c, :rows] < -1e-6
            np.testing.assert_allclose(force[lower], contacts.lower[c, :rows][lower], atol=1e-3)
        pushing = np.abs(solution.y_tau) > 1e-6
        pushed += int(pushing.sum())
        at_limit = np.sign(solution.y_tau) * limits.tau
        np.testing.assert_allclose(solution.tau[pushing], at_limit[pushing], atol=1e-3)
        bound = np.where(solution.y_vdot > 0, limits.vdot_upper, limits.vdot_lower)
        pushing = np.abs(solution.y_vdot) > 1e-6
        np.testing.assert_allclose(solution.vdot[6:][pushing], bound[pushing], atol=1e-3)
    assert pushed > 20


def test_contradictions_have_no_solution_but_a_softened_one_that_respects_friction():
    body = whole_body(robot("g1"))
    body.update(np.array(robot("g1").q_nominal), np.zeros(35))
    hold_still(body)
    body.set_force_limits("left_foot", 2000.0, 3000.0)
    body.assemble()
    assert not body.solve()
    assert body.solve_softened()
    assert np.isfinite(body.solution.tau).all()
    cone = body.arrays.contacts.cone[:, :16] @ body.solution.wrench[:, :, None]
    assert cone.max() < body.tolerances.force_N
    last = int(body.arrays.contacts.n_rows[0]) - 1
    assert body.arrays.contacts.lower[0, last] == 2000.0, "the bound is softened for this solve only"


@pytest.mark.parametrize("torque", [1.0, 0.3])
@pytest.mark.parametrize(("spread", "speed", "size"), [(0.05, 0.05, 1.0), (0.2, 2.0, 5.0)])
def test_the_softened_problem_always_has_a_solution(torque, spread, speed, size):
    body, rng = whole_body(weak("g1", torque)), np.random.default_rng(0)
    for _ in range(30):
        body.update(*random_state(body.robot, rng, spread, speed))
        ask(body, rng, size)
        body.assemble()
        body.solve()
        assert body.solve_softened()
        assert (body.solution.wrench[:, 2] >= -body.tolerances.force_N).all()


def test_where_nothing_contradicts_the_softened_solution_is_nearly_the_solution():
    body, rng = whole_body(unlimited("g1")), np.random.default_rng(1)
    body.update(*random_state(body.robot, rng, 0.05, 0.05))
    ask(body, rng, 0.3)
    body.assemble()
    assert body.solve()
    vdot = body.solution.vdot.copy()
    assert body.solve_softened()
    np.testing.assert_allclose(body.solution.vdot, vdot, atol=0.05)


def test_the_same_problem_gives_the_same_bits_in_two_instances():
    bodies = [whole_body(weak("g1", 0.5)) for _ in range(2)]
    for seed in range(10):
        answers = []
        for body in bodies:
            rng = np.random.default_rng(seed)
            body.update(*random_state(body.robot, rng, 0.1, 0.3))
            ask(body, rng, 3.0)
            body.assemble()
            body.solve()
            answers.append(np.r_[body.solution.vdot, body.solution.tau, body.solution.wrench.ravel()])
        np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("where", ["q", "v", "ref"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_is_rejected_and_does_not_affect_the_next_solution(where, bad):
    body = whole_body(robot("g1"))
    q, v = np.array(body.robot.q_nominal), np.zeros(35)
    body.update(q, v)
    hold_still(body)
    body.assemble()
    assert body.solve()
    clean = body.solution.tau.copy()
    broken_q, broken_v = q.copy(), v.copy()
    {"q": broken_q, "v": broken_v, "ref": body.reference("com")}[where][1] = bad
    body.update(broken_q, broken_v)
    body.assemble()
    assert not body.solve()
    assert not body.solve_softened()
    body.update(q, v)
    hold_still(body)
    body.assemble()
    assert body.solve()
    np.testing.assert_array_equal(body.solution.tau, clean)


def test_limits_that_are_not_reached_do_not_change_a_bit():
    wide, wider = whole_body(weak("g1", 10.0)), whole_body(weak("g1", 100.0))
    answers = []
    for body in (wide, wider):
        rng = np.random.default_rng(2)
        body.update(*random_state(body.robot, rng, 0.05, 0.05))
        ask(body, rng)
        body.assemble()
        assert body.solve()
        answers.append(body.solution.tau.copy())
    np.testing.assert_array_equal(*answers)
