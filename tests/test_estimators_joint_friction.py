"""Joint friction of a swing leg is estimated from its foot's tracking error, and is 0 without friction."""

from typing import Any

import numpy as np
import pytest
from bodies import random_state, robot
from gaits import WalkingRun

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.live import live_numbers, live_paths, with_numbers
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.supervision.legged import legged_tasks
from kilohertz.controller.walking.foot_tasks import foot_references
from kilohertz.controller.whole_body.from_gains import whole_body
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.estimators import joint_friction
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.estimators.joint_friction import JointFriction, learns_friction, leg_joints

DT, LAMBDA = 1e-3, 25.0
LIMIT_NM = 2.7


def body_of(name: str) -> WholeBody:
    model, gains = robot(name), Gains()
    return whole_body(model, gains, legged_tasks(model, gains), gains.solver)


@pytest.fixture(scope="module")
def bolt() -> WholeBody:
    return body_of("bolt")


def learner(body: WholeBody) -> JointFriction:
    return JointFriction(body.robot, body.arrays.kin, foot_references(body), LAMBDA)


def twin(body: WholeBody, foot: int, before: Any) -> tuple[Any, Any]:
    """Friction and torque after a tick, by NumPy."""
    kin, name = body.arrays.kin, body.robot.contact_names[foot]
    columns, ref = leg_joints(body.robot, kin, foot), body.reference(f"{name}.position")
    inverse = np.linalg.inv(kin.R[foot] @ kin.J[foot, :3][:, columns])
    lacks = inverse @ (ref[:3] - kin.p[foot])
    slower = inverse @ (ref[3:6] - kin.R[foot] @ kin.vel[foot, :3])
    joints = np.array(columns) - body.robot.n_base
    sign = np.tanh((kin.v[columns] + slower) / joint_friction._SLOW_RAD_S)
    rate, most = joint_friction._RATE_PER_RAD * LIMIT_NM, joint_friction._MOST * LIMIT_NM
    after, torque = before.copy(), np.zeros_like(before)
    after[joints] = np.clip(before[joints] + DT * rate * sign * (slower + LAMBDA * lacks), 0.0, most)
    torque[joints] = after[joints] * sign
    return after, torque


@pytest.mark.parametrize("foot", [0, 1])
def test_a_tick_is_what_numpy_makes_of_the_law(bolt: WholeBody, foot: int) -> None:
    rng = np.random.default_rng(foot)
    friction = learner(bolt)
    for _ in range(20):
        bolt.update(*random_state(bolt.robot, rng))
        ref = bolt.reference(f"{bolt.robot.contact_names[foot]}.position")
        ref[:3] = bolt.arrays.kin.p[foot] + 0.02 * rng.normal(size=3)
        ref[3:6] = rng.normal(size=3)
        before = friction.friction_Nm.copy()
        friction.swing(foot, DT)
        after, torque = twin(bolt, foot, before)
        np.testing.assert_allclose(friction.friction_Nm, after, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(friction.torque_Nm, torque, rtol=1e-9, atol=1e-15)
    assert friction.friction_Nm.any()


def test_estimated_joint_friction_is_limited_to_a_share_of_the_torque(bolt: WholeBody) -> None:
    friction = learner(bolt)
    bolt.update(bolt.robot.q_nominal.copy(), np.zeros(bolt.robot.nv))
    bolt.reference("left_foot.position")[:6] = [*(bolt.arrays.kin.p[0] + 0.5), 1.0, 1.0, 1.0]
    for _ in range(3000):
        friction.swing(0, DT)
    assert friction.friction_Nm.max() == pytest.approx(joint_friction._MOST * LIMIT_NM)
    assert friction.friction_Nm.min() >= 0.0
    friction.rest()
    assert not friction.torque_Nm.any()
    friction.forget()
    assert not friction.friction_Nm.any()


def test_a_stretched_leg_gives_no_friction_estimate(bolt: WholeBody) -> None:
    friction = learner(bolt)
    q = bolt.robot.q_nominal.copy()
    q[bolt.robot.nq_base :] = 0.0
    bolt.update(q, np.zeros(bolt.robot.nv))
    bolt.reference("left_foot.position")[:6] = [*(bolt.arrays.kin.p[0] + 0.02), 0.1, 0.1, 0.1]
    friction.swing(0, DT)
    assert not friction.friction_Nm.any()
    assert not friction.torque_Nm.any()


def test_only_robots_on_point_feet_estimate_joint_friction(bolt: WholeBody) -> None:
    assert learns_friction(bolt.robot, bolt.arrays.kin)
    g1 = body_of("g1")
    assert not learns_friction(g1.robot, g1.arrays.kin)


@pytest.mark.closed_loop
def test_gains_of_the_swing_foot_that_change_in_flight_change_what_is_learned_from_it() -> None:
    run = WalkingRun("bolt")
    numbers = live_numbers(run.gains)
    numbers[live_paths().index(("walk", "swing", "kd_per_s"))] *= 0.5
    gains, friction = with_numbers(run.gains, numbers), run.walking.friction
    made = Brain(run.robot, gains, FloatingBaseEstimator(run.robot, gains.estimator)).motion.walking.friction
    before = friction.lambda_per_s.copy()
    run.brain._retune(gains)
    assert friction.lambda_per_s == made.lambda_per_s == pytest.approx(2.0 * before)
    run.brain._retune(run.gains)
    assert friction.lambda_per_s == before


@pytest.mark.parametrize(("friction_Nm", "least", "most"), [(0.0, 0.0, 0.04), (0.2, 0.15, 0.35)])
@pytest.mark.closed_loop
def test_bolt_estimates_the_friction_of_its_knees(friction_Nm: float, least: float, most: float) -> None:
    run = WalkingRun("bolt", plant={"joint_friction_Nm": friction_Nm})
    run.run(3.0, run.request("walk", velocity_m_s=(0.0, 0.0)))
    assert run.stands
    friction = run.walking.friction
    assert friction is not None
    knees = friction.friction_Nm[[2, 5]]
    assert (knees >= least).all()
    assert (knees <= most).all()
