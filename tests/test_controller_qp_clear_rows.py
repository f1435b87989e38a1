"""Clearance rows: their kinematics, their place among the limits, and no effect where nothing is near."""

from __future__ import annotations

import bodies
import numpy as np
import pinocchio as pin
import pytest

from kilohertz.controller.problem.clear_arrays import (
    ACTIVE,
    BOUND,
    DISTANCE,
    DRIFT,
    FIRST_POINT,
    FIRST_SLOT,
    LEAST,
    NORMAL,
    RATE,
    SECOND_POINT,
)
from kilohertz.controller.problem.tables import RES_TAU
from kilohertz.controller.whole_body.explain import missed_rows
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.clearance.clearance import clearance_of

MOST_STEPS = 150
"""The exact solver gives up after more steps where many parts meet; DAQP then solves."""


def body_of(name: str, solver: str = "exact") -> WholeBody:
    robot = bodies.robot(name)
    return bodies.whole_body(robot, solver=solver, clearance=clearance_of(robot))


def near_state(body: WholeBody, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random state in which parts of the robot are near each other."""
    while True:
        q, v = bodies.random_state(body.robot, rng, 0.5, 0.5)
        body.update(q, v)
        if body.arrays.clear.size[ACTIVE] > 1:
            return q, v


def crossed_arm(body: WholeBody) -> np.ndarray:
    """The nominal posture of G1 with its left forearm in front of the chest."""
    q = body.robot.q_nominal.copy()
    names = body.robot.joint_names
    for joint, angle in (("shoulder_pitch", -0.1), ("shoulder_yaw", -0.9), ("elbow", 0.3)):
        q[7 + names.index(f"left_{joint}_joint")] = angle
    return q


def test_rate_and_acceleration_of_a_row_are_those_of_its_two_points() -> None:
    body = body_of("g1")
    model, clear = body.model, body.arrays.clear
    assert body.clearance is not None
    joints, pairs = body.clearance.body.joint, body.clearance.pairs.parts
    data, rng = model.createData(), np.random.default_rng(0)
    for _ in range(10):
        q, v = near_state(body, rng)
        vdot = rng.normal(size=len(v))
        pin.forwardKinematics(model, data, q, v, vdot)
        for i in range(int(clear.size[ACTIVE])):
            row = clear.row[i]
            rate = acceleration = 0.0
            for part, point, sign in zip(
                pairs[clear.which[i]], (FIRST_POINT, SECOND_POINT), (-1.0, 1.0), strict=True
            ):
                joint = int(joints[part])
                R, w = data.oMi[joint].rotation, data.v[joint].angular
                r = R.T @ (row[point : point + 3] - data.oMi[joint].translation)
                velocity = data.v[joint].linear + np.cross(w, r)
                a = data.a[joint].linear + np.cross(data.a[joint].angular, r) + np.cross(w, velocity)
                rate += sign * row[NORMAL:FIRST_POINT] @ R @ velocity
                acceleration += sign * row[NORMAL:FIRST_POINT] @ R @ a
            assert row[RATE] == pytest.approx(rate, abs=1e-9)
            assert clear.T[i] @ v == pytest.approx(rate, abs=1e-9)
            assert clear.T[i] @ vdot + row[DRIFT] == pytest.approx(acceleration, abs=1e-8)


def test_distances_are_those_of_set_up_and_only_near_pairs_have_rows() -> None:
    body = body_of("g1")
    assert body.clearance is not None
    clear, rng = body.arrays.clear, np.random.default_rng(1)
    for _ in range(10):
        q, _ = near_state(body, rng)
        active = int(clear.size[ACTIVE])
        _, spare = body.clearance._measure(q)
        rows = clear.row[:active]
        assert np.abs((rows[:, DISTANCE] - rows[:, LEAST])[:, None] - spare[None]).min(axis=1).max() < 1e-9
    body.update(body.robot.q_nominal.copy(), np.zeros(body.robot.nv))
    assert (clear.row[: clear.size[ACTIVE], BOUND] > 0.0).all()


@pytest.mark.parametrize("solver", ["exact", "osqp"])
def test_both_solvers_keep_the_rows_and_find_the_same_torque(solver: str) -> None:
    body, other = body_of("g1", solver), body_of("g1", "exact")
    clear, rng, hit = body.arrays.clear, np.random.default_rng(2), 0
    for _ in range(12):
        q, v = near_state(body, rng)
        if q[7:].max() > 3.0:
            continue
        state = np.random.default_rng(3)
        for each in (body, other):
            each.update(q, 0.3 * v)
            bodies.ask(each, state, 0.5)
            state = np.random.default_rng(3)
            each.assemble()
        if not (body.solve() and other.solve()) or body.exact.iterations > MOST_STEPS:
            continue
        first = int(clear.size[FIRST_SLOT])
        y = body.solution.y_inequality.ravel()[first : first + int(clear.size[ACTIVE])]
        hit += bool((y > 0.0).any())
        np.testing.assert_allclose(body.solution.tau, other.solution.tau, atol=2e-3)
        for i in range(int(clear.size[ACTIVE])):
            approach = -(clear.T[i] @ body.solution.vdot + clear.row[i, DRIFT])
            # A row is violated by its multiplier over the weight of its violation.
            assert approach <= clear.row[i, BOUND] + y[i] / 1e4 + 1e-2
    assert hit > 3


def test_torque_limits_come_before_clearance_and_the_row_is_named() -> None:
    robot = bodies.weak("g1", 0.3)
    body = bodies.whole_body(robot, clearance=clearance_of(bodies.robot("g1")))
    clear = body.arrays.clear
    q, v = crossed_arm(body), np.zeros(robot.nv)
    v[6 + robot.joint_names.index("left_shoulder_yaw_joint")] = -6.0
    body.update(q, v)
    assert clear.size[ACTIVE] > 0
    body.assemble()
    assert body.solve()
    assert body.solution.residual[RES_TAU] < 1e-3
    named = [name for name in missed_rows(body) if name.startswith("clear.")]
    assert any(name.startswith("clear.left_") or "left_" in name for name in named) or not named


@pytest.mark.parametrize("solver", ["exact", "osqp"])
@pytest.mark.parametrize("name", ["g1", "panda"])
def test_where_nothing_is_near_every_bit_is_the_same(name: str, solver: str) -> None:
    robot = bodies.robot(name)
    plain = bodies.whole_body(robot, solver=solver)
    clear = body_of(name, solver)
    rng = np.random.default_rng(4)
    for step in range(40):
        q, v = bodies.random_state(robot, rng, 0.03, 0.05)
        if robot.floating:  # the arms of the nominal posture hang close to the body
            roll = [robot.joint_names.index(f"{side}_shoulder_roll_joint") for side in ("left", "right")]
            q[np.array(roll) + 7] += [0.3, -0.3]
        for body in (plain, clear):
            body.update(q, v)
            bodies.ask(body, np.random.default_rng(step), 0.3)
            body.assemble()
            body.solve()
        assert not clear.solution.y_inequality.any()
        np.testing.assert_array_equal(clear.solution.tau, plain.solution.tau)
