from __future__ import annotations

import numpy as np
import pytest

from kilohertz.estimators.config import EstimatorGains
from kilohertz.estimators.gyro_watch import FORGETTING_S, watch_gyro
from kilohertz.estimators.imu_watch import STARTING_S
from kilohertz.estimators.inekf import InvariantEkf
from kilohertz.estimators.kernel_setup import new_doubt, new_gyro_watch, new_watch

DT_S = 1e-3
CONFIG = EstimatorGains()
BOUND_DEG = CONFIG.largest_gyro_turn_deg
ARM = np.array([0.05, 0.1, 0.6])


class Watched:
    """An IMU above standing soles, sample by sample."""

    def __init__(self, since_reset_s=1.0):
        self.watch, self.gyro, self.doubt = new_watch(2, CONFIG), new_gyro_watch(), new_doubt(2)
        self.watch.arm[:], self.watch.load_N[0] = ARM, 300.0
        self.doubt.since_reset_s[0] = since_reset_s
        self.ekf = InvariantEkf(2, gravity=9.81, max_step=5e-3)

    def sample(self, spin=(0.0, 0.0, 0.0), legs=(0.0, 0.0, 0.0), acceleration=(0.0, 0.0, 0.0), dt=DT_S):
        self.watch.sole_spin[:], self.watch.legs[:] = spin, legs
        self.watch.acceleration[:] = acceleration
        watch_gyro(dt, self.ekf.arrays, self.watch, self.gyro, self.doubt)
        return float(np.degrees(self.doubt.gyro_turn_rad[0]))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dt", [1e-3, 5e-3, 1e-2])
@pytest.mark.parametrize("following", [0.0, 0.5, 1.0])
def test_a_gyro_bias_of_half_a_radian_per_second_is_detected_before_5_deg(axis, dt, following):
    watched, bias = Watched(), 0.5 * np.eye(3)[axis]
    # The filter may follow the legs or not.
    watched.ekf.v_WI[:] = following * np.cross(bias, ARM)
    for k in range(round(0.15 / dt)):
        turned_deg = watched.sample(bias, np.cross(bias, ARM), dt=dt)
        assert turned_deg <= np.degrees(0.5 * dt * (k + 1)) + 1e-9
    assert turned_deg > BOUND_DEG


def test_soles_that_roll_over_their_edges_with_the_body_are_no_error_of_the_gyro():
    watched, rate, last = Watched(), 2.0 * np.pi * 2.0, np.zeros(3)
    for k in range(2000):
        spin = np.array([0.6, -0.3, 0.1]) * np.sin(rate * k * DT_S)
        legs = np.cross(spin, ARM)
        # The body does move, so that the accelerometer measures the motion.
        assert watched.sample(spin, legs, (legs - last) / DT_S) < 0.1 * BOUND_DEG
        last = legs


def test_soles_that_roll_without_moving_the_body_are_no_error_of_the_gyro():
    watched = Watched()
    for _ in range(300):
        assert watched.sample((0.6, 0.0, 0.0)) < 0.1 * BOUND_DEG


def test_the_rotation_of_soles_counts_less_while_they_slide_than_while_they_stand():
    spin, turned_deg = np.array([-1.0, 0.1, 0.8]), []
    legs = np.cross(spin, ARM) + np.array([0.6, 0.0, 0.0])
    # If soles slide, the filter knows it: its velocity is not that of the legs.
    for v_filter in (legs, np.zeros(3)):
        watched = Watched()
        watched.ekf.v_WI[:] = v_filter
        for _ in range(100):
            told = watched.sample(spin, legs)
        turned_deg.append(told)
    standing, sliding = turned_deg
    assert standing > 2.0 * BOUND_DEG
    assert sliding < BOUND_DEG


def test_a_rotation_about_the_vertical_does_not_count():
    watched, spin = Watched(), np.array([0.0, 0.0, 1.0])
    for _ in range(300):
        assert watched.sample(spin, np.cross(spin, ARM)) == 0.0


def test_it_is_forgotten():
    watched, bias = Watched(), np.array([0.5, 0.0, 0.0])
    for _ in range(100):
        peak = watched.sample(bias, np.cross(bias, ARM))
    for _ in range(round(3.0 * FORGETTING_S / DT_S)):
        now = watched.sample()
    assert now < 0.1 * peak


def test_a_robot_in_the_air_and_one_that_has_just_started_are_not_judged():
    bias = np.array([0.5, 0.0, 0.0])
    starting, flying = Watched(since_reset_s=0.9 * STARTING_S), Watched()
    flying.watch.load_N[0] = 0.0
    for _ in range(100):
        assert starting.sample(bias, np.cross(bias, ARM)) == 0.0
        assert flying.sample(bias, np.cross(bias, ARM)) == 0.0


def test_a_steady_error_of_the_accelerometer_is_no_error_of_the_gyro():
    watched = Watched()
    for k in range(2000):
        spin = 0.02 * np.array([np.sin(k), np.cos(1.7 * k), 0.0])
        assert watched.sample(spin, np.cross(spin, ARM), (0.3, -0.2, 0.1)) < 0.1 * BOUND_DEG


def test_a_pause_of_the_sensors_is_no_rotation():
    watched, spin = Watched(), np.array([0.1, 0.0, 0.0])
    watched.sample(spin, np.cross(spin, ARM), dt=0.5)
    assert watched.sample(spin, np.cross(spin, ARM)) < 0.3


@pytest.mark.parametrize("rate_rad_s", [3.5, 15.0])
def test_a_foot_that_slams_down_on_its_edge_is_no_error_of_the_gyro(rate_rad_s):
    watched, spin = Watched(), np.array([0.0, rate_rad_s, 0.0])
    for _ in range(15):
        assert watched.sample(spin, np.cross(spin, ARM)) < BOUND_DEG
