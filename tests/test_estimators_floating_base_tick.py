"""The stages of the tick, one by one."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.estimators import floating_base_tick as tick
from kilohertz.estimators.base_state import Imu, new_scratch
from kilohertz.estimators.config import EstimatorGains
from kilohertz.estimators.inekf import InvariantEkf
from kilohertz.estimators.inekf_layout import DRIFT, SIDE, SPIN, TURN
from kilohertz.estimators.kernel_setup import new_contacts, new_dynamics, new_joints, tick_settings
from kilohertz.estimators.leg_kinematics import KinematicTables
from kilohertz.robots.model.robot_model import RobotModel

GRAVITY = 9.81
CONFIG = EstimatorGains(gyro_cutoff_Hz=0.0)
SETTINGS = tick_settings(CONFIG)


@pytest.mark.parametrize("name", ["g1", "talos"])
def test_inverse_dynamics_with_gravity_from_the_imu_gives_the_true_torques(name):
    """Inverse dynamics with the base at the identity equals that in the world: gravity comes from the IMU."""
    robot = RobotModel.load(name)
    model, data, na = robot.pin_model, robot.pin_model.createData(), robot.na
    rng = np.random.default_rng(0)
    q, v, vdot = np.array(robot.q_nominal), rng.normal(size=model.nv), rng.normal(size=model.nv)
    q[3:7] = pin.Quaternion(pin.exp3(rng.normal(size=3))).coeffs()
    # Joints between base and IMU rest.
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
    ekf = InvariantEkf(2, gravity=GRAVITY)
    ekf.gyro_bias[:], ekf.accel_bias[:] = 0.01, 0.1
    joints = new_joints(CONFIG.joints, robot.na)
    joints.q[:], joints.v[:], joints.vdot[:] = q[7:], v[6:], vdot[6:]
    joints.P[:] = 1e-12 * np.eye(3)
    row = robot.new_sensor_row()
    row.q[:], row.v[:], row.gyro[:], row.accel[:] = q[7:], v[6:], gyro + 0.01, accel + 0.1
    dynamics = new_dynamics(robot)
    done = tick.before_kinematics(
        row.data,
        1e-9,
        SETTINGS,
        ekf.arrays,
        joints,
        # The low-passed velocity of a base that has accelerated steadily.
        Imu(imu_R, imu_p, np.zeros(3), v[3:6] - tick.ANGULAR_ACCELERATION_S * vdot[3:6]),
        tables,
        dynamics,
        new_scratch(row.data.size),
    )
    assert done
    found = pin.rnea(model, data, *dynamics)
    # The base moves with its velocity in the one and not in the other, which changes nothing.
    # The short period, which leaves no lag, costs digits of the base's angular acceleration.
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert na == len(found) - 6


class Trusted:
    """Three contacts of kinds sole, point, sole, and how much the filter leans on them."""

    def __init__(self, contact, age, margin):
        n = len(contact)
        self.ekf, self.contact = InvariantEkf(n), np.array(contact)
        contacts = new_contacts(RobotModel.load("g1"), CONFIG)
        self.contacts = contacts._replace(
            age_s=np.array(age, float), margin=np.array(margin, float), slot_kind=np.array([2, 1, 2][:n])
        )
        tick.trust_contacts(self.contact, self.contacts, SETTINGS, self.ekf.arrays, self.ekf.poses)
        self.noise, self.wanted = self.ekf.slot_noise, self.ekf.poses.wanted


def test_a_sole_that_carries_nothing_is_trusted_like_one_that_lands():
    noise = Trusted([True], [9.0], [-1.0]).noise
    assert noise[0, DRIFT] == SETTINGS.landing_drift_m2_s
    assert noise[0, TURN] == SETTINGS.landing_turn_rad2_s


def test_a_sole_at_its_edge_may_roll():
    noise = Trusted([True] * 3, [9.0] * 3, [1.0, 0.5 * SETTINGS.edge, 0.0]).noise
    assert noise[0, TURN] < noise[1, TURN] < noise[2, TURN] == SETTINGS.landing_turn_rad2_s
    assert (noise[:, DRIFT] == noise[0, DRIFT]).all()


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
        "landing": SETTINGS.landing_drift_m2_s,
        "plain": SETTINGS.drift_m2_s,
        "settled": SETTINGS.drift_m2_s * SETTINGS.settled**2,
    }
    trusted = Trusted(contact, age, (1.0, 1.0))
    np.testing.assert_allclose(trusted.noise[:, DRIFT], [expected[d] for d in drift])
    for column in (SPIN, SIDE):
        assert (trusted.noise[:, column] > 0.0).all() == spin
    np.testing.assert_array_equal(trusted.wanted, np.where(contact, [2, 1], 0))
