"""The attitude of a hanging robot follows gravity on average, and its velocity decays."""

from types import SimpleNamespace

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.estimators.hanging import LARGEST_BIAS_RAD_S, SETTLE_S, Hang, follow_gravity

G = 9.81
DT = 1e-3


class Hung:
    """One IMU without joints: its state, and rows of what it measures."""

    def __init__(self, tilt=(0.0, 0.0, 0.0)):
        self.joints = SimpleNamespace(q=np.zeros(0))
        self.hang = Hang(np.zeros(3), np.zeros(3), np.zeros(3), np.zeros((3, 3)), np.zeros((3, 3)))
        self.ekf = SimpleNamespace(
            R_WI=pin.exp3(np.array(tilt)),
            v_WI=np.zeros(3),
            gyro_bias=np.zeros(3),
            accel_bias=np.zeros(3),
            gravity_m_s2=G,
        )

    def feel(self, gyro, accel, seconds):
        row = np.array([0.0, 0.0, *gyro, *accel])
        for _ in range(round(seconds / DT)):
            follow_gravity.py_func(row, DT, self.joints, self.ekf, self.hang)

    @property
    def tilt_rad(self):
        return float(np.arccos(min(1.0, self.ekf.R_WI[2, 2])))


def test_a_tilt_error_decays_to_the_vertical_of_the_accelerometer():
    hung = Hung((0.1, -0.05, 0.0))
    hung.feel((0, 0, 0), (0, 0, G), 1.0)
    assert 0.01 < hung.tilt_rad < 0.1
    hung.feel((0, 0, 0), (0, 0, G), 15.0)
    assert hung.tilt_rad < 1e-3
    np.testing.assert_allclose(hung.ekf.R_WI @ hung.ekf.R_WI.T, np.eye(3), atol=1e-12)


def test_the_bias_of_the_gyro_is_learnt_and_bounded():
    hung = Hung()
    hung.feel((0.01, -0.02, 0.0), (0, 0, G), 25.0)
    np.testing.assert_allclose(hung.ekf.gyro_bias[:2], [0.01, -0.02], atol=5e-4)
    assert hung.tilt_rad < 1e-3
    hung.feel((0.5, 0.0, 0.0), (0, 0, G), 5.0)
    assert hung.ekf.gyro_bias[0] == pytest.approx(LARGEST_BIAS_RAD_S)


def test_the_velocity_decays_because_the_tether_holds_the_robot():
    hung = Hung()
    hung.feel((0, 0, 0), (1.0, 0, G), 0.1)
    assert hung.ekf.v_WI[0] == pytest.approx(SETTLE_S * (1.0 - np.exp(-0.1 / SETTLE_S)), rel=0.1)
    hung.feel((0, 0, 0), (0, 0, G), 6.0 * SETTLE_S)
    assert np.abs(hung.ekf.v_WI).max() < 0.02


def test_a_jolt_does_not_turn_the_vertical():
    hung = Hung()
    hung.feel((0, 0, 0), (8.0, 0, G), 0.2)
    assert hung.tilt_rad == 0.0
