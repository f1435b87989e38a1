"""Torques tell what holds the robot up and what is in its hands; what is carried follows from them."""

import math

import numpy as np
import pinocchio as pin
import pytest
from bodies import robot
from kin_arrays import kin_arrays

from kilohertz.controller.gains.schema import load_gains
from kilohertz.controller.supervision.legged import legged_tasks
from kilohertz.controller.whole_body.from_gains import whole_body
from kilohertz.estimators.disturbance import OBSERVER, SCALES
from kilohertz.estimators.mean_motion import MeanMotion
from kilohertz.estimators.payload_kernels import (
    AFTER_PUSH_S,
    CALM_S,
    JUDGED,
    KNOWN,
    PAYLOAD_KG,
    PULL,
    PULL_PER_KG,
    PULL_SQUARED,
    PUSH_UP,
    TURN_Y,
    Arms,
    Carriers,
    Load,
    SoleForces,
    Soles,
    add_up_soles,
    cholesky_solve,
    feel_hands,
    share_load,
)
from kilohertz.robots.model.gravity import GRAVITY_M_S2

HAND_KG = 2.0
ROBOT_KG, PERIOD_S = 40.0, 0.02


@pytest.fixture(scope="module")
def shared_body():
    model = robot("g1")
    gains = load_gains(model)
    body = whole_body(model, gains, legged_tasks(model, gains), gains.solver)
    body.prepare(model.contact_names, ["com"])
    return body


@pytest.fixture
def body(shared_body):
    shared_body.carried.reset()
    yield shared_body
    shared_body.carried.reset()


def state(seed):
    rng, model = np.random.default_rng(seed), robot("g1")
    q = pin.integrate(model.pin_model, np.array(model.q_nominal), 0.3 * rng.normal(size=model.nv))
    return q, rng.normal(size=model.nv)


def motion(tau, vdot):
    return MeanMotion(
        np.zeros_like(tau), np.zeros_like(vdot), tau, vdot, np.zeros(0), np.zeros(1), np.zeros(1, np.int64)
    )


