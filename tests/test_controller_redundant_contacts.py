"""Contacts and tasks that repeat or contradict each other: both solvers find the independent solution."""

import dataclasses

import numpy as np
import pinocchio as pin
import pytest
import reference_qp
from bodies import (
    BARRIER,
    ask,
    balance_tasks,
    frame_name,
    hold_still,
    random_state,
    robot,
    unlimited,
    whole_body,
)

from kilohertz.controller.whole_body.whole_body import Task
from kilohertz.robots.model.robot_model import RobotModel

SOLVERS = ("exact", "osqp")
TORQUE_NM = {"exact": 1e-3, "osqp": 0.05}
"""By solver: OSQP's is what ten ticks of the same problem leave."""


def with_contacts(*extra):
    """The G1 without limits, on these contacts besides its soles."""
    model = unlimited("g1")
    return dataclasses.replace(model, contacts=(*model.contacts, *extra))


def like_a_sole(name, frame_id=None, corners=None):
    sole = robot("g1").contacts[0]
    return dataclasses.replace(
        sole,
        name=name,
        frame_id=sole.frame_id if frame_id is None else frame_id,
        corners_F=sole.corners_F if corners is None else np.array(corners, float),
    )


def twin():
    return with_contacts(like_a_sole("twin"))


def feet_and_hands():
    point = [[0.0, 0.0, 0.0]]
    return with_contacts(*[like_a_sole(h.name + ".palm", h.frame_id, point) for h in robot("g1").hands])


def sole_and_shin():
    """Between the two are two ankle joints: 4 of 12 motions repeat others, across bodies."""
    model = unlimited("g1")
    pin_model = model.pin_model.copy()
    knee = pin_model.frames[pin_model.getFrameId("left_knee_link")]
    frame = pin.Frame("contact/shin", knee.parentJoint, knee.placement, pin.FrameType.OP_FRAME)
    shin = like_a_sole("shin", pin_model.addFrame(frame))
    return dataclasses.replace(model, pin_model=pin_model, contacts=(*model.contacts, shin))


def three_points_in_line(folder):
    """Under each foot: a line says it all, and the third point repeats it."""
    before, after = (robot("g1").folder / "robot.yaml").read_text().split("contacts:", 1)
    points = "contacts:\n"
    for side in ("left", "right"):
        for i, x in enumerate((0.12, 0.03, -0.05)):
            place = f"link: {side}_ankle_roll_link, corners_m: [[{x}, 0, -0.035]]"
            points += f"  {side}_{i}: {{{place}, friction: 0.6}}\n"
    (folder / "robot.yaml").write_text(before + points + after[after.index("hands:") :])
    far = np.full(robot("g1").na, 1e6)
    return dataclasses.replace(RobotModel.load(folder), torque_limit_Nm=far)


def compare(body, q, v, atol):
    """Ten ticks of the same problem end at the independent solution."""
    reference = reference_qp.solve(body, q, v, BARRIER)
    for _ in range(10):
        body.assemble()
        assert body.solve()
    np.testing.assert_allclose(body.solution.tau, reference.tau, atol=atol)
    return reference


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("make", [twin, feet_and_hands, sole_and_shin, three_points_in_line])
def test_contacts_that_share_a_load_carry_it_as_the_independent_solution_has_it(make, solver, tmp_path):
    model = make(tmp_path) if make is three_points_in_line else make()
    rng, solved = np.random.default_rng(0), 0
    body = whole_body(model, solver=solver)
    for _ in range(8):
        q, v = random_state(model, rng, 0.05, 0.0)
        body.update(q, v)
        ask(body, rng, 0.3)
        try:
            reference_qp.solve(body, q, v, BARRIER)
        except ValueError:
            continue
        reference = compare(body, q, v, TORQUE_NM[solver])
        # What a redundant contact carries is decided by its regulariser alone.
        np.testing.assert_allclose(body.solution.wrench, reference.wrench, atol=10 * TORQUE_NM[solver])
        solved += 1
    assert solved > 4


def straight_legs(model, speed):
    q = np.array(model.q_nominal)
    for j, name in enumerate(model.joint_names):
        if name.startswith("leg_"):
            q[7 + j] = 0.0
    return q, speed * np.random.default_rng(0).normal(size=model.nv)


def test_a_straight_leg_is_singular():
    """No motion of its joints lengthens it."""
    body = whole_body(unlimited("talos"))
    body.update(*straight_legs(body.robot, 0.0))
    leg = [6 + j for j, name in enumerate(body.robot.joint_names) if name.startswith("leg_left")]
    assert np.linalg.svd(body.arrays.kin.J[0][:, leg], compute_uv=False)[-1] < 1e-3


@pytest.mark.parametrize("solver", SOLVERS)
def test_straight_legs_at_rest_equal_the_independent_solution(solver):
    body = whole_body(unlimited("talos"), solver=solver)
    q, v = straight_legs(body.robot, 0.0)
    body.update(q, v)
    ask(body, np.random.default_rng(0), 0.1)
    # A knee that cannot lift makes OSQP's problem badly scaled: 0.3 of its 300 Nm are left.
    compare(body, q, v, {"exact": 1e-3, "osqp": 0.5}[solver])


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("speed", [0.01, 0.2])
def test_straight_legs_that_move_have_a_bounded_answer(solver, speed):
    """Solved or softened, but never more than what drives and contacts may do."""
    model = robot("talos")
    body = whole_body(model, solver=solver)
    body.update(*straight_legs(model, speed))
    hold_still(body)
    body.assemble()
    assert body.solve() or body.solve_softened()
    assert np.isfinite(body.solution.tau).all()
    assert (np.abs(body.solution.tau) < 2.0 * model.torque_limit_Nm).all()
    assert np.abs(body.solution.vdot).max() < 1e3


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", ["panda", "ur5"])
def test_tasks_of_an_arm_that_repeat_and_contradict_each_other_are_weighed(name, solver):
    model, rng = robot(name), np.random.default_rng(0)
    hand = frame_name(model, model.hands[0].frame_id)
    tasks = [
        *balance_tasks(model),
        Task("again", "frame_pose", 5.0, [200, 28, 100, 20], hand),
        Task("where", "frame_position", 2.0, [100, 20], hand),
        *[Task(f"j{i}", "joint", 0.5, [50, 10], joint) for i, joint in enumerate(model.joint_names)],
    ]
    body = whole_body(unlimited(name), tasks, solver=solver)
    for _ in range(10):
        q, v = random_state(model, rng, 0.2, 0.2)
        body.update(q, v)
        ask(body, rng)
        compare(body, q, v, TORQUE_NM[solver])
