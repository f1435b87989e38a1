"""The exact solver finds the optimum: certified by its own multipliers, and equal to quadprog's."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pinocchio as pin
import pytest
import reference_qp

from kilohertz.controller.problem.tables import MAX_CONE_ROWS
from kilohertz.controller.qp.dual_rows import STEPS
from kilohertz.controller.qp.dual_solver import GAVE_UP, NO_SOLUTION
from kilohertz.controller.qp.stages import DUAL_SOLVE, NOTHING
from kilohertz.controller.whole_body.whole_body import BarrierSettings, ContactSettings, Task, WholeBody
from kilohertz.robots.model.robot_model import RobotModel

# Robot, share of its torque limits, random states. Weak drives bring many limits into force.
CASES = (
    ("g1", 1.0, 60),
    ("g1", 0.15, 60),
    ("talos", 0.3, 40),
    ("bolt", 1.0, 40),
    ("panda", 0.3, 40),
    ("ur5", 0.2, 40),
)
SAME_NM = 1e-6
QUADPROG_NM = 1e-5
State = tuple[Any, Any, Any]
"""(q, v, names of the closed contacts)"""


@functools.cache
def body(name: str, strength: float) -> WholeBody:
    robot = RobotModel.load(name)
    robot = dataclasses.replace(robot, torque_limit_Nm=strength * robot.torque_limit_Nm)
    tasks = [Task("posture", "posture", 1.0, [30.0, 8.0])]
    hands = [Task(h, "frame_pose", 3.0, [200, 28, 100, 20], f"hand/{h}") for h in robot.hand_names]
    if robot.floating:
        tasks += [
            Task("com", "com", 50.0, [40, 40, 60, 12, 12, 15]),
            Task("momentum", "angular_momentum", 1e-3, [5]),
            *[Task(f"{c}.force", "contact_force", 1.0, (), c) for c in robot.contact_names],
        ]
    body = WholeBody(robot, tasks + hands, ContactSettings(20.0, 5.0, 3000.0), BarrierSettings(), "exact")
    for closed in modes(body):
        body.prepare(closed, list(body.task_index))
    return body


def modes(body: WholeBody) -> list[list[str]]:
    names = list(body.robot.contact_names)
    return [names] + [[name] for name in names]


def ask(body: WholeBody, rng: np.random.Generator, wild: float, closed: Any = None) -> State:
    """A random state with random wishes, larger than the robot can do where `wild` is large."""
    robot, kin = body.robot, body.arrays.kin
    q, v = robot.q_nominal.copy(), 0.3 * wild * rng.normal(size=robot.nv)
    if robot.floating:
        q = pin.integrate(
            robot.pin_model, q, np.r_[rng.normal(size=3), 0.2 * rng.normal(size=3), np.zeros(robot.na)]
        )
    low, high = robot.position_lower_rad, robot.position_upper_rad
    q[robot.nq_base :] = np.clip(q[robot.nq_base :] + 0.2 * rng.normal(size=robot.na), low, high)
    body.set_mode(robot.contact_names if closed is None else closed, list(body.task_index))
    body.update(q, v)
    for task in body.declared:
        ref = body.reference(task.name)
        ref[:] = 0.0
        if task.kind == "com":
            ref[:3], ref[3:] = kin.p_WC + 0.05 * wild * rng.normal(size=3), 0.5 * wild * rng.normal(size=6)
        elif task.kind == "posture":
            ref[: robot.na], ref[robot.na :] = (
                robot.q_nominal[robot.nq_base :],
                10 ** rng.uniform(-3, 0, robot.na),
            )
        elif task.kind == "contact_force":
            ref[2], ref[6:] = robot.mass_kg * 9.81 / len(robot.contacts), 10 ** rng.uniform(-6, -4)
        elif task.kind == "frame_pose":
            f = body.frame_index[str(task.frame)]
            ref[:9], ref[9:12] = kin.R[f].ravel(), kin.p[f] + 0.1 * wild * rng.normal(size=3)
            ref[18:24] = wild * rng.normal(size=6)
    return q, v, body.robot.contact_names if closed is None else closed


def solve(body: WholeBody) -> bool:
    """Our solver alone, without its fallback."""
    body.assemble()
    dual = body.exact
    solved = dual._run(DUAL_SOLVE, dual._table, NOTHING, NOTHING) > 0
    assert not solved or body.tolerances.accept(body.solution.residual)
    return solved


def reference_tau(body: WholeBody, state: State) -> Any:
    """Torque of the dense problem by quadprog, with all limits in from the start; None if there is none."""
    try:
        return reference_qp.solve(body, *state[:2], BarrierSettings(), state[2]).tau
    except ValueError:
        return None


def optimality(body: WholeBody, state: State) -> tuple[float, float, float]:
    """How far the last solution is from stationary, feasible and complementary on the dense problem."""
    p = reference_qp.dense_problem(body, *state[:2], BarrierSettings(), state[2])
    s, contacts, limits = body.solution, body.arrays.contacts, body.arrays.limits
    nv, nb = body.robot.nv, body.robot.n_base
    x, push = np.zeros(len(p.g)), np.zeros(len(p.g))
    x[:nv] = s.vdot
    push[nb:nv] += s.y_vdot
    push += p.S[nb:].T @ s.y_tau
    bounds = [(s.y_tau, s.tau, -limits.tau, limits.tau)]
    bounds += [(s.y_vdot, s.vdot[nb:], limits.vdot_lower, limits.vdot_upper)]
    for c, i in zip(p.slots, p.at, strict=True):
        dim, rows = int(contacts.dim[c]), int(contacts.n_rows[c])
        x[i] = s.wrench[c, :dim]
        push[i] += contacts.cone[c, :rows, :dim].T @ s.y_cone[c, :rows]
        value = contacts.cone[c, :rows, :dim] @ x[i]
        bounds.append((s.y_cone[c, :rows], value, contacts.lower[c, :rows], contacts.upper[c, :rows]))
    # The equalities may push as they like.
    free = np.linalg.svd(p.A_eq)[2][np.linalg.matrix_rank(p.A_eq) :] if len(p.A_eq) else np.eye(len(x))
    gradient = free @ (p.H @ x + p.g + push)
    scale = 1.0 + np.abs(p.g).max() + np.abs(push).max()
    slack = [
        np.abs(np.where(y > 0, upper - value, value - lower)[y != 0.0]).max(initial=0.0)
        for y, value, lower, upper in bounds
    ]
    return (
        float(np.abs(gradient).max() / scale),
        float(max((p.A @ x - p.b).max(), np.abs(p.A_eq @ x - p.b_eq).max(initial=0.0))),
        float(max(slack)),
    )


@pytest.mark.parametrize(("name", "strength", "count"), CASES)
def test_a_random_state_is_solved_to_the_optimum(name: str, strength: float, count: int) -> None:
    rng = np.random.default_rng(1)
    whole = body(name, strength)
    with_limits = compared = 0
    for i in range(count):
        # The contacts change from state to state, so each starts from another mode's active limits.
        state = ask(whole, rng, 10 ** rng.uniform(-1, 0.7), modes(whole)[i % len(modes(whole))])
        if not solve(whole):
            continue
        stationarity, infeasibility, complementarity = optimality(whole, state)
        assert stationarity < 1e-7
        assert infeasibility < 1e-5
        # In N and Nm; rounding differs between processors.
        assert complementarity < 2e-6
        s = whole.solution
        with_limits += bool(s.y_cone.any() or s.y_tau.any() or s.y_vdot.any())
        tau = reference_tau(whole, state)
        if tau is not None:
            compared += 1
            assert np.abs(tau - s.tau).max() < QUADPROG_NM
    assert compared > 0.4 * count
    assert with_limits > 0.2 * count


def test_what_quadprog_solves_is_solved() -> None:
    rng = np.random.default_rng(2)
    for name, strength, count in CASES:
        for _ in range(count):
            state = ask(body(name, strength), rng, 10 ** rng.uniform(-1, 0.7))
            solved, tau = solve(body(name, strength)), reference_tau(body(name, strength), state)
            assert solved or tau is None


def test_the_second_solve_of_a_state_changes_no_limit() -> None:
    rng = np.random.default_rng(3)
    whole = body("g1", 0.15)
    dual = whole.exact._dual
    changed = 0
    for _ in range(20):
        ask(whole, rng, 1.0)
        if solve(whole):
            tau = whole.solution.tau.copy()
            assert solve(whole)
            assert np.abs(whole.solution.tau - tau).max() < SAME_NM
            changed += int(dual.size[STEPS])
    assert changed == 0


def test_redundant_contacts_are_no_trouble() -> None:
    """A foot that is declared twice has motion rows that say the same thing twice."""
    robot = RobotModel.load("g1")
    twin = dataclasses.replace(robot.contacts[0], name="twin")
    robot = dataclasses.replace(robot, contacts=(*robot.contacts, twin))
    tasks = [
        Task("com", "com", 50.0, [40, 40, 60, 12, 12, 15]),
        Task("posture", "posture", 1.0, [30.0, 8.0]),
        *[Task(f"{c}.force", "contact_force", 1.0, (), c) for c in robot.contact_names],
    ]
    whole = WholeBody(robot, tasks, ContactSettings(20.0, 5.0, 3000.0), BarrierSettings(), "exact")
    whole.prepare(robot.contact_names, list(whole.task_index))
    rng = np.random.default_rng(4)
    for _ in range(10):
        state = ask(whole, rng, 0.1)
        for name in robot.contact_names:
            whole.reference(f"{name}.force")[6:] = 1e-5
        assert solve(whole)
        assert optimality(whole, state)[0] < 1e-7
        # Two contacts that share a place and a weight share the load.
        np.testing.assert_allclose(whole.solution.wrench[0], whole.solution.wrench[2], atol=1e-3)


def test_limits_that_contradict_each_other_are_reported() -> None:
    whole = body("g1", 1.0)
    ask(whole, np.random.default_rng(5), 0.1)
    limits = whole.arrays.limits
    tau = limits.tau.copy()
    try:
        limits.tau[:] = 1e-3
        whole.assemble()
        # With 30 limits in force rounding may end the search before the contradiction is proven.
        result = whole.exact._run(DUAL_SOLVE, whole.exact._table, NOTHING, NOTHING)
        assert -result in (NO_SOLUTION, GAVE_UP)
        assert not whole.solve()
    finally:
        limits.tau[:] = tau


def test_a_nan_gives_no_solution_and_does_not_affect_the_next_one() -> None:
    whole = body("g1", 1.0)
    ask(whole, np.random.default_rng(6), 0.1)
    assert solve(whole)
    tau = whole.solution.tau.copy()
    reference = whole.reference("com")
    kept = reference.copy()
    reference[0] = np.nan
    whole.assemble()
    assert not whole.solve()
    reference[:] = kept
    whole.assemble()
    assert whole.solve()
    assert np.abs(whole.solution.tau - tau).max() < SAME_NM


def test_every_limit_has_a_place_in_the_solution() -> None:
    for name, strength, _ in CASES:
        arrays = body(name, strength).arrays
        assert arrays.contacts.n_rows.max(initial=0) <= MAX_CONE_ROWS
