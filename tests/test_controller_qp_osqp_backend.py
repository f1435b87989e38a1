"""OSQP, as it is set up and started here, follows the exact solution, and hands over where it does not."""

import dataclasses

import numpy as np
import pinocchio as pin
import pytest
from bodies import (
    BARRIER,
    CONTACT,
    SmoothMotion,
    balance_tasks,
    hold_still,
    robot,
    unlimited,
    weak,
    whole_body,
)

from kilohertz.controller.qp.osqp_assembly import ACTIVE
from kilohertz.controller.qp.osqp_backend import OsqpSettings
from kilohertz.controller.whole_body.whole_body import ContactSettings, Task, WholeBody

# Parts of the robot's largest torque: what OSQP's torque may differ by from the exact one.
MEDIAN, LARGEST = 1e-4, 1e-2


def both(model, **how):
    return whole_body(model, solver="osqp", **how), whole_body(model, **how)


def tick(body, motion, k):
    motion.apply(body, 1e-3 * k)
    body.assemble()
    return body.solve()


@pytest.mark.parametrize("name", ["g1", "talos", "panda", "ur5"])
def test_along_a_smooth_motion_the_torque_is_the_exact_one(name):
    body, exact = both(unlimited(name))
    motion, errors, alone = SmoothMotion(unlimited(name), 3, 0.3), [], 0
    for k in range(200):
        assert tick(body, motion, k)
        assert tick(exact, motion, k)
        alone += body.iterations == body.osqp.iterations
        errors.append(np.abs(body.solution.tau - exact.solution.tau).max())
    errors = np.array(errors[10:]) / robot(name).torque_limit_Nm.max()
    assert np.median(errors) < MEDIAN
    assert errors.max() < LARGEST
    assert alone > 190


def ticks_where_a_row_comes_to_its_bound_or_leaves_it(settings):
    """Of a swaying G1: how many there were, and how many of them OSQP solved by itself."""
    body, there, alone = whole_body(unlimited("g1"), solver="osqp", osqp=settings), 0, 0
    motion = SmoothMotion(unlimited("g1"), 3, 0.6)
    active = None
    for k in range(150):
        assert tick(body, motion, k)
        cone = np.abs(body.solution.y_cone) > ACTIVE
        if active is not None and (cone != active).any():
            there += 1
            alone += body.iterations == body.osqp.iterations
        active = cone
    return there, alone


def test_rows_that_come_to_their_bounds_are_weighed_anew_within_the_tick():
    settings = OsqpSettings()
    there, alone = ticks_where_a_row_comes_to_its_bound_or_leaves_it(settings)
    assert there > 10
    assert alone > 0.9 * there
    never = dataclasses.replace(settings, reweigh_after=settings.max_iter)
    there, alone = ticks_where_a_row_comes_to_its_bound_or_leaves_it(never)
    assert alone < 0.75 * there


def test_a_robot_ten_times_as_heavy_is_solved_in_the_same_iterations():
    """Ten times the mass, drives and load: the same motion, ten times the torque."""
    light, heavy = robot("g1"), heavier("g1", 10.0)
    momentum = Task("momentum", "angular_momentum", 1e-3, [5])
    bodies = []
    for model, k in ((light, 1.0), (heavy, 10.0)):
        tasks = [
            dataclasses.replace(momentum, weight=1e-3 / k**2) if task.name == "momentum" else task
            for task in balance_tasks(model)
        ]
        load = ContactSettings(CONTACT.damping_per_s, k * CONTACT.min_force_N, k * CONTACT.max_force_N)
        bodies.append(whole_body(model, tasks, contact=load, solver="osqp"))
    motion = SmoothMotion(light, 3, 0.3)
    for k in range(60):
        for each, factor in zip(bodies, (1.0, 10.0), strict=True):
            motion.apply(each, 1e-3 * k)
            each.reference("momentum")[:] *= factor
            each.assemble()
            assert each.solve()
        assert bodies[0].iterations == bodies[1].iterations
        np.testing.assert_allclose(bodies[1].solution.vdot, bodies[0].solution.vdot, atol=1e-4)
        np.testing.assert_allclose(bodies[1].solution.tau, 10.0 * bodies[0].solution.tau, atol=1e-2)


def heavier(name, factor):
    model = robot(name)
    pin_model = model.pin_model.copy()
    for i, inertia in enumerate(model.pin_model.inertias):
        pin_model.inertias[i] = pin.Inertia(factor * inertia.mass, inertia.lever, factor * inertia.inertia)
    pin_model.armature = factor * model.pin_model.armature
    return dataclasses.replace(
        model,
        pin_model=pin_model,
        mass_kg=factor * model.mass_kg,
        torque_limit_Nm=factor * model.torque_limit_Nm,
    )


def test_what_osqp_solves_holds_dynamics_and_cones():
    body, motion = whole_body(unlimited("g1"), solver="osqp"), SmoothMotion(unlimited("g1"), 4)
    for k in range(100):
        assert tick(body, motion, k)
        assert body.tolerances.accept(body.solution.residual)


