"""Declared inequalities: both solvers respect them, and with them in equal an independent solution."""

import numpy as np
import pytest
import reference_qp
from bodies import (
    BARRIER,
    ask,
    balance_tasks,
    base_link,
    frame_name,
    hold_still,
    random_state,
    robot,
    weak,
    whole_body,
)

from kilohertz.controller.whole_body.whole_body import Inequality, Task

TORQUE_NM = 1e-4


def hand(model):
    """A frame to bound: of the first hand, where there is one."""
    return frame_name(model, model.hands[0].frame_id) if model.hands else base_link(model)


def bounds(model):
    """One of every kind that has rows, all of them hit now and then by what `ask` asks for."""
    up, along = [0.0, 0.0, 1.0], [0.6, 0.8, 0.0]
    given = [
        Inequality("low", "frame_coordinate", "at_most", [*up, 0, 0, 0], [100, 20], hand(model)),
        Inequality("behind", "frame_coordinate", "at_least", [*along, 0, 0, 0], [100, 20], hand(model)),
        Inequality("slow", "frame_coordinate", "at_most", [*along, 0, 0.02, 0], [0, 30], hand(model)),
        Inequality("bent", "joint", "at_least", [0, 0, 0], [100, 20], model.joint_names[3]),
    ]
    if model.floating:
        upright = [*np.eye(3).ravel(), *[0] * 6]
        height, foot = [False, False, True], model.contact_names[0]
        given += [
            Inequality("still", "frame_orientation", "at_most", upright, [0, 5], base_link(model)),
            Inequality("high", "com", "at_least", [0] * 9, [60] * 3 + [15] * 3, None, height),
            Inequality("turn", "angular_momentum", "at_most", [0, 0, 0, 1.0, 1.0, 1.0], [5.0]),
            Inequality("share", "force_share", "at_most", [0.52], (), foot),
        ]
        if len(model.contacts[0].corners_F) > 2:
            given.append(Inequality("press", "cop", "at_least", [-0.01, -0.01], (), model.contact_names[1]))
    return given


def bind_at(body, rng):
    """Puts the bounds where the robot is, give or take what it takes to hit some of them."""
    kin, model = body.arrays.kin, body.robot
    f = body.frame_index[hand(model)]
    for name in ("low", "behind"):
        ref = body.reference(name)
        ref[3] = ref[:3] @ kin.p[f] + 0.01 * rng.normal() * (1 if name == "low" else -1)
    body.reference("bent")[0] = kin.q[model.nq_base + 3] - 0.02 * abs(rng.normal())
    if model.floating:
        body.reference("high")[:3] = kin.p_WC - [0, 0, 0.005 * abs(rng.normal())]
        body.reference("still")[:9] = kin.R[body.frame_index[base_link(model)]].ravel()
        body.reference("still")[9:12] = 0.05


CASES = (
    ("g1", 0.05, 0.05, 1.0),
    ("talos", 0.05, 0.02, 1.0),
    ("bolt", 0.05, 0.05, 0.5),
    ("panda", 0.1, 0.05, 1.0),
)


@pytest.mark.parametrize("solver", ["exact", "osqp"])
@pytest.mark.parametrize(("name", "spread", "speed", "size"), CASES)
def test_the_solution_equals_an_independent_one(name, spread, speed, size, solver):
    model, rng = robot(name), np.random.default_rng(0)
    along = Task("along", "frame_coordinate", 2.0, [50, 10], hand(model))
    tasks = [*balance_tasks(model), along]
    body = whole_body(model, tasks, solver=solver, inequalities=bounds(model))
    met = hit = 0
    for _ in range(30):
        q, v = random_state(model, rng, spread, speed)
        body.update(q, v)
        ask(body, rng, size)
        bind_at(body, rng)
        try:
            reference = reference_qp.solve(body, q, v, BARRIER)
        except ValueError:
            continue
        body.assemble()
        assert body.solve()
        assert body.tolerances.limits_ok(body.solution.residual)
        if solver == "exact" or body.iterations > body.osqp.iterations:
            np.testing.assert_allclose(body.solution.tau, reference.tau, atol=TORQUE_NM)
            np.testing.assert_array_less(-1e-9, body.solution.y_inequality)
        hit += reference.active_inequality > 0
        met += 1
    assert met > 10
    assert hit > 8


def test_bounds_that_are_far_away_change_nothing():
    model, rng = robot("g1"), np.random.default_rng(2)
    free, bound = whole_body(model), whole_body(model, inequalities=bounds(model)[:2])
    bound.reference("low")[3], bound.reference("behind")[3] = 1e3, -1e3
    for _ in range(10):
        q, v = random_state(model, rng, 0.05, 0.05)
        for body in (free, bound):
            body.update(q, v)
            hold_still(body)
            body.assemble()
            assert body.solve()
        np.testing.assert_array_equal(free.solution.tau, bound.solution.tau)


def test_bounds_that_contradict_each_other_leave_a_softened_solution():
    model = robot("g1")
    up = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    given = [
        Inequality("below", "frame_coordinate", "at_most", up, [100, 20], hand(model)),
        Inequality("above", "frame_coordinate", "at_least", up, [100, 20], hand(model)),
    ]
    body = whole_body(weak("g1", 1.0), inequalities=given)
    body.update(np.array(model.q_nominal), np.zeros(model.nv))
    hold_still(body)
    height = body.arrays.kin.p[body.frame_index[hand(model)], 2]
    body.reference("below")[3], body.reference("above")[3] = height - 0.1, height + 0.1
    body.assemble()
    assert not body.solve()
    assert body.solve_softened()
    assert np.isfinite(body.solution.tau).all()
