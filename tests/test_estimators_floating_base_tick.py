"""The stages of the tick, one by one."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.estimators import floating_base_tick as tick
from kilohertz.estimators.config import EstimatorGains
from kilohertz.estimators.inekf_layout import STATE_BA, STATE_BG, state_size
from kilohertz.estimators.kernel_setup import joint_parameters, tick_settings
from kilohertz.estimators.leg_kinematics import KinematicTables
from kilohertz.robots.model.robot_model import RobotModel

GRAVITY = 9.81
SETTINGS = tick_settings(EstimatorGains(gyro_cutoff_Hz=0.0), GRAVITY, 5e-3, 327.0)


@pytest.mark.parametrize("name", ["g1", "talos"])
def test_inverse_dynamics_with_gravity_from_the_imu_gives_the_true_torques(name):
    """Inverse dynamics with the base at the identity equals that in the world: gravity comes from the IMU."""
    robot = RobotModel.load(name)
    model, data, na = robot.pin_model, robot.pin_model.createData(), robot.na
    rng = np.random.default_rng(0)
    q, v, vdot = np.array(robot.q_nominal), rng.normal(size=model.nv), rng.normal(size=model.nv)
    q[3:7] = pin.Quaternion(pin.exp3(rng.normal(size=3))).coeffs()
    # What the filter does not know: angular acceleration. Joints between base and IMU rest.
    vdot[3:6] = 0.0
    tables = KinematicTables.of(robot, data, [robot.imu_frame_id])
    between = tables.frame_support[0] == 1
    v[6:][between], vdot[6:][between] = 0.0, 0.0
    pin.forwardKinematics(model, data, q, v, vdot)
    pin.updateFramePlacements(model, data)
    imu = robot.imu_frame_id
    gyro = pin.getFrameVelocity(model, data, imu).angular
    felt = pin.getFrameClassicalAcceleration(model, data, imu, pin.LOCAL).linear
    accel = felt + data.oMf[imu].rotation.T @ [0, 0, GRAVITY]
    expected = pin.rnea(model, data, q, v, vdot).copy()

    pin.forwardKinematics(model, data, np.r_[pin.neutral(model)[:7], q[7:]])
    pin.updateFramePlacements(model, data)
    imu_R, imu_p = np.ascontiguousarray(data.oMf[imu].rotation), data.oMf[imu].translation.copy()
    x = np.zeros(state_size(2))
    x[STATE_BG : STATE_BG + 3], x[STATE_BA : STATE_BA + 3] = 0.01, 0.1
    joints = np.stack([q[7:], v[6:], vdot[6:]])
    row = robot.new_sensor_row()
    row.q[:], row.v[:], row.gyro[:], row.accel[:] = q[7:], v[6:], gyro + 0.01, accel + 0.1
    q_B, v_B, vdot_B = pin.neutral(model), np.zeros(model.nv), np.zeros(model.nv)
    done = tick.before_kinematics(
        row.data,
        1e-9,
        SETTINGS,
        x,
        joints,
        1e-12 * np.eye(3),
        joint_parameters(EstimatorGains().joints),
        np.zeros(3),
        imu_R,
        imu_p,
        tables.joint_address,
        tables.joint_axis,
        tables.frame_support,
        q_B,
        v_B,
        vdot_B,
        np.zeros((4, 6)),
    )
    assert done
    found = pin.rnea(model, data, q_B, v_B, vdot_B)
    # The base moves with its velocity in the one and not in the other, which changes nothing.
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert na == len(found) - 6


def test_a_sole_that_carries_nothing_is_trusted_like_one_that_lands():
    noise = np.zeros((1, 3))
    tick.trust_contacts(
        np.array([True]),
        np.array([9.0]),
        np.array([-1.0]),
        SETTINGS,
        np.array([2]),
        noise,
        np.zeros(1, dtype=np.int64),
    )
    np.testing.assert_array_equal(noise[0, :2], SETTINGS[[tick.LANDING_DRIFT, tick.LANDING_TURN]])


def test_a_sole_at_its_edge_may_roll():
    noise = np.zeros((3, 3))
    margin = np.array([1.0, 0.5 * SETTINGS[tick.EDGE], 0.0])
    closed, old = np.ones(3, dtype=bool), np.full(3, 9.0)
    kinds = np.full(3, 2)
    tick.trust_contacts(closed, old, margin, SETTINGS, kinds, noise, np.zeros(3, dtype=np.int64))
    assert noise[0, 1] < noise[1, 1] < noise[2, 1] == SETTINGS[tick.LANDING_TURN]
    assert (noise[:, 0] == noise[0, 0]).all()


@pytest.mark.parametrize(
    ("contact", "age", "drift", "spin"),
    [
        ((True, True), (0.001, 5.0), ("landing", "plain"), True),
        ((True, False), (5.0, 0.0), ("plain", "landing"), True),
        ((True, True), (5.0, 0.5), ("plain", "plain"), True),
        ((True, True), (5.0, 2.0), ("settled", "settled"), False),
    ],
)
def test_contact_noise_depends_on_age_and_number_of_contacts(contact, age, drift, spin):
    expected = {
        "landing": SETTINGS[tick.LANDING_DRIFT],
        "plain": SETTINGS[tick.DRIFT],
        "settled": SETTINGS[tick.DRIFT] * SETTINGS[tick.SETTLED] ** 2,
    }
    noise, wanted = np.zeros((2, 3)), np.zeros(2, dtype=np.int64)
    tick.trust_contacts(
        np.array(contact), np.array(age), np.ones(2), SETTINGS, np.array([2, 1]), noise, wanted
    )
    np.testing.assert_allclose(noise[:, 0], [expected[d] for d in drift])
    assert (noise[:, 2] > 0.0).all() == spin
    np.testing.assert_array_equal(wanted, np.where(contact, [2, 1], 0))
