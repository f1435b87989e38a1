"""The joint observer: the Kalman filter it claims to be, less noise than the sensor, little lag."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from kilohertz.estimators.config import JointObserverGains
from kilohertz.estimators.joint_observer import observe_joints, reset_joints, steady_deviation
from kilohertz.estimators.kernel_setup import new_joints

GAINS = JointObserverGains()
STEP_S = 1e-3


def observer(na):
    joints = new_joints(GAINS, na)
    reset_joints(joints, np.zeros(na))
    return joints


def state(joints):
    return np.stack([joints.q, joints.v, joints.vdot])


def test_it_is_the_kalman_filter_of_singers_model():
    rng = np.random.default_rng(0)
    joints = observer(3)
    sd, tau = joints.accel_sd_rad_s2, joints.accel_time_s
    x, C = state(joints), joints.P.copy()
    for dt in (0.001, 0.002, 0.0005, 0.001):
        q, v = rng.normal(size=(2, 3))
        # Van Loan's discretisation of the continuous model.
        A = np.zeros((6, 6))
        A[0, 1] = A[1, 2] = 1.0
        A[2, 2] = -1.0 / tau
        A[:3, 3:] = np.diag([0, 0, 2 * sd**2 / tau])
        A[3:, 3:] = -A[:3, :3].T
        E = expm(A * dt)
        F = E[:3, :3]
        x, C = F @ x, F @ C @ F.T + E[:3, 3:] @ F.T
        H, N = np.eye(3)[:2], np.diag([joints.encoder_variance_rad2, joints.velocity_variance_rad2_s2])
        K = C @ H.T @ np.linalg.inv(H @ C @ H.T + N)
        x, C = x + K @ (np.stack([q, v]) - H @ x), C - K @ H @ C
        observe_joints(joints, q, v, dt)
        # Noise enters to leading order in dt / tau.
        for row in range(3):
            np.testing.assert_allclose(
                state(joints)[row], x[row], rtol=3e-3, atol=3e-3 * np.abs(x[row]).max()
            )
        np.testing.assert_allclose(joints.P, C, rtol=3e-2, atol=1e-12)


def test_noise_is_less_than_the_sensors_and_lag_below_half_a_millisecond():
    rng = np.random.default_rng(1)
    joints = observer(50)
    noise = []
    for _ in range(1500):
        observe_joints(joints, 1e-4 * rng.normal(size=50), 0.02 * rng.normal(size=50), STEP_S)
        noise.append(state(joints)[:2])
    q_sd, v_sd = np.std(noise[500:], axis=(0, 2))
    assert q_sd < 0.5e-4
    assert v_sd < 0.0125
    for frequency_Hz in (2.0, 10.0):
        w = 2 * np.pi * frequency_Hz
        joints = observer(1)
        t = np.arange(0.0, 2.0, STEP_S)
        estimate = []
        for s in t:
            observe_joints(joints, np.array([np.sin(w * s)]) / w, np.array([np.cos(w * s)]), STEP_S)
            estimate.append(joints.v[0])
        late = t >= 1.0
        phase = np.sum(np.array(estimate)[late] * np.exp(-1j * w * t[late])) / np.sum(
            np.cos(w * t[late]) * np.exp(-1j * w * t[late])
        )
        assert abs(np.angle(phase)) / w < 0.5e-3
        assert abs(phase) == pytest.approx(1.0, abs=0.03)


def test_steady_deviation_is_the_noise_found():
    deviation = steady_deviation(observer(3), STEP_S)
    assert deviation[0] < 1e-4
    assert 0.005 < deviation[1] < 0.02


def test_it_settles_on_a_joint_at_rest():
    joints = observer(2)
    joints.v[:] = 3.0
    for _ in range(400):
        observe_joints(joints, np.array([0.3, -0.2]), np.zeros(2), STEP_S)
    np.testing.assert_allclose(joints.q, [0.3, -0.2], atol=1e-7)
    np.testing.assert_allclose(state(joints)[1:], 0.0, atol=1e-4)
