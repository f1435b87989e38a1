"""The filter between measurements: exact mean, right transition, right noise, nothing absurd believed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from kilohertz.estimators.inekf import InvariantEkf
from kilohertz.estimators.inekf_layout import CONTACTS, GYRO_BIAS, error_size

GRAVITY = 9.81
GYRO, ACCEL = np.array([0.8, -1.3, 2.1]), np.array([1.5, -0.7, 10.2])


def hat(a):
    return np.array([[0, -a[2], a[1]], [a[2], 0, -a[0]], [-a[1], a[0], 0.0]])


def moving_filter(rng, **options):
    """A filter in a generic state: turned, moving, far from the origin, two contacts, biases."""
    ekf = InvariantEkf(2, **options)
    ekf.R_WI[:] = expm(hat(rng.normal(size=3)))
    ekf.v_WI[:] = rng.normal(size=3)
    ekf.p_WI[:] = 3.0 * rng.normal(size=3)
    ekf.gyro_bias[:] = 0.1 * rng.normal(size=3)
    ekf.accel_bias[:] = 0.1 * rng.normal(size=3)
    ekf.p_WF[:] = 3.0 * rng.normal(size=(2, 3))
    for c in range(2):
        ekf.R_WF[c][:] = expm(hat(rng.normal(size=3)))
    ekf.active[:] = 2
    return ekf


def perturb(ekf, xi):
    """Applies the right-invariant error xi to a filter's state."""
    E = expm(hat(xi[:3]))
    J = sum(np.linalg.matrix_power(hat(xi[:3]), n) / np.prod(range(1, n + 2)) for n in range(12))
    ekf.R_WI[:] = E @ ekf.R_WI
    for column, row in ((ekf.v_WI, 3), (ekf.p_WI, 6), (ekf.p_WF[0], 15), (ekf.p_WF[1], 21)):
        column[:] = E @ column + J @ xi[row : row + 3]
    ekf.gyro_bias += xi[9:12]
    ekf.accel_bias += xi[12:15]
    for c in range(2):
        ekf.R_WF[c][:] = expm(hat(xi[18 + 6 * c : 21 + 6 * c])) @ ekf.R_WF[c]


def difference(a, b):
    """First-order right-invariant error of a against b."""

    def turn(A, B):
        E = A @ B.T
        return 0.5 * np.array([E[2, 1] - E[1, 2], E[0, 2] - E[2, 0], E[1, 0] - E[0, 1]]), E

    xi = np.zeros(error_size(2))
    xi[:3], E = turn(a.R_WI, b.R_WI)
    for x, y, row in (
        (a.v_WI, b.v_WI, 3),
        (a.p_WI, b.p_WI, 6),
        (a.p_WF[0], b.p_WF[0], 15),
        (a.p_WF[1], b.p_WF[1], 21),
    ):
        xi[row : row + 3] = x - E @ y
    xi[9:12] = a.gyro_bias - b.gyro_bias
    xi[12:15] = a.accel_bias - b.accel_bias
    for c in range(2):
        xi[18 + 6 * c : 21 + 6 * c] = turn(a.R_WF[c], b.R_WF[c])[0]
    return xi


def test_mean_follows_the_exact_motion_of_a_constant_imu():
    ekf = moving_filter(np.random.default_rng(0), max_step=1.0)
    w, f = GYRO - ekf.gyro_bias, ACCEL - ekf.accel_bias

    def rate(t, y):
        R = y[:9].reshape(3, 3)
        return np.r_[(R @ hat(w)).ravel(), R @ f - [0, 0, GRAVITY], y[9:12]]

    start = np.r_[ekf.R_WI.ravel(), ekf.v_WI, ekf.p_WI]
    exact = solve_ivp(rate, (0, 0.5), start, rtol=1e-12, atol=1e-12).y[:, -1]
    contacts = ekf.p_WF.copy()
    assert ekf.propagate(GYRO, ACCEL, 0.5)
    np.testing.assert_allclose(np.r_[ekf.R_WI.ravel(), ekf.v_WI, ekf.p_WI], exact, atol=1e-9)
    np.testing.assert_array_equal(ekf.p_WF, contacts)


