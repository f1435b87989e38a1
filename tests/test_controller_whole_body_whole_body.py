"""The whole-body controller keeps the laws of mechanics, its limits and its promises, whatever is asked."""

import numpy as np
import pinocchio as pin
import pytest
from bodies import (
    ARMS,
    BARRIER,
    CONTACT,
    ask,
    balance_tasks,
    base_link,
    hold_still,
    random_state,
    robot,
    unlimited,
    weak,
    whole_body,
)

from kilohertz.controller.whole_body.whole_body import Task, WholeBody

STANDING = ("g1", "talos")


def at_rest(model, **how):
    body = whole_body(model, **how)
    body.update(np.array(model.q_nominal), np.zeros(model.nv))
    hold_still(body)
    body.assemble()
    assert body.solve()
    return body


@pytest.mark.parametrize("name", STANDING)
def test_at_rest_the_contacts_carry_the_weight_and_nothing_else(name):
    body = at_rest(robot(name))
    force = sum(body.arrays.kin.R[c] @ body.solution.wrench[c, :3] for c in range(2))
    weight_N = 9.81 * robot(name).mass_kg
    # What the wrenches are regularised to weighs a little against standing still.
    np.testing.assert_allclose(force, [0, 0, weight_N], atol=5e-4 * weight_N)
    np.testing.assert_allclose(body.solution.vdot, 0.0, atol=0.1)


@pytest.mark.parametrize("name", ARMS)
def test_at_rest_an_arm_holds_its_gravity(name):
    body, model = at_rest(robot(name)), robot(name)
    gravity = pin.computeGeneralizedGravity(
        model.pin_model, model.pin_model.createData(), np.array(model.q_nominal)
    )
    np.testing.assert_allclose(body.solution.tau, gravity, atol=1e-9)


@pytest.mark.parametrize("name", STANDING)
def test_the_motion_that_is_found_obeys_forward_dynamics(name):
    """pinocchio's ABA, given torque and wrenches, finds the same acceleration."""
    model, rng = robot(name), np.random.default_rng(0)
    body = whole_body(model)
    q, v = random_state(model, rng, 0.1, 0.3)
    body.update(q, v)
    ask(body, rng)
    body.assemble()
    assert body.solve()
    kin, solution = body.arrays.kin, body.solution
    external = sum(kin.J[c].T @ solution.wrench[c] for c in range(2))
    force = np.r_[np.zeros(6), solution.tau] + external
    vdot = pin.aba(model.pin_model, model.pin_model.createData(), q, v, force)
    np.testing.assert_allclose(solution.vdot, vdot, atol=1e-6)


@pytest.mark.parametrize("name", STANDING)
def test_consistent_tasks_are_met_exactly(name):
    """Alone and without limits, tasks that do not contradict each other are met exactly."""
    model, rng = unlimited(name), np.random.default_rng(1)
    tasks = [Task("com", "com", 1e3, [40] * 3 + [12] * 3), Task("base", "frame_orientation", 1e3, [100, 20])]
    tasks[1] = Task("base", "frame_orientation", 1e3, [100, 20], base_link(model))
    posture = Task("posture", "posture", 1e-6, [10, 6])
    body = whole_body(model, [*tasks, posture])
    body.update(*random_state(model, rng, 0.02, 0.02))
    ask(body, rng, 0.2)
    body.assemble()
    assert body.solve()
    kin, rows = body.arrays.kin, body.arrays.rows
    data = model.pin_model.createData()
    pin.centerOfMass(model.pin_model, data, kin.q, kin.v, body.solution.vdot)
    np.testing.assert_allclose(data.acom[0], rows.b[:3], atol=2e-2)
    np.testing.assert_allclose(rows.T[3:6] @ body.solution.vdot, rows.b[3:6], atol=2e-2)


@pytest.mark.parametrize(("name", "torque"), [("g1", 0.4), ("talos", 0.5), ("panda", 0.5), ("ur5", 0.4)])
def test_torque_limits_and_barriers_are_never_left(name, torque):
    model, rng, solved = weak(name, torque), np.random.default_rng(2), 0
    body = whole_body(model, solver="osqp")
    for _ in range(30):
        body.update(*random_state(model, rng, 0.1, 0.5))
        ask(body, rng, 5.0)
        body.assemble()
        if body.solve():
            solved += 1
            solution, limits, slack = body.solution, body.arrays.limits, body.tolerances
            assert (np.abs(solution.tau) <= model.torque_limit_Nm + slack.torque_Nm).all()
            vdot = solution.vdot[model.n_base :]
            assert (vdot <= limits.vdot_upper + slack.vdot_rad_s2).all()
            assert (vdot >= limits.vdot_lower - slack.vdot_rad_s2).all()
    assert solved > 15


def test_normal_forces_stay_between_the_bounds_that_are_set():
    body = at_rest(robot("g1"))
    body.set_force_limits("left_foot", 20.0, 60.0)
    body.assemble()
    assert body.solve()
    assert 20.0 - 1e-4 <= body.solution.wrench[0, 2] <= 60.0 + 1e-4
    body.set_force_limits("left_foot", 250.0, 300.0)
    body.assemble()
    assert body.solve()
    assert 250.0 - 1e-4 <= body.solution.wrench[0, 2] <= 300.0 + 1e-4


