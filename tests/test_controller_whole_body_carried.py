"""Loads in the model are what a robot with them would have; the model follows beliefs at a limited speed."""

import numpy as np
import pinocchio as pin
import pytest
from bodies import robot

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.schema import load_gains
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.estimators.payload_kernels import Carriers, find_own_centre

HAND_KG, TRUNK_KG, PLACE = 2.0, 8.0, np.array([0.1, -0.05, 0.2])


@pytest.fixture(scope="module")
def shared_body():
    model = robot("g1")
    gains = load_gains(model)
    return Brain(model, gains, FloatingBaseEstimator(model, gains.estimator)).body


@pytest.fixture
def body(shared_body):
    shared_body.carried.reset()
    yield shared_body
    shared_body.carried.reset()


def state(seed=0):
    rng, model = np.random.default_rng(seed), robot("g1")
    q = pin.integrate(model.pin_model, np.array(model.q_nominal), 0.3 * rng.normal(size=model.nv))
    return q, rng.normal(size=model.nv)


def load(body, seconds=10.0):
    body.carried.aim(1, HAND_KG, np.zeros(3))
    body.carried.aim(2, TRUNK_KG, PLACE)
    for carrier in (0, 1, 2):
        body.carried.follow(carrier, seconds)


def carried_points(q, v):
    """(mass, place, velocity) of each load, by the model that carries nothing."""
    model = robot("g1")
    data = model.pin_model.createData()
    pin.forwardKinematics(model.pin_model, data, q, v)
    pin.updateFramePlacements(model.pin_model, data)
    hand, trunk = model.hands[1].frame_id, model.pin_model.getFrameId("torso_link")
    points = []
    for kg, frame, p_F in ((HAND_KG, hand, np.zeros(3)), (TRUNK_KG, trunk, PLACE)):
        twist = pin.getFrameVelocity(model.pin_model, data, frame, pin.LOCAL_WORLD_ALIGNED)
        r = data.oMf[frame].rotation @ p_F
        points.append((kg, data.oMf[frame].translation + r, twist.linear + np.cross(twist.angular, r)))
    return points


def test_energy_and_centre_of_mass_are_those_of_the_robot_and_its_loads(body):
    model = robot("g1")
    data = model.pin_model.createData()
    q, v = state()
    points = carried_points(q, v)
    own_J = pin.computeKineticEnergy(model.pin_model, data, q, v)
    own_C = pin.centerOfMass(model.pin_model, data, q).copy()
    load(body)
    body.update(q, v)
    kin = body.arrays.kin
    assert 0.5 * v @ kin.M @ v == pytest.approx(
        own_J + sum(0.5 * kg * u @ u for kg, _, u in points), rel=1e-9
    )
    total = model.mass_kg + HAND_KG + TRUNK_KG
    assert body.carried.total_kg == kin.mass[0] == pytest.approx(total)
    expected = (model.mass_kg * own_C + sum(kg * p for kg, p, _ in points)) / total
    np.testing.assert_allclose(kin.p_WC, expected, atol=1e-9)
    carried = body.carried
    frames, own_kg = np.array(carried.frames), np.array([model.mass_kg])
    find_own_centre(
        kin,
        Carriers(
            frames, carried.mass_kg, carried.p_F, carried.own_centre_F, carried.p_RC, own_kg, np.zeros(2)
        ),
    )
    np.testing.assert_allclose(body.carried.p_RC, expected - own_C, atol=1e-9)


def test_the_robots_own_model_is_left_alone_and_comes_back(body):
    own = robot("g1").pin_model.inertias.tolist()
    load(body)
    assert robot("g1").pin_model.inertias.tolist() == own
    assert sum(i.mass for i in body.model.inertias) > sum(i.mass for i in own) + 9.9
    body.carried.reset()
    for now, before in zip(body.model.inertias, own, strict=True):
        np.testing.assert_array_equal(now.toDynamicParameters(), before.toDynamicParameters())


def test_the_model_follows_at_a_limited_speed_and_arrives(body):
    carried, mass_kg = body.carried, robot("g1").mass_kg
    before, ticks = 0.0, 0
    carried.aim(2, TRUNK_KG, PLACE)
    while before < TRUNK_KG:
        carried.follow(2, 0.01)
        now = float(carried.mass_kg[2])
        assert 0.0 < now - before <= 0.026 * mass_kg
        before, ticks = now, ticks + 1
    assert ticks >= 0.9 * 40 * TRUNK_KG / mass_kg
    carried.aim(2, 0.0, PLACE)
    carried.follow(2, 10.0)
    assert carried.total_kg == pytest.approx(mass_kg)
