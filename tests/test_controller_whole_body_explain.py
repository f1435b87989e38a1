"""A problem without a solution is explained by the names of the rows that could not all be had."""

import numpy as np
import pinocchio as pin
import pytest
from bodies import hold_still, random_state, robot, whole_body
from test_controller_qp_inequality_rows import bounds

from kilohertz.controller.problem.declarations import Inequality
from kilohertz.controller.problem.tables import COST_ROWS, INEQUALITY_ROWS
from kilohertz.controller.whole_body.explain import contradiction, contradiction_in_words, missed_rows

WEIGHT_N = robot("g1").mass_kg * 9.81
ARM_JOINT = "left_elbow_joint"


@pytest.fixture
def body():
    body = whole_body(robot("g1"))
    body.update(np.array(robot("g1").q_nominal), np.zeros(35))
    hold_still(body)
    body.assemble()
    return body


@pytest.fixture
def moving():
    """Solved while it moves, so that velocities and drift count, with every kind of inequality far away."""
    model = robot("g1")
    body = whole_body(model, inequalities=bounds(model))
    q, v = random_state(model, np.random.default_rng(4), 0.05, 0.3)
    body.update(q, v)
    hold_still(body)
    for name in ("low", "slow"):
        body.reference(name)[3:5] = 1e3
    for name in ("behind", "bent"):
        body.reference(name)[:] = -1e3
    body.reference("high")[:3] = body.arrays.kin.p_WC - 1.0
    body.reference("still")[9:12] = 1e3
    body.reference("turn")[:3] = 1e3
    body.reference("share")[0] = 1e3
    body.reference("press")[:2] = -1e3
    body.assemble()
    assert body.solve()
    return body, q, v


def test_a_solution_misses_nothing(body):
    assert body.solve()
    assert missed_rows(body) == []


def test_a_solution_of_a_moving_robot_misses_nothing(moving):
    assert missed_rows(moving[0]) == []


def test_an_impossible_load_on_a_foot_is_named(body):
    body.set_force_limits("left_foot", 2000.0, 3000.0)
    body.assemble()
    assert not body.solve()
    assert body.solve_softened()
    assert missed_rows(body) == ["left_foot.load"]


def test_knees_without_strength_are_named_and_the_loads_give(body):
    knees = ["left_knee_joint", "right_knee_joint"]
    body.arrays.limits.tau[[robot("g1").joint_names.index(name) for name in knees]] = 1e-3
    for foot in ("left_foot", "right_foot"):
        body.set_force_limits(foot, 600.0, 700.0)
    body.assemble()
    assert not body.solve()
    assert body.solve_softened()
    assert set(missed_rows(body)) == {"left_foot.load", "right_foot.load"}
    fought = {opponent.name for opponent in contradiction(body)}
    assert fought & {f"{name}.torque_limit" for name in knees}
    assert fought & {"left_foot.load", "right_foot.load"}


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("beyond", "named"), [(0.9e-3, False), (1.1e-3, True)])
def test_a_torque_beyond_its_limit_is_named(body, sign, beyond, named):
    assert body.solve()
    j = robot("g1").joint_names.index(ARM_JOINT)
    body.solution.tau[j] = sign * (body.arrays.limits.tau[j] + beyond)
    assert missed_rows(body) == [f"{ARM_JOINT}.torque_limit"] * named


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("beyond", "named"), [(0.9e-2, False), (1.1e-2, True)])
def test_an_acceleration_beyond_its_barrier_is_named(body, sign, beyond, named):
    assert body.solve()
    j, limits = robot("g1").joint_names.index(ARM_JOINT), body.arrays.limits
    limits.vdot_lower[j], limits.vdot_upper[j] = -7.0, 5.0
    body.solution.vdot[6 + j] = 5.0 + beyond if sign > 0 else -7.0 - beyond
    assert missed_rows(body) == [f"{ARM_JOINT}.barrier"] * named


@pytest.mark.parametrize(("beyond", "named"), [(0.9e-3, False), (1.1e-3, True)])
@pytest.mark.parametrize("foot", ["left_foot", "right_foot"])
def test_a_load_beyond_its_limits_is_named(body, foot, beyond, named):
    assert body.solve()
    load_N = body.solution.wrench[robot("g1").contact_names.index(foot), 2]
    beyond_N = beyond * WEIGHT_N
    for least, most in ((5.0, load_N - beyond_N), (load_N + beyond_N, 3000.0)):
        body.set_force_limits(foot, least, most)
        assert missed_rows(body) == [f"{foot}.load"] * named


