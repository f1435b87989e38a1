"""The exact solver finds the optimum: certified by its own multipliers, and equal to DAQP's."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.controller.problem.tables import MAX_CONE_ROWS
from kilohertz.controller.qp.dual_rows import STEPS
from kilohertz.controller.qp.dual_solver import GAVE_UP, NO_SOLUTION, SOLVED
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


def ask(body: WholeBody, rng: np.random.Generator, wild: float, closed: Any = None) -> None:
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


def solve(body: WholeBody) -> bool:
    """Our solver alone, without its fallback."""
    body.assemble()
    dual = body.exact
    status = dual._run(DUAL_SOLVE, dual._table, NOTHING, NOTHING)
    return status == SOLVED and body.tolerances.accept(body.solution.residual)


def solve_daqp(body: WholeBody) -> Any:
    """DAQP's torque with every limit in from the start; None where it finds no solution."""
    kept = [array.copy() for array in body.solution]
    body.daqp.assemble((), ())
    na, problem = body.robot.na, body.daqp._problem
    solved = body.daqp._call(0, na + int(problem.size[1]))
    tau = body.solution.tau.copy()
    for array, before in zip(body.solution, kept, strict=True):
        array[:] = before
    return tau if solved else None


def optimality(body: WholeBody) -> tuple[float, float, float]:
    """How far the last solution is from stationary, feasible and complementary on the dense problem."""
    body.daqp.assemble((), ())
    p, s, contacts, na = body.daqp._problem, body.solution, body.arrays.contacts, body.robot.na
    n, rows = int(p.size[0]), int(p.size[1])
    closed = [c for c in range(len(contacts.dim)) if contacts.offset[c] >= 0]
    x = np.hstack([s.vdot[body.robot.n_base :], *[s.wrench[c, : contacts.dim[c]] for c in closed]])
    z = (x - p.x0[:n]) / p.sigma[:n]
    y = np.hstack(
        [
            s.y_vdot * p.sigma[:na],
            *[s.y_motion[c, : contacts.dim[c]][contacts.implied[c, : contacts.dim[c]] == 0] for c in closed],
            *[s.y_cone[c, : contacts.n_rows[c]] for c in closed],
            s.y_tau,
        ]
    )
    A = np.vstack([np.eye(n)[:na], p.C[: rows * n].reshape(rows, n)])
    H, f = p.H[: n * n].reshape(n, n), p.f[:n]
    lower, upper = p.lower[: na + rows], p.upper[: na + rows]
    Az = A @ z
    slack = np.where(y > 0, upper - Az, Az - lower)
    inside = (upper - lower > 1e-9) & (y != 0.0)
    norm = np.linalg.norm(A, axis=1)
    gradient = H @ z + f + A.T @ y
    scale = 1.0 + np.abs(f).max() + np.abs(A.T * y).max()
    return (
        float(np.abs(gradient).max() / scale),
        float(np.maximum(np.maximum(lower - Az, Az - upper), 0.0).max()),
        float((np.abs(slack) / np.maximum(norm, 1.0))[inside].max(initial=0.0)),
    )


@pytest.mark.parametrize(("name", "strength", "count"), CASES)
def test_a_random_state_is_solved_to_the_optimum(name: str, strength: float, count: int) -> None:
    rng = np.random.default_rng(1)
    whole = body(name, strength)
    with_limits = compared = 0
    for i in range(count):
        # The contacts change from state to state, so each starts from another mode's active limits.
        ask(whole, rng, 10 ** rng.uniform(-1, 0.7), modes(whole)[i % len(modes(whole))])
        if not solve(whole):
            continue
        stationarity, infeasibility, complementarity = optimality(whole)
        assert stationarity < 1e-7
        assert infeasibility < 1e-5
        assert complementarity < 1e-6
        s = whole.solution
        with_limits += bool(s.y_cone.any() or s.y_tau.any() or s.y_vdot.any())
        tau = solve_daqp(whole)
        if tau is not None:
            compared += 1
            assert np.abs(tau - s.tau).max() < SAME_NM
    assert compared > 0.4 * count
    assert with_limits > 0.2 * count


def test_what_daqp_solves_is_solved() -> None:
    rng = np.random.default_rng(2)
    for name, strength, count in CASES:
        for _ in range(count):
            ask(body(name, strength), rng, 10 ** rng.uniform(-1, 0.7))
            solved, tau = solve(body(name, strength)), solve_daqp(body(name, strength))
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
        ask(whole, rng, 0.1)
        for name in robot.contact_names:
            whole.reference(f"{name}.force")[6:] = 1e-5
        assert solve(whole)
        assert optimality(whole)[0] < 1e-7
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
        status = whole.exact._run(DUAL_SOLVE, whole.exact._table, NOTHING, NOTHING)
        assert status in (NO_SOLUTION, GAVE_UP)
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
