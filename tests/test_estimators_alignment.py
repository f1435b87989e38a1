"""Initial tilt comes from the soles on a level floor, and from the accelerometer on a slope."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilohertz.estimators.alignment import level_rotation, upward

SOLES = np.array([[x, y, 0.0] for x in (-0.05, 0.12) for y in (-0.15, -0.1, 0.1, 0.15)])
angles = st.floats(-0.6, 0.6)


def stand(roll, pitch, corners=SOLES, error=(0.0, 0.0, 0.0)):
    """Accelerometer and corners in the base of a robot that stands level but holds its base tilted."""
    R_WB = pin.rpy.rpyToMatrix(roll, pitch, 0.0)
    accel = R_WB.T @ np.array([0.0, 0.0, 9.81]) + error
    return R_WB, accel, (corners - [0.0, 0.0, 0.7]) @ R_WB


def degrees_between(a, b):
    return np.rad2deg(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b))


@settings(deadline=None, derandomize=True)
@given(angles, angles)
def test_on_a_level_floor_the_soles_take_out_the_accelerometers_error(roll, pitch):
    R_WB, accel, corners = stand(roll, pitch, error=(0.1, -0.08, 0.05))
    up, covariance, level = upward(accel, corners, 0.11, 4e-4, 3.0)
    assert level
    assert degrees_between(up, R_WB[2]) < 0.05
    assert degrees_between(accel, R_WB[2]) > 0.25
    R = level_rotation(up)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(R @ up, [0, 0, 1], atol=1e-14)
    assert R[1, 0] == pytest.approx(0.0, abs=1e-15)
    assert np.abs(covariance @ up).max() < 1e-12
    assert np.sqrt(np.trace(covariance)) < np.deg2rad(0.2)


def test_on_a_slope_the_accelerometer_is_believed():
    R_slope = pin.rpy.rpyToMatrix(0.05, 0.08, 0.0)
    R_WB, accel, corners = stand(0.05, 0.08)
    up, covariance, level = upward(accel, corners @ R_slope @ R_slope, 0.11, 4e-4, 3.0)
    assert not level
    np.testing.assert_allclose(up, R_WB[2], atol=1e-12)
    assert np.sqrt(np.trace(covariance) / 2) == pytest.approx(0.11 / 9.81, rel=1e-3)


def test_two_points_fix_the_tilt_about_one_axis_only():
    points = np.array([[0.0, -0.1, 0.0], [0.0, 0.1, 0.0]])
    _, accel, corners = stand(0.0, 0.0, points, error=(0.1, 0.1, 0.0))
    up, covariance, level = upward(accel, corners, 0.11, 4e-4, 3.0)
    assert level
    assert abs(up[1]) < 1e-3
    assert up[0] == pytest.approx(0.1 / 9.81, rel=0.01)
    # Roll, about x, is known; pitch is the accelerometer's.
    assert np.sqrt(covariance[0, 0]) < 0.004
    assert np.sqrt(covariance[1, 1]) == pytest.approx(0.11 / 9.81, rel=0.02)


def test_the_soles_can_be_left_out():
    _, accel, corners = stand(0.1, 0.0, error=(0.1, 0.0, 0.0))
    up, _, level = upward(accel, corners, 0.11, 4e-4, 0.0)
    assert not level
    np.testing.assert_allclose(up, accel / np.linalg.norm(accel))


def test_a_base_pitched_by_90_deg_still_has_a_rotation():
    R = level_rotation(np.array([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(R @ [1, 0, 0], [0, 0, 1], atol=1e-14)
    assert np.linalg.det(R) == pytest.approx(1.0)