def test_an_open_contact_carries_nothing_and_moves_freely():
    body = at_rest(robot("g1"), closed=["left_foot"])
    np.testing.assert_array_equal(body.solution.wrench[1], 0.0)
    body.update(*random_state(body.robot, np.random.default_rng(0), 0.05, 0.05))
    ask(body, np.random.default_rng(0), 3.0)
    body.assemble()
    assert body.solve()
    kin = body.arrays.kin
    accelerations = [kin.J[c] @ body.solution.vdot + kin.drift[c] for c in range(2)]
    np.testing.assert_allclose(accelerations[0], -20.0 * kin.vel[0], atol=1e-5)
    assert np.abs(accelerations[1]).max() > 0.01


def test_a_disabled_task_has_no_effect():
    body = whole_body(robot("g1"), enabled=["com", "base", "posture", "left_foot.force", "right_foot.force"])
    body.update(*random_state(body.robot, np.random.default_rng(0), 0.05, 0.05))
    ask(body, np.random.default_rng(0))
    body.assemble()
    assert body.solve()
    before = body.solution.vdot.copy()
    body.reference("left_hand")[9:12] += 1.0
    body.gain("momentum")[:] = 100.0
    body.assemble()
    assert body.solve()
    # The solver starts from the last solution, which costs the last digits.
    np.testing.assert_allclose(body.solution.vdot, before, rtol=0.0, atol=1e-9)


def test_views_write_into_the_solvers_memory():
    body = at_rest(robot("ur5"))
    body.reference("hand")[9:12] += 0.1
    body.assemble()
    assert body.solve()
    assert np.abs(body.solution.vdot).max() > 1.0
    body.weight("hand")[:] = 0.0
    body.assemble()
    assert body.solve()
    np.testing.assert_allclose(body.solution.vdot, 0.0, atol=1e-9)


def test_a_mask_leaves_rows_out():
    body = at_rest(robot("ur5"))
    body.weight("hand")[:] = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    body.reference("hand")[9:12] += [0.0, 0.3, 0.3]
    hand = body.frame_index["hand/hand"]
    R = body.arrays.kin.R[hand]
    body.reference("hand")[9:12] = body.arrays.kin.p[hand] + R @ [0.0, 0.3, 0.3]
    body.assemble()
    assert body.solve()
    np.testing.assert_allclose(body.solution.vdot, 0.0, atol=1e-9)


def test_every_row_knows_the_task_that_wrote_it():
    body = at_rest(robot("g1"))
    written = body.arrays.rows.task[: 3 + 3 + 3 + 6 + 6]
    names = [body.declared[int(task)].name for task in written]
    expected = ["com"] * 3 + ["base"] * 3 + ["momentum"] * 3 + ["left_hand"] * 6 + ["right_hand"] * 6
    assert names == expected


def test_two_tasks_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two tasks have the same name"):
        whole_body(robot("g1"), [Task("a", "com", 1.0), Task("a", "posture", 1.0)])


def test_without_tasks_the_problem_still_has_a_solution():
    for name in ("g1", "ur5"):
        body = whole_body(robot(name), [])
        body.update(np.array(robot(name).q_nominal), np.zeros(robot(name).nv))
        body.assemble()
        assert body.solve()
        assert np.isfinite(body.solution.tau).all()


def test_one_robot_may_have_many_controllers():
    """They share the model, and nothing that one does shows in the other."""
    one, other = at_rest(robot("g1")), at_rest(robot("g1"))
    tau = other.solution.tau.copy()
    one.update(*random_state(robot("g1"), np.random.default_rng(0), 0.3, 1.0))
    one.assemble()
    one.solve()
    other.assemble()
    other.solve()
    np.testing.assert_array_equal(other.solution.tau, tau)


def test_optional_tasks_are_switched_beside_any_mode():
    """Switched on, a task counts in this mode and in those to come, as if it had been enabled with them."""
    model = robot("g1")
    tasks = [
        Task("posture", "posture", 1.0, [10, 6]),
        *(t for t in balance_tasks(model) if t.name in model.hand_names),
    ]
    settings = CONTACT, BARRIER, "exact"
    body = WholeBody(model, tasks, *settings, optional=model.hand_names)
    other = WholeBody(model, tasks, *settings)
    on, feet = [*model.hand_names[:1]], model.contact_names
    for closed in (feet, feet[:1]):
        body.prepare(closed, ["posture"])
        other.prepare(closed, ["posture"])
        other.prepare(closed, ["posture", *on])
    body.set_mode(feet, ["posture"])
    for closed, switched in ((feet, True), (feet[:1], True), (feet[:1], False)):
        body.switch(on[0], switched)
        body.set_mode(closed, ["posture"])
        other.set_mode(closed, ["posture", *(on if switched else [])])
        np.testing.assert_array_equal(body.arrays.tasks.table, other.arrays.tasks.table)
        np.testing.assert_array_equal(body.arrays.contacts.offset, other.arrays.contacts.offset)


def test_a_misspelt_task_is_named_with_the_one_that_was_meant():
    body = whole_body(robot("ur5"), [Task("posture", "posture", 1.0, [10, 6])])
    for view in (body.reference, body.gain, body.weight):
        with pytest.raises(KeyError, match=r"no task 'postur' \(did you mean 'posture'\?\); there are"):
            view("postur")
