"""The truth is in pinocchio's convention, and the estimator that knows it copies it."""

import numpy as np
import pinocchio as pin
import pytest
from sim_runs import ROBOTS, random_command, robot, simulate

from kilohertz.sim.truth import CONTACT_FORCE_N, TruthEstimator


@pytest.fixture(params=ROBOTS)
def moving(request):
    """A robot some way into a wild motion."""
    sim = simulate(request.param)
    if sim.robot.floating:
        sim.world.data.qpos[2] += 0.3
        sim.world.data.qvel[3:6] = [1.0, -2.0, 0.5]
    rng = np.random.default_rng(2)
    for tick in range(60):
        sim.write(random_command(sim, rng, tick))
    return sim


def test_kinematics_of_q_and_v_are_those_of_mujoco(moving):
    model, truth = moving.robot.pin_model, moving.truth
    data = model.createData()
    pin.centerOfMass(model, data, truth.q, truth.v)
    pin.framesForwardKinematics(model, data, truth.q)
    np.testing.assert_allclose(truth.p_WC, data.com[0], atol=1e-9)
    np.testing.assert_allclose(truth.v_WC, data.vcom[0], atol=1e-9)
    for index, contact in enumerate(moving.robot.contacts):
        np.testing.assert_allclose(truth.p_WF[index], data.oMf[contact.frame_id].translation, atol=1e-9)
    for index, hand in enumerate(moving.robot.hands):
        np.testing.assert_allclose(truth.p_WH[index], data.oMf[hand.frame_id].translation, atol=1e-9)
        np.testing.assert_allclose(truth.R_WH[index], data.oMf[hand.frame_id].rotation, atol=1e-9)
    assert truth.mass_kg == pytest.approx(moving.robot.mass_kg)


def test_arrays_keep_their_address(moving):
    before = {name: id(value) for name, value in vars(moving.truth).items() if isinstance(value, np.ndarray)}
    moving.advance()
    assert before == {
        name: id(value) for name, value in vars(moving.truth).items() if isinstance(value, np.ndarray)
    }


@pytest.mark.parametrize("moving", [name for name in ROBOTS if robot(name).floating], indirect=True)
def test_the_gyro_measures_the_base_velocity(moving):
    model = moving.robot.pin_model
    data = model.createData()
    pin.forwardKinematics(model, data, moving.truth.q, moving.truth.v)
    frame = moving.robot.imu_frame_id
    expected = pin.getFrameVelocity(model, data, frame, pin.ReferenceFrame.LOCAL).angular
    row = moving.robot.new_sensor_row()
    moving.read(row)
    np.testing.assert_allclose(row.gyro, expected, atol=1e-9)


def test_a_sole_in_the_air_has_no_force_and_no_centre_of_pressure():
    sim = simulate("g1")
    sim.world.data.qpos[2] += 0.5
    sim.advance()
    sim.advance()
    np.testing.assert_array_equal(sim.truth.normal_force_N, 0.0)
    assert np.isnan(sim.truth.cop_W).all()


def test_the_truth_estimator_copies_the_truth(moving):
    estimator = TruthEstimator(moving.truth)
    row = moving.robot.new_sensor_row()
    estimator.reset(row)
    moving.advance()
    estimator.update(row, np.ones(len(moving.robot.contacts), dtype=bool), 1e-3)
    np.testing.assert_array_equal(estimator.q, moving.truth.q)
    np.testing.assert_array_equal(estimator.v, moving.truth.v)
    np.testing.assert_array_equal(estimator.normal_force_N, moving.truth.normal_force_N)
    np.testing.assert_array_equal(estimator.contact, moving.truth.normal_force_N > CONTACT_FORCE_N)
    assert estimator.q is not moving.truth.q


def test_a_payload_is_no_part_of_the_robots_own_centre_of_mass():
    load = {"at_s": 0.0, "payload": {"link": "trunk", "mass_kg": 10.0, "p_LP_m": (0.2, 0.0, 0.1)}}
    sim = simulate("g1", events=(load,))
    sim.advance()
    model = sim.robot.pin_model
    own = pin.centerOfMass(model, model.createData(), sim.truth.q)
    np.testing.assert_allclose(sim.truth.p_WR, own, atol=1e-9)
    assert sim.truth.p_WC[0] > own[0] + 0.02