@pytest.mark.parametrize(("beyond", "named"), [(0.9e-2, False), (1.1e-2, True)])
def test_a_sole_that_would_accelerate_is_named(moving, beyond, named):
    body = moving[0]
    # A knee moves one sole only; its motion is scaled to the sole's largest acceleration.
    column = 6 + robot("g1").joint_names.index("right_knee_joint")
    c = robot("g1").contact_names.index("right_foot")
    per_unit = body.arrays.kin.J[body.arrays.contacts.frame[c], :, column]
    body.arrays.limits.vdot_upper[:], body.arrays.limits.vdot_lower[:] = 1e6, -1e6
    body.solution.vdot[column] += beyond / abs(per_unit).max()
    assert missed_rows(body) == ["right_foot.motion"] * named


def test_an_open_contact_has_no_rows_to_miss():
    model = robot("g1")
    body = whole_body(model, closed=["right_foot"])
    body.update(np.array(model.q_nominal), np.zeros(35))
    hold_still(body)
    body.assemble()
    body.solve_softened()
    body.solution.wrench[model.contact_names.index("left_foot"), 2] = 1e5
    assert not any(name.startswith("left_foot.") for name in missed_rows(body))


def test_the_farthest_missed_is_named_first(body):
    assert body.solve()
    names, limits = robot("g1").joint_names, body.arrays.limits
    first, second = names.index("left_elbow_joint"), names.index("right_elbow_joint")
    for near, far in ((first, second), (second, first)):
        body.solution.tau[near] = limits.tau[near] + 2e-3
        body.solution.vdot[6 + far] = limits.vdot_upper[far] + 1.0
        assert missed_rows(body) == [f"{names[far]}.barrier", f"{names[near]}.torque_limit"]
        body.solution.tau[near] = 0.0
        body.solution.vdot[6 + far] = 0.0


def measured(body, q, v):
    """What each row of the inequalities bounds, by pinocchio at the solution's acceleration and wrenches."""
    model, solution, rows = robot("g1"), body.solution, body.arrays.rows
    twin = model.pin_model.copy()
    momentum_rate = pin.computeCentroidalMomentumTimeVariation(twin, twin.createData(), q, v, solution.vdot)
    wrench = np.zeros(12)
    for c, geometry in enumerate(body.geometry):
        for t, component in enumerate(geometry.select):
            wrench[6 * c + component] = solution.wrench[c, t]
    values = {
        "bent": solution.vdot[6 + 3 :],
        "high": momentum_rate.linear / model.mass_kg,
        "turn": momentum_rate.angular,
    }
    first = rows.size[COST_ROWS]
    for r in range(first, first + rows.size[INEQUALITY_ROWS]):
        name = body.inequalities[rows.task[r] // 6].name
        if name in values and rows.w[r]:
            yield r, name, values[name][rows.task[r] % 6]
        elif name in ("share", "press"):
            yield r, name, rows.T[r, :12] @ wrench


@pytest.mark.parametrize(("beyond", "named"), [(0.9e-2, False), (1.1e-2, True)])
def test_an_inequality_that_is_missed_is_named(moving, beyond, named):
    body, q, v = moving
    rows, seen = body.arrays.rows, []
    for r, name, value in measured(body, q, v):
        before = rows.b[r]
        rows.b[r] = value - rows.w[r] * beyond
        assert missed_rows(body) == [name] * named
        rows.b[r] = before
        seen.append(name)
    assert seen == ["bent", "high", "turn", "turn", "turn", "share", "press", "press"]


def test_two_bounds_that_exclude_each_other_are_the_whole_contradiction():
    model = robot("g1")
    hand = str(model.pin_model.frames[model.hands[0].frame_id].name)
    up = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    given = [
        Inequality("below", "frame_coordinate", "at_most", up, [100, 20], hand),
        Inequality("above", "frame_coordinate", "at_least", up, [100, 20], hand),
    ]
    body = whole_body(model, inequalities=given)
    body.update(np.array(model.q_nominal), np.zeros(35))
    hold_still(body)
    height = body.arrays.kin.p[body.frame_index[hand], 2]
    body.reference("below")[3], body.reference("above")[3] = height - 0.02, height + 0.03
    body.assemble()
    assert not body.solve()
    assert body.solve_softened()
    before = [array.copy() for array in body.solution]
    assert sorted(contradiction(body)) == [
        ("above", "comfort", pytest.approx(5.0), ""),
        ("below", "comfort", pytest.approx(5.0), ""),
    ]
    for array, old in zip(body.solution, before, strict=True):
        np.testing.assert_array_equal(array, old)
    assert sorted(contradiction_in_words(body, 2)) == ["above (by 5)", "below (by 5)"]
    assert contradiction_in_words(body, 1)[1:] == ("1 more",)
    assert missed_rows(body) == ["above"], "of two rows of one rank the later one gives alone"


def test_without_a_contradiction_none_is_told(body):
    assert body.solve()
    assert contradiction(body) == []
    assert contradiction_in_words(body, 3) == ()
