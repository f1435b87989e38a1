"""The tick's own kinematics say what pinocchio's slower functions say."""

import numpy as np
import pinocchio as pin
import pytest
from bodies import ARMS, BARRIER, BIPEDS, ROBOTS, random_state, robot, unlimited, whole_body
from reference_qp import Dynamics, barrier_bounds, braking, deceleration

from kilohertz.controller.whole_body.whole_body import Task

SEEDS = range(4)


def body_of_all_links(name):
    """Every link of the robot watched by a task, beside its contacts and hands."""
    model = robot(name)
    frames = model.pin_model.frames
    links = [f.name for f in frames if f.type == pin.FrameType.BODY and f.name != "universe"]
    links += [f"hand/{hand}" for hand in model.hand_names]
    return whole_body(model, [Task(link, "frame_position", 1.0, [1, 1], link) for link in links])


@pytest.mark.parametrize("name", ROBOTS)
def test_every_frame_is_where_pinocchio_says(name):
    body = body_of_all_links(name)
    kin = body.arrays.kin
    turned = {f"contact/{c}": g.R_FC for c, g in zip(body.robot.contact_names, body.geometry, strict=True)}
    assert len(body.frame_index) > body.robot.na
    for seed in SEEDS:
        q, v = random_state(body.robot, np.random.default_rng(seed), 0.5, 2.0)
        body.update(q, v)
        dynamics = Dynamics(body, q, v)
        for frame, f in body.frame_index.items():
            placement, velocity, drift, J = dynamics.frame(frame, turned.get(frame))
            np.testing.assert_allclose(kin.R[f], placement.rotation, atol=1e-10)
            np.testing.assert_allclose(kin.p[f], placement.translation, atol=1e-10)
            np.testing.assert_allclose(kin.vel[f], velocity, atol=1e-10)
            np.testing.assert_allclose(kin.drift[f], drift, atol=1e-9)
            np.testing.assert_allclose(kin.J[f], J, atol=1e-10)


@pytest.mark.parametrize("name", ROBOTS)
def test_columns_name_the_joints_that_move_a_frame(name):
    body = body_of_all_links(name)
    kin = body.arrays.kin
    body.update(*random_state(body.robot, np.random.default_rng(0)))
    for f in body.frame_index.values():
        columns = kin.columns[f, : kin.n_columns[f]]
        assert set(np.flatnonzero(np.abs(kin.J[f]).max(axis=0) > 1e-12)) <= set(columns)
        assert (np.diff(columns) > 0).all()


@pytest.mark.parametrize("name", ROBOTS)
def test_mass_matrix_and_nonlinear_effects_are_pinocchios_and_symmetric(name):
    body = whole_body(robot(name))
    for seed in SEEDS:
        q, v = random_state(body.robot, np.random.default_rng(seed), 0.5, 2.0)
        body.update(q, v)
        dynamics = Dynamics(body, q, v)
        np.testing.assert_allclose(body.arrays.kin.M, dynamics.M, atol=1e-10)
        np.testing.assert_allclose(body.arrays.kin.h, dynamics.h, atol=1e-9)


@pytest.mark.parametrize("name", BIPEDS)
def test_centroid_and_momentum_equal_ccrba(name):
    body = whole_body(robot(name))
    model, kin = body.robot.pin_model, body.arrays.kin
    for seed in SEEDS:
        q, v = random_state(body.robot, np.random.default_rng(seed), 0.5, 2.0)
        body.update(q, v)
        data = model.createData()
        pin.ccrba(model, data, q, v)
        np.testing.assert_allclose(kin.p_WC, pin.centerOfMass(model, data, q), atol=1e-10)
        np.testing.assert_allclose(kin.mass[0] * kin.v_WC, data.hg.linear, atol=1e-10)
        np.testing.assert_allclose(kin.L_C, data.hg.angular, atol=1e-10)


@pytest.mark.parametrize("name", ARMS)
def test_a_fixed_base_has_no_base_freedoms(name):
    body = whole_body(robot(name))
    np.testing.assert_array_equal(body.arrays.kin.size, [0, 0, 0])
    assert body.arrays.kin.M.shape == (body.robot.na, body.robot.na)