def test_an_irregular_step_equals_its_parts():
    whole, parts = (moving_filter(np.random.default_rng(1)) for _ in range(2))
    for ekf in (whole, parts):
        ekf.P[:] = 0.01 * np.eye(len(ekf.P))
        ekf.noise[:] = 1e-4, 1e-2, 1e-6, 1e-6
        ekf.slot_noise[:] = 1e-4, 1e-4, 1e-3, 1e-4
    whole.propagate(GYRO, ACCEL, 0.0123)
    for dt in (0.001, 0.0005, 0.0031, 0.0007, 0.007):
        parts.propagate(GYRO, ACCEL, dt)
    np.testing.assert_allclose(whole.x, parts.x, atol=1e-12)
    np.testing.assert_allclose(whole.P, parts.P, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("dt", [0.001, 0.004])
def test_transition_is_the_finite_difference_of_the_error_dynamics(seed, dt):
    rng = np.random.default_rng(seed)
    true = moving_filter(np.random.default_rng(seed + 100))
    wrong = moving_filter(np.random.default_rng(seed + 100))
    xi = 1e-5 * rng.normal(size=error_size(2))
    perturb(wrong, xi)
    wrong.P[:] = np.outer(xi, xi)
    for ekf in (true, wrong):
        ekf.propagate(GYRO, ACCEL, dt)
    after = difference(wrong, true)
    scale = np.abs(after).max()
    np.testing.assert_allclose(wrong.P / scale**2, np.outer(after, after) / scale**2, atol=2e-4)
    # The step changed something: the test would notice an identity.
    assert np.abs(after - xi).max() > 0.1 * dt * np.abs(xi).max()


def test_error_dynamics_do_not_depend_on_the_trajectory_without_biases():
    """The log-linear property: same error, different states and IMU readings, same error afterwards."""
    xi = np.random.default_rng(2).normal(size=error_size(2)) * 0.3
    xi[9:15] = 0.0
    outcomes = []
    for seed in (3, 4):
        true, wrong = (moving_filter(np.random.default_rng(seed)) for _ in range(2))
        perturb(wrong, xi)
        imu = np.random.default_rng(seed + 10).normal(size=(50, 6))
        for sample in imu:
            for ekf in (true, wrong):
                ekf.propagate(sample[:3], sample[3:] + np.array([0, 0, GRAVITY]), 0.002)
        E = wrong.R_WI @ true.R_WI.T
        columns = [
            wrong.v_WI - E @ true.v_WI,
            wrong.p_WI - E @ true.p_WI,
            wrong.p_WF[0] - E @ true.p_WF[0],
        ]
        outcomes.append(np.r_[E.ravel(), np.concatenate(columns)])
    np.testing.assert_allclose(outcomes[0], outcomes[1], atol=1e-12)


def test_process_noise_is_the_adjoint_of_the_imus():
    ekf = moving_filter(np.random.default_rng(5))
    ekf.noise[:] = 2e-4, 3e-2, 5e-6, 7e-6
    ekf.slot_noise[:] = [[1e-4, 2e-4, 3e-4, 6e-4], [4e-4, 5e-4, 0.0, 0.0]]
    R, dt = ekf.R_WI.copy(), 1e-9
    adjoint = np.zeros((error_size(2), 6))
    adjoint[0:3, :3] = R
    for row, column in ((3, ekf.v_WI), (6, ekf.p_WI), (15, ekf.p_WF[0]), (21, ekf.p_WF[1])):
        adjoint[row : row + 3, :3] = hat(column) @ R
    adjoint[3:6, 3:] = R
    expected = adjoint @ np.diag([2e-4] * 3 + [3e-2] * 3) @ adjoint.T
    diagonal = np.einsum("ii->i", expected)
    diagonal[9:12] = 5e-6
    diagonal[12:15] = 7e-6
    for c in range(2):
        row, side, normal = CONTACTS + 6 * c, ekf.R_WF[c][:, 1], ekf.R_WF[c][:, 2]
        diagonal[row : row + 3] += ekf.slot_noise[c, 0]
        turning = np.eye(3) * ekf.slot_noise[c, 1] + np.outer(normal, normal) * ekf.slot_noise[c, 2]
        expected[row : row + 3, row : row + 3] += np.outer(side, side) * ekf.slot_noise[c, 3]
        expected[row + 3 : row + 6, row + 3 : row + 6] += turning
    ekf.propagate(GYRO, ACCEL, dt)
    np.testing.assert_allclose(ekf.P / dt, expected, rtol=1e-6, atol=1e-9)


def test_slots_that_are_not_used_stay_out_of_the_covariance():
    ekf = moving_filter(np.random.default_rng(6))
    ekf.active[:] = 0, 1
    ekf.P[:15, :15] = np.eye(15)
    ekf.noise[:] = 1e-2
    ekf.slot_noise[:] = 1e-2
    ekf.propagate(GYRO, ACCEL, 0.003)
    np.testing.assert_array_equal(ekf.P[15:21], 0.0)
    np.testing.assert_array_equal(ekf.P[:, 24:], 0.0)
    assert np.linalg.eigvalsh(ekf.P).min() > -1e-15


def test_a_contact_that_is_known_to_move_is_carried_along():
    ekf = moving_filter(np.random.default_rng(7))
    before, R = ekf.p_WF.copy(), ekf.R_WI.copy()
    ekf.slot_velocity[1] = 0.1, 0.2, -0.3
    ekf.propagate(ekf.gyro_bias.copy(), ACCEL, 0.002)
    np.testing.assert_array_equal(ekf.p_WF[0], before[0])
    np.testing.assert_allclose(ekf.p_WF[1] - before[1], R @ ekf.slot_velocity[1] * 0.002, atol=1e-15)


BAD = [np.nan, np.inf, -np.inf, 1e9]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("place", range(7))
def test_bad_samples_are_refused_and_leave_the_state_unharmed(value, place):
    ekf = moving_filter(np.random.default_rng(8))
    ekf.P[:] = 0.01 * np.eye(len(ekf.P))
    before = ekf.x.copy(), ekf.P.copy(), ekf.memory.copy()
    sample = np.r_[GYRO, ACCEL, 0.001]
    sample[place] = value
    assert not ekf.propagate(sample[:3].copy(), sample[3:6].copy(), sample[6])
    assert ekf.refused == 1
    for old, new in zip(before, (ekf.x, ekf.P, ekf.memory), strict=True):
        np.testing.assert_array_equal(old, new)
    assert ekf.propagate(GYRO, ACCEL, 0.001)


@pytest.mark.parametrize("dt", [0.0, -0.001])
def test_time_that_does_not_pass_is_refused(dt):
    assert not moving_filter(np.random.default_rng(9)).propagate(GYRO, ACCEL, dt)


def test_between_samples_the_imu_reads_their_mean():
    a, b = moving_filter(np.random.default_rng(10)), moving_filter(np.random.default_rng(10))
    a.memory[:] = np.r_[GYRO + 0.2, ACCEL - 0.4, 1.0]
    a.propagate(GYRO - 0.2, ACCEL + 0.4, 0.002)
    b.propagate(GYRO, ACCEL, 0.002)
    np.testing.assert_allclose(a.x, b.x, atol=1e-14)


def test_covariance_stays_symmetric_and_positive():
    ekf = moving_filter(np.random.default_rng(11))
    ekf.P[:] = 1e-4 * np.eye(len(ekf.P))
    ekf.noise[:] = 1e-7, 1e-5, 1e-10, 1e-8
    rng = np.random.default_rng(12)
    for _ in range(3000):
        ekf.propagate(GYRO + rng.normal(size=3), ACCEL + rng.normal(size=3), 0.001)
    np.testing.assert_array_equal(ekf.P, ekf.P.T)
    assert np.linalg.eigvalsh(ekf.P).min() > 0.0
    assert np.linalg.norm(ekf.R_WI.T @ ekf.R_WI - np.eye(3)) < 1e-11
    assert ekf.P[GYRO_BIAS, GYRO_BIAS] > 1e-4
