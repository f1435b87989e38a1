"""A sole rolls over its edge when its ankle is at the end of its range, and stands flat again afterwards."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from bodies import CONTACT, hold_still, robot, whole_body

from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.model.kin import FZ, MX

ROLLING = dataclasses.replace(CONTACT, rolls=True)
LEFT_OF_LIMIT_RAD = 0.04


def new_body(contact: Any = ROLLING, solver: str = "exact") -> WholeBody:
    return whole_body(robot("g1"), contact=contact, solver=solver)


def lean(body: WholeBody, ankle_rad: float, rate_rad_s: float) -> None:
    """Moves the robot sideways over flat soles: both legs lean in parallel, at a rate."""
    model = body.robot
    q, v = np.array(model.q_nominal), np.zeros(model.nv)
    for side in ("left", "right"):
        for joint, sign in (("hip_roll", -1.0), ("ankle_roll", 1.0)):
            j = model.joint_names.index(f"{side}_{joint}_joint")
            q[model.nq_base + j] = sign * ankle_rad
            v[model.n_base + j] = sign * rate_rad_s
    body.update(q, v)
    J = body.arrays.kin.J[:2].reshape(12, -1)
    body.update(q, v - np.linalg.pinv(J) @ (J @ v))
    hold_still(body)


def limit_rad() -> float:
    model = robot("g1")
    return float(model.position_upper_rad[model.joint_names.index("left_ankle_roll_joint")])


def solve(body: WholeBody) -> bool:
    body.assemble()
    return body.solve()


@pytest.mark.parametrize(("side", "solver"), [(1.0, "exact"), (-1.0, "exact"), (1.0, "osqp")])
def test_soles_roll_over_the_edge_that_the_legs_lean_to(side: float, solver: str) -> None:
    body = new_body(solver=solver)
    lean(body, side * (limit_rad() - LEFT_OF_LIMIT_RAD), side * 1.5)
    assert solve(body)
    kin, contacts, solution = body.arrays.kin, body.arrays.contacts, body.solution
    # The ankle turns the sole about x: a leg that leans to the left has an ankle at its upper limit.
    assert contacts.rolls.tolist() == [side, side]
    for c in (0, 1):
        edge = int(contacts.frame[c])
        y = kin.R[c].T @ (kin.p[edge] - kin.p[c])
        half_m = np.abs(body.geometry[c].cone_corners_C[:, 1]).max()
        assert 0.9 * half_m < side * y[1] < half_m
        # The edge does not move, and the force acts on it.
        motion = kin.J[edge] @ solution.vdot + kin.drift[edge] + contacts.damping_per_s[c] * kin.vel[edge]
        np.testing.assert_allclose(np.delete(motion, MX), 0.0, atol=1e-6)
        assert abs(solution.wrench[c, MX]) <= 0.06 * half_m * solution.wrench[c, FZ] + 1e-6


def test_the_barrier_of_a_rolling_sole_needs_little_force() -> None:
    flat, rolling = new_body(CONTACT), new_body()
    for body in (flat, rolling):
        lean(body, limit_rad() - LEFT_OF_LIMIT_RAD, 1.5)
        assert solve(body)
    ankle = int(rolling.arrays.rolling.ankle[0])
    for body in (flat, rolling):
        assert body.solution.vdot[6 + ankle] <= body.arrays.limits.vdot_upper[ankle] + 1e-6
    pushed = [float(np.abs(body.solution.y_vdot).max()) for body in (flat, rolling)]
    assert pushed[1] < 0.2 * pushed[0]


def test_a_sole_in_the_middle_of_its_range_solves_to_the_same_bits() -> None:
    flat, rolling = new_body(CONTACT), new_body()
    for body in (flat, rolling):
        lean(body, 0.1, 0.3)
        assert solve(body)
    assert not rolling.arrays.contacts.rolls.any()
    assert (flat.solution.vdot == rolling.solution.vdot).all()
    assert (flat.solution.wrench == rolling.solution.wrench).all()


def test_a_sole_stands_again_when_it_is_flat_or_in_the_air() -> None:
    body = new_body()
    contacts, names = body.arrays.contacts, [task.name for task in body.declared]
    whole = contacts.cone.copy()
    body.prepare(["left_foot"], names)
    lean(body, limit_rad() - LEFT_OF_LIMIT_RAD, 1.5)
    assert solve(body)
    assert contacts.rolls.all()
    assert (contacts.cone != whole).any()
    body.set_friction(0.5)
    body.set_friction(1.0)
    assert (contacts.cone == body.arrays.rolling.edge_cone).all()
    body.set_mode(["left_foot"], names)
    assert solve(body)
    assert contacts.rolls.tolist() == [1, 0]
    lean(body, limit_rad() - 0.12, 0.0)
    assert solve(body)
    assert not contacts.rolls.any()
    assert not contacts.implied.any()
    assert contacts.frame.tolist() == [0, 1]
    assert (contacts.cone == whole).all()


def test_reset_forgets_that_a_sole_rolled() -> None:
    body = new_body()
    lean(body, limit_rad() - LEFT_OF_LIMIT_RAD, 1.5)
    assert solve(body)
    before = body.solution.vdot.copy()
    body.reset()
    assert not body.arrays.contacts.rolls.any()
    assert not body.arrays.contacts.implied.any()
    assert solve(body)
    np.testing.assert_allclose(body.solution.vdot, before, atol=1e-6)