@pytest.mark.parametrize("name", ROBOTS)
def test_barriers_bound_accelerations_by_what_is_left_of_the_range(name):
    body = whole_body(robot(name))
    limits = body.arrays.limits
    for seed in SEEDS:
        q, v = random_state(body.robot, np.random.default_rng(seed), 1.0, 5.0)
        body.update(q, v)
        lower, upper = barrier_bounds(body, BARRIER, q, v)
        np.testing.assert_allclose(limits.vdot_lower, lower, atol=1e-9)
        np.testing.assert_allclose(limits.vdot_upper, upper, atol=1e-9)
        assert (limits.vdot_lower <= limits.vdot_upper).all()


def test_a_barrier_lets_a_joint_come_to_rest_at_its_limit_without_overshoot():
    """A joint that always takes as much as the barrier gives."""
    model = robot("ur5")
    body = whole_body(model)
    limits, dt = body.arrays.limits, 1e-3
    q, v = np.array(model.q_nominal), np.zeros(6)
    q[2] = model.position_upper_rad[2] - 0.5
    highest = -np.inf
    for _ in range(3000):
        body.update(q, v)
        v[2] += dt * min(limits.vdot_upper[2], 100.0)
        q[2] += dt * v[2]
        highest = max(highest, q[2])
        assert v[2] <= model.velocity_limit_rad_s[2] + 1e-9
    assert highest <= model.position_upper_rad[2] + 1e-9
    assert q[2] == pytest.approx(model.position_upper_rad[2], abs=1e-3)


@pytest.mark.parametrize("a", [3.0, 10.0, 100.0])
@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_a_joint_comes_to_rest_at_its_limit_with_no_more_than_it_can_brake_by(a, speed):
    rate, dt = 15.0, 1e-4
    left, v, hardest = 1.0, speed, 0.0
    for _ in range(40_000):
        accel = min(braking(left, v, a, rate), 0.0)
        hardest = max(hardest, -accel)
        v += dt * accel
        left -= dt * v
        assert left > 0.0
    assert left < 2e-3
    # The lead makes the curve steeper, as it shrinks with the speed.
    assert hardest <= 1.2 * a


@pytest.mark.parametrize("outwards", [1.0, -1.0])
def test_the_torque_that_is_left_brakes_a_joint_whose_neighbours_accelerate_as_much(outwards):
    body = whole_body(robot("panda"))
    rng = np.random.default_rng(0)
    for _ in range(20):
        dynamics = Dynamics(body, *random_state(body.robot, rng, 1.0, 1.0))
        for j, a in enumerate(deceleration(body, dynamics, outwards)):
            accel = rng.choice([-a, a], body.robot.na)
            accel[j] = -outwards * a
            tau = dynamics.M[j] @ accel + dynamics.h[j]
            assert -outwards * tau <= body.arrays.limits.tau[j] or a == 2.0


@pytest.mark.parametrize("beyond", [0.01, 0.1, 1.0, 10.0])
def test_beyond_its_limit_a_joint_is_asked_back_but_no_harder_than_a_motor_can(beyond):
    model = robot("ur5")
    body = whole_body(model)
    q = np.array(model.q_nominal)
    q[2] = model.position_upper_rad[2] + beyond
    body.update(q, np.zeros(6))
    assert -BARRIER.largest_rad_s2 <= body.arrays.limits.vdot_upper[2] < 0.0
    if beyond < 0.5:
        assert body.arrays.limits.vdot_upper[2] == pytest.approx(-beyond * BARRIER.position_per_s2)


def test_joints_without_limits_are_free():
    body = whole_body(unlimited("g1"))
    body.update(*random_state(body.robot, np.random.default_rng(0), 1.0, 5.0))
    np.testing.assert_allclose(body.arrays.limits.vdot_upper, 10 * BARRIER.largest_rad_s2)
    np.testing.assert_allclose(body.arrays.limits.vdot_lower, -10 * BARRIER.largest_rad_s2)
