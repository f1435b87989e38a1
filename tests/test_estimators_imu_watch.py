from __future__ import annotations

import math

import numpy as np
import pytest
from gaits import WalkingRun

from kilohertz.estimators.config import EstimatorGains
from kilohertz.estimators.imu_watch import FOLLOWING_PER_S, SLIPPING_M_S, STARTING_S, watch_imu
from kilohertz.estimators.inekf import InvariantEkf
from kilohertz.estimators.inekf_layout import CORRECTION, ROTATION
from kilohertz.estimators.joint_observer import ROW_Q
from kilohertz.estimators.kernel_setup import new_contacts, new_doubt, new_watch
from kilohertz.estimators.so3 import exp3
from kilohertz.robots.model.robot_model import RobotModel

DT_S = 1e-3
G = 9.81
CONFIG = EstimatorGains()
LARGEST = CONFIG.largest_contradiction_m_s2
FEET = np.array([[0.1, 0.1, -0.7], [-0.1, -0.1, -0.7]])


class Watched:
    """An IMU over two feet, sample by sample; it does not turn."""

    def __init__(self, since_reset_s=1.0):
        self.ekf = InvariantEkf(2, gravity=G, max_step=5e-3)
        self.R = self.ekf.R_WI
        self.contact = np.ones(2, bool)
        self.contacts = new_contacts(RobotModel.load("g1"), CONFIG)
        self.age = self.contacts.age_s
        self.age[:], self.contacts.normal_force_N[:] = 1.0, (100.0, 200.0)
        self.feet, self.correction = self.ekf.poses.p_IF, self.ekf.arrays.rows[CORRECTION]
        self.feet[:] = FEET
        self.watch, self.doubt = new_watch(2, CONFIG), new_doubt(2)
        self.watch.hung[:] = FEET
        self.doubt.since_reset_s[0] = since_reset_s

    def sample(self, accel=(0.0, 0.0, G), dt=DT_S):
        row = np.zeros(ROW_Q + 3 + 6 + 2)
        row[ROW_Q + 6 : ROW_Q + 9] = accel
        ekf = self.ekf
        watch_imu(row, dt, ekf.arrays, self.contact, self.contacts, ekf.poses, self.watch, self.doubt)
        return float(self.doubt.contradiction_m_s2[0])


def rotation(axis, degrees):
    R = np.zeros((3, 3))
    exp3(np.radians(degrees) * np.asarray(axis, float), R)
    return R


def response(t_s):
    """Share of a sudden error that two equal poles show after this time."""
    passed = FOLLOWING_PER_S * t_s
    return 1.0 - (1.0 + passed) * math.exp(-passed)


@pytest.mark.parametrize("feet", [(True, True), (False, True)])
@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0)])
def test_an_imu_that_has_turned_contradicts_legs_that_rest_by_its_share_of_gravity(axis, feet):
    watched = Watched()
    watched.contact[:] = feet
    felt, ticks = rotation(axis, 2.0) @ [0.0, 0.0, G], 200
    for _ in range(ticks):
        told = watched.sample(felt)
    assert told == pytest.approx(2.0 * G * math.sin(np.radians(1.0)) * response(ticks * DT_S), rel=0.03)
    assert told < LARGEST


@pytest.mark.parametrize(("degrees", "ticks"), [(5.0, 560), (20.0, 500)])
def test_the_time_until_a_contradiction_is_too_large(degrees, ticks):
    watched = Watched()
    for _ in range(ticks):
        told = watched.sample(rotation((0, 1, 0), degrees) @ [0.0, 0.0, G])
    assert told > LARGEST


def test_it_is_the_same_where_the_filter_has_tilted_to_make_it_fit():
    watched = Watched()
    felt, ticks = rotation((0, 1, 0), 5.0) @ [0.0, 0.0, G], 200
    step = np.radians(-5.0) / ticks
    for _ in range(ticks):
        watched.R[:] = rotation((0, 1, 0), np.degrees(step)) @ watched.R
        watched.feet[:] = FEET @ watched.R
        watched.correction[ROTATION + 1] = step
        told = watched.sample(felt)
    np.testing.assert_allclose(watched.R @ felt, [0.0, 0.0, G], atol=1e-9)
    # One part is late, the other fades with a time of a second.
    assert told == pytest.approx(G * np.radians(5.0), rel=0.25)


def test_a_base_acceleration_equal_to_the_imus_is_no_contradiction():
    watched = Watched()
    frequency, amplitude = 2.0 * np.pi * 2.0, np.array([0.02, -0.03, 0.01])
    watched.ekf.accel_bias[:] = (0.1, -0.2, 0.05)
    for k in range(1000):
        t = k * DT_S
        watched.feet[:] = FEET - amplitude * (1.0 - np.cos(frequency * t))
        felt = amplitude * frequency**2 * np.cos(frequency * t) + [0.1, -0.2, 0.05 + G]
        assert watched.sample(felt) < 0.03


@pytest.mark.parametrize("speed_m_s", [0.1, 1.0])
def test_a_foot_that_slips_for_a_while_is_no_error_of_the_imu(speed_m_s):
    watched = Watched()
    watched.contact[0] = False
    for k in range(600):
        if k < 100:
            watched.feet[1, 0] += speed_m_s * DT_S
        assert watched.sample() < LARGEST
    assert watched.watch.lack @ watched.watch.lack < (FOLLOWING_PER_S * SLIPPING_M_S) ** 2


def test_a_robot_in_the_air_and_a_foot_that_has_just_landed_say_nothing():
    watched = Watched()
    watched.contact[0], watched.age[1] = False, 0.01
    for _ in range(300):
        watched.feet[1, 2] += 1e-3
        assert watched.sample((0.0, 0.0, 0.0)) == 0.0


def test_a_start_that_was_not_upright_is_no_error_of_the_imu():
    watched = Watched(since_reset_s=0.99 * STARTING_S)
    watched.correction[ROTATION] = 1e-3
    for _ in range(100):
        assert watched.sample((1.0, 0.0, G)) == 0.0


def test_after_a_gap_it_goes_on():
    watched = Watched()
    for _ in range(10):
        assert watched.sample((0.05, 0.0, G), dt=0.5) < LARGEST


@pytest.mark.long
@pytest.mark.parametrize(("degrees", "within_s"), [(5.0, 0.8), (12.0, 0.45)])
@pytest.mark.closed_loop
def test_a_walk_ends_soon_after_its_imu_has_turned(degrees, within_s):
    run = WalkingRun("g1", seed=1)
    request = run.request("walk", velocity_m_s=(0.4, 0.0))
    run.run(1.5, request)
    assert run.stands
    R, read = rotation((0.6, -0.8, 0.0), degrees), run.sim.read

    def read_turned(sensors):
        read(sensors)
        sensors.gyro[:], sensors.accel[:] = R @ sensors.gyro, R @ sensors.accel
        return True

    run.sim.read = read_turned
    run.run(within_s, request)
    assert "diverged" in run.brain.output.reason
