"""The filter at a measurement: equal to the textbook's stacked update; contacts come and go cleanly."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import block_diag, expm

from kilohertz.estimators.inekf import InvariantEkf
from kilohertz.estimators.inekf_layout import CONTACTS, POSITION, ROTATION, error_size

N = error_size(2)


def hat(a):
    return np.array([[0, -a[2], a[1]], [a[2], 0, -a[0]], [-a[1], a[0], 0.0]])


def spread(rng, n, scale):
    A = rng.normal(size=(n, n)) * scale
    return A @ A.T + 0.1 * scale**2 * np.eye(n)


def observed(seed, kinds=(2, 2), surprise=0.02, **options):
    """A filter with full covariance, and measurements that disagree with it a little."""
    rng = np.random.default_rng(seed)
    ekf = InvariantEkf(2, **options)
    ekf.R_WI[:] = expm(hat(rng.normal(size=3)))
    ekf.v_WI[:], ekf.p_WI[:] = rng.normal(size=(2, 3))
    ekf.p_WF[:] = rng.normal(size=(2, 3))
    ekf.active[:] = kinds
    ekf.P[:] = spread(rng, N, 0.03)
    for c in range(2):
        ekf.R_WF[c][:] = expm(hat(rng.normal(size=3)))
        row = CONTACTS + 6 * c
        unused = range(row + 3 * kinds[c], row + 6)
        ekf.P[unused, :] = 0.0
        ekf.P[:, unused] = 0.0
    p_IF = (ekf.p_WF - ekf.p_WI) @ ekf.R_WI + surprise * rng.normal(size=(2, 3))
    R_IF = np.stack([ekf.R_WI.T @ R @ expm(hat(surprise * rng.normal(size=3))) for R in ekf.R_WF])
    covariances = [np.stack([spread(rng, 3, 0.01) for _ in range(2)]) for _ in range(2)]
    return ekf, [p_IF, R_IF, *covariances]


def textbook(ekf, p_IF, R_IF, position_covariance, rotation_covariance):
    """One stacked Kalman update in Joseph form, by the book; returns the correction and P."""
    R = ekf.R_WI
    H, z, S = [], [], []
    for c in range(2):
        row = CONTACTS + 6 * c
        if ekf.active[c] >= 1:
            h = np.zeros((3, N))
            h[:, row : row + 3], h[:, POSITION : POSITION + 3] = np.eye(3), -np.eye(3)
            H.append(h)
            z.append(R @ p_IF[c] - (ekf.p_WF[c] - ekf.p_WI))
            S.append(R @ position_covariance[c] @ R.T)
        if ekf.active[c] == 2:
            h = np.zeros((3, N))
            h[:, row + 3 : row + 6], h[:, ROTATION : ROTATION + 3] = np.eye(3), -np.eye(3)
            H.append(h)
            E = R @ R_IF[c] @ ekf.R_WF[c].T
            angle = np.arccos((np.trace(E) - 1) / 2)
            z.append(
                angle
                / (2 * np.sin(angle))
                * np.array([E[2, 1] - E[1, 2], E[0, 2] - E[2, 0], E[1, 0] - E[0, 1]])
            )
            S.append(R @ rotation_covariance[c] @ R.T)
    H, z, noise = np.vstack(H), np.hstack(z), block_diag(*S)
    K = ekf.P @ H.T @ np.linalg.inv(H @ ekf.P @ H.T + noise)
    L = np.eye(N) - K @ H
    return K @ z, L @ ekf.P @ L.T + K @ noise @ K.T


@pytest.mark.parametrize("kinds", [(2, 2), (1, 1), (2, 1), (0, 2), (1, 0)])
def test_one_block_after_another_equals_the_stacked_update(kinds):
    ekf, measured = observed(0, kinds)
    delta, P = textbook(ekf, *measured)
    E = expm(hat(delta[:3]))
    group = np.zeros((5, 5))
    group[:3, :3], group[:3, 3], group[:3, 4] = hat(delta[:3]), delta[3:6], delta[6:9]
    step = expm(group)
    expected_v, expected_p = E @ ekf.v_WI + step[:3, 3], E @ ekf.p_WI + step[:3, 4]
    expected_R = E @ ekf.R_WI
    feet = [expm(hat(delta[18 + 6 * c : 21 + 6 * c])) @ ekf.R_WF[c] for c in range(2)]
    ekf.correct(np.array(kinds), *measured)
    np.testing.assert_allclose(ekf.P, P, atol=1e-14)
    np.testing.assert_allclose(ekf.R_WI, expected_R, atol=1e-13)
    np.testing.assert_allclose(ekf.v_WI, expected_v, atol=1e-13)
    np.testing.assert_allclose(ekf.p_WI, expected_p, atol=1e-13)
    np.testing.assert_allclose(ekf.gyro_bias, delta[9:12], atol=1e-13)
    np.testing.assert_allclose(ekf.accel_bias, delta[12:15], atol=1e-13)
    for c in range(2):
        if kinds[c] == 2:
            np.testing.assert_allclose(ekf.R_WF[c], feet[c], atol=1e-13)


def test_a_measurement_that_agrees_changes_no_mean():
    ekf, measured = observed(1, surprise=0.0)
    before = ekf.x.copy()
    trace = np.trace(ekf.P)
    ekf.correct(np.array([2, 2]), *measured)
    np.testing.assert_allclose(ekf.x, before, atol=1e-13)
    assert np.trace(ekf.P) < trace
    np.testing.assert_allclose(ekf.surprise, 0.0, atol=1e-18)


def test_the_innovation_measure_is_the_squared_mahalanobis_distance():
    ekf, measured = observed(2, (1, 0))
    R = ekf.R_WI
    H = np.zeros((3, N))
    H[:, CONTACTS : CONTACTS + 3], H[:, POSITION : POSITION + 3] = np.eye(3), -np.eye(3)
    z = R @ measured[0][0] - (ekf.p_WF[0] - ekf.p_WI)
    S = H @ ekf.P @ H.T + R @ measured[2][0] @ R.T
    ekf.correct(np.array([1, 0]), *measured)
    assert ekf.surprise[0, 0] == pytest.approx(z @ np.linalg.solve(S, z))
    assert not ekf.surprise[1].any()


def test_a_closing_contact_gets_the_covariance_of_imu_and_encoders():
    ekf, measured = observed(3, (0, 0))
    P, R = ekf.P.copy(), ekf.R_WI.copy()
    ekf.correct(np.array([0, 2]), *measured)
    np.testing.assert_array_equal(ekf.active, [0, 2])
    np.testing.assert_allclose(ekf.p_WF[1], ekf.p_WI + R @ measured[0][1], atol=1e-15)
    np.testing.assert_allclose(ekf.R_WF[1], R @ measured[1][1], atol=1e-14)
    np.testing.assert_array_equal(ekf.P[:15, :15], P[:15, :15])
    np.testing.assert_allclose(ekf.P[21:24, :15], P[6:9, :15], atol=1e-16)
    np.testing.assert_allclose(ekf.P[21:24, 21:24], P[6:9, 6:9] + R @ measured[2][1] @ R.T, atol=1e-16)
    np.testing.assert_allclose(ekf.P[24:27, 24:27], P[:3, :3] + R @ measured[3][1] @ R.T, atol=1e-16)
    np.testing.assert_allclose(ekf.P[21:24, 24:27], P[6:9, :3], atol=1e-16)
    assert np.linalg.eigvalsh(ekf.P).min() > -1e-16


def test_a_contact_that_opens_leaves_no_trace():
    ekf, measured = observed(4)
    alone, _ = observed(4)
    ekf.correct(np.array([2, 0]), *measured)
    alone.active[1] = 0
    alone.P[21:], alone.P[:, 21:] = 0.0, 0.0
    alone.correct(np.array([2, 0]), *measured)
    np.testing.assert_array_equal(ekf.P, alone.P)
    np.testing.assert_array_equal(ekf.x, alone.x)


def test_a_sole_that_becomes_a_point_is_taken_up_anew():
    ekf, measured = observed(5)
    ekf.correct(np.array([1, 2]), *measured)
    np.testing.assert_array_equal(ekf.active, [1, 2])
    np.testing.assert_array_equal(ekf.P[18:21], 0.0)


def test_a_foot_that_slipped_moves_in_the_map_and_not_the_robot():
    still, measured = observed(6, (1, 1), surprise=0.0, gate=16.0)
    for ekf in (still,):
        ekf.P[:] = 1e-8 * np.eye(N)
        ekf.P[18:21], ekf.P[24:27] = 0.0, 0.0
    p_WI, p_WF = still.p_WI.copy(), still.p_WF.copy()
    measured[2][:] = 1e-8 * np.eye(3)
    slip = np.array([0.05, -0.02, 0.0])
    measured[0][0] += still.R_WI.T @ slip
    still.correct(np.array([1, 1]), *measured)
    assert still.surprise[0, 0] > 1e4
    np.testing.assert_allclose(still.p_WF[0] - p_WF[0], slip, atol=1e-3)
    np.testing.assert_allclose(still.p_WI, p_WI, atol=1e-3)
    # Without a gate the robot is dragged along by half of it or so.
    dragged, _ = observed(6, (1, 1), surprise=0.0)
    dragged.P[:] = still.P * 0.0 + 1e-8 * np.eye(N)
    dragged.correct(np.array([1, 1]), *measured)
    assert np.linalg.norm(dragged.p_WI - p_WI) > 5e-3


def test_thousands_of_corrections_keep_the_covariance_sound():
    ekf, measured = observed(7)
    for _ in range(5000):
        ekf.correct(np.array([2, 2]), *measured)
    np.testing.assert_array_equal(ekf.P, ekf.P.T)
    assert np.isfinite(ekf.x).all()
    assert np.linalg.eigvalsh(ekf.P).min() > -1e-17
    assert np.diagonal(ekf.P).min() > 0.0