def test_a_warm_start_takes_fewer_iterations_than_a_cold_one():
    warm, motion = whole_body(unlimited("g1"), solver="osqp"), SmoothMotion(unlimited("g1"), 5, 0.3)
    for k in range(51):
        tick(warm, motion, k)
    cold = whole_body(unlimited("g1"), solver="osqp")
    tick(cold, motion, 50)
    assert warm.iterations < cold.iterations


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_contacts_may_open_and_close_between_ticks(seed):
    """Double support, left foot, double support; what was known of each contact is carried over."""
    model = unlimited("g1")
    body, exact = both(model)
    tasks = [task.name for task in body.declared]
    for each in (body, exact):
        each.prepare(["left_foot"], tasks)
    motion, errors = SmoothMotion(model, seed, 0.3), []
    for k in range(120):
        closed = ["left_foot"] if 40 <= k < 80 else model.contact_names
        if k in (40, 80):
            body.set_mode(closed, tasks)
            exact.set_mode(closed, tasks)
        assert tick(body, motion, k)
        assert tick(exact, motion, k)
        errors.append(np.abs(body.solution.tau - exact.solution.tau).max())
        assert (body.solution.wrench[1] == 0.0).all() == (40 <= k < 80)
    errors = np.array(errors[10:]) / robot("g1").torque_limit_Nm.max()
    assert errors.max() < LARGEST


def test_at_a_limit_the_exact_solver_leads_and_osqp_comes_back_afterwards():
    model = weak("g1", 0.1)
    body, exact = both(model)
    motion, exactly = SmoothMotion(model, 1, 0.2), []
    for k in range(80):
        body.arrays.limits.tau[:] = exact.arrays.limits.tau[:] = (1.0 if 20 <= k < 40 else 10.0) * (
            model.torque_limit_Nm
        )
        assert tick(body, motion, k)
        assert tick(exact, motion, k)
        assert body.tolerances.limits_ok(body.solution.residual)
        exactly.append(np.array_equal(body.solution.tau, exact.solution.tau))
    assert not any(exactly[5:20])
    assert all(exactly[20:40])
    assert not any(exactly[45:])


@pytest.mark.parametrize("where", ["q", "v", "ref"])
def test_a_tick_with_nan_affects_no_other_tick(where):
    body, motion = whole_body(unlimited("g1"), solver="osqp"), SmoothMotion(unlimited("g1"), 1, 0.3)
    for k in range(20):
        tick(body, motion, k)
    q, v = body.arrays.kin.q.copy(), body.arrays.kin.v.copy()
    {"q": q, "v": v, "ref": body.reference("com")}[where][1] = np.nan
    body.update(q, v)
    body.assemble()
    assert not body.solve()
    assert tick(body, motion, 21), "the first clean tick is solved"
    for k in range(22, 40):
        assert tick(body, motion, k)
    assert body.iterations == body.osqp.iterations, "OSQP alone again"
    assert body.iterations < 50


def test_what_one_iteration_does_not_solve_is_solved_exactly():
    model = robot("g1")
    hasty = WholeBody(
        model, balance_tasks(model), CONTACT, BARRIER, "osqp", OsqpSettings(max_iter=1, check_termination=1)
    )
    tasks = [task.name for task in hasty.declared]
    hasty.prepare(model.contact_names, tasks)
    hasty.set_mode(model.contact_names, tasks)
    exact, motion = whole_body(model), SmoothMotion(model, 1)
    for k in range(20):
        assert tick(hasty, motion, k)
        assert tick(exact, motion, k)
        np.testing.assert_array_equal(hasty.solution.tau, exact.solution.tau)


@pytest.mark.parametrize("factor", [1e9, 1e-9])
def test_an_ill_conditioned_problem_is_solved_or_refused_but_never_passed_on_unchecked(factor):
    body, motion = whole_body(robot("g1"), solver="osqp"), SmoothMotion(robot("g1"), 1)
    body.weight("com")[:] *= factor
    for k in range(20):
        if tick(body, motion, k):
            assert body.tolerances.accept(body.solution.residual)
            assert body.tolerances.limits_ok(body.solution.residual)
            assert np.abs(body.solution.vdot).max() < 1e6


def test_the_same_ticks_give_the_same_bits_in_two_instances():
    answers = []
    for _ in range(2):
        body, motion = whole_body(robot("g1"), solver="osqp"), SmoothMotion(robot("g1"), 7)
        bits = []
        for k in range(60):
            tick(body, motion, k)
            bits.append(np.r_[body.solution.vdot, body.solution.tau, body.iterations])
        answers.append(np.array(bits))
    np.testing.assert_array_equal(*answers)


def test_preparing_a_mode_again_keeps_its_problem():
    body, motion = whole_body(unlimited("g1"), solver="osqp"), SmoothMotion(unlimited("g1"), 7, 0.3)
    tasks = [task.name for task in body.declared]
    for k in range(20):
        tick(body, motion, k)
    iterations = body.iterations
    body.prepare(body.robot.contact_names, tasks)
    tick(body, motion, 20)
    assert body.iterations <= iterations + 5


def test_a_robot_at_rest_is_held_by_its_weight():
    body = whole_body(robot("g1"), solver="osqp")
    body.update(np.array(robot("g1").q_nominal), np.zeros(35))
    hold_still(body)
    for _ in range(5):
        body.assemble()
        assert body.solve()
    np.testing.assert_allclose(body.solution.wrench[:, 2].sum(), 9.81 * robot("g1").mass_kg, rtol=1e-4)
    np.testing.assert_allclose(body.solution.vdot, 0.0, atol=0.05)