@pytest.mark.parametrize("seed", range(3))
def test_legs_tell_the_wrenches_of_their_soles_while_everything_moves(body, seed):
    q, v = state(seed)
    rng = np.random.default_rng(seed)
    vdot, wrench = 3.0 * rng.normal(size=len(v)), 100.0 * rng.normal(size=(2, 6))
    body.set_mode(robot("g1").contact_names, ["com"])
    body.update(q, v)
    kin = body.arrays.kin
    torque = kin.M @ vdot + kin.h - sum(kin.J[f].T @ wrench[f] for f in (0, 1))
    contacts = body.arrays.contacts
    soles = Soles(contacts.frame, contacts.offset, contacts.dim, contacts.select)
    out = SoleForces(np.zeros(3), np.zeros(3), np.zeros((6, 6)), np.zeros(6))
    add_up_soles(kin, soles, motion(torque[6:], vdot), out)
    force = [kin.R[f] @ wrench[f, :3] for f in (0, 1)]
    np.testing.assert_allclose(out.force_W, sum(force), rtol=1e-4, atol=1e-2)
    moment = sum(np.cross(kin.p[f] - kin.p_WC, force[f]) + kin.R[f] @ wrench[f, 3:] for f in (0, 1))
    np.testing.assert_allclose(out.moment_C, moment, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("seed", range(3))
def test_arms_tell_the_mass_in_a_hand_while_everything_moves(body, seed):
    q, v = state(seed)
    vdot = 3.0 * np.random.default_rng(100 + seed).normal(size=len(v))
    body.carried.aim(1, HAND_KG, np.zeros(3))
    body.carried.follow(1, 10.0)
    tau = pin.rnea(body.model, body.model.createData(), q, v, vdot)[6:]
    body.carried.reset()
    body.update(q, v)
    kin, (*hands, trunk) = body.arrays.kin, body.carried.frames
    moves_trunk = np.zeros(len(vdot), np.int64)
    moves_trunk[kin.columns[trunk, : kin.n_columns[trunk]]] = 1
    arms = Arms(np.array(hands), moves_trunk, np.zeros((2, 3)), np.zeros(3))
    feel_hands(kin, motion(tau, vdot), arms)
    missing, count2, per_kg = arms.pull.T
    np.testing.assert_allclose(missing, per_kg * [0.0, HAND_KG], atol=1e-6)
    assert (count2 > 0.0).all()


def test_a_positive_definite_system_is_solved():
    rng = np.random.default_rng(0)
    half, b = rng.normal(size=(5, 5)), rng.normal(size=5)
    A = half @ half.T + np.eye(5)
    x = b.copy()
    cholesky_solve(A.copy(), x, 5)
    np.testing.assert_allclose(A @ x, b, atol=1e-12)


class Weighing:
    """A robot with one hand 0.3 m ahead of its trunk, upright, that carries something steadily."""

    def __init__(self, hand_kg, trunk_kg, ahead_m):
        q = np.array([0.0, 0.0, 0.8, 0.0, 0.0, 0.0, 1.0])
        p, R = np.array([[0.3, 0.0, 0.9], [0.0, 0.0, 1.0]]), np.array([np.eye(3)] * 2)
        self.kin = kin_arrays(q=q, p=p, R=R, p_WC=np.zeros(3))
        places = np.zeros((2, 3))
        self.carriers = Carriers(
            np.array([0, 1]),
            np.zeros(2),
            places,
            places.copy(),
            np.zeros(3),
            np.array([ROBOT_KG]),
            np.array([0.01, 0.02]) * ROBOT_KG,
        )
        self.arms = Arms(np.array([0]), np.zeros(1, np.int64), np.zeros((1, 3)), np.zeros(3))
        # What a steady mass in the hand pulls: its weight on the one joint that lifts it.
        per_kg = GRAVITY_M_S2
        self.arms.pull[0, [PULL, PULL_SQUARED, PULL_PER_KG]] = hand_kg * per_kg**2, per_kg**2, per_kg**2
        self.load = Load(
            *(np.zeros(size) for size in (3, 3, OBSERVER, 6, JUDGED, SCALES, 3, 1, 1, (1, 2), 2, (2, 3), 3))
        )
        self.load.judged[[KNOWN, CALM_S]] = 1.0, AFTER_PUSH_S
        force = (hand_kg + trunk_kg) * GRAVITY_M_S2
        self.load.disturbance[PUSH_UP] = -force
        self.load.disturbance[TURN_Y] = GRAVITY_M_S2 * (0.3 * hand_kg + ahead_m * trunk_kg)

    def run(self, seconds=4.0):
        for _ in range(round(seconds / PERIOD_S)):
            share_load(PERIOD_S, self.kin, self.arms, self.carriers, self.load)
        return self.load


@pytest.mark.parametrize(
    ("hand_kg", "trunk_kg", "ahead_m"), [(2.0, 6.0, 0.1), (0.0, 6.0, -0.2), (3.0, 0.0, 0.0)]
)
def test_what_the_arms_do_not_hold_is_on_the_trunk(hand_kg, trunk_kg, ahead_m):
    load = Weighing(hand_kg, trunk_kg, ahead_m).run()
    np.testing.assert_allclose(load.goal_kg, [hand_kg, trunk_kg], rtol=0.02, atol=0.02)
    if trunk_kg > 0.0:
        assert load.goal_place[1, 0] == pytest.approx(ahead_m, abs=0.02)
    assert load.judged[PAYLOAD_KG] == pytest.approx(hand_kg + trunk_kg, rel=0.02)
    middle = (0.3 * hand_kg + ahead_m * trunk_kg) / (hand_kg + trunk_kg)
    np.testing.assert_allclose(load.p_BP[:2], [middle, 0.0], atol=0.02)
    assert math.isnan(load.p_BP[2])


def test_nothing_is_judged_while_somebody_pushes():
    weighing = Weighing(2.0, 6.0, 0.1)
    weighing.load.judged[CALM_S] = 0.5 * AFTER_PUSH_S
    assert not weighing.run().goal_kg.any()
