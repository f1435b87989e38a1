"""Estimation of the vertical direction of a robot at rest, from the accelerometer and its soles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def upward(
    accel_B: Array, corners_B: Array, accel_sd: float, corner_sd: float, sigmas: float
) -> tuple[Array, Array, bool]:
    """Estimates the vertical direction in the base frame, and its covariance.

    An accelerometer bias of 0.05 m/s^2 tilts the measured vertical by 0.3 degrees. A robot mostly starts on a
    level floor, and then the soles are more accurate. The estimate is therefore a weighted least-squares
    fit: it agrees best with the accelerometer and with the assumption that all corners lie in one level
    plane. Two point feet determine the tilt about one axis only; the accelerometer determines the other. If
    the angle between this estimate and the measured direction is larger than the accelerometer noise
    explains, the floor is not level, and only the accelerometer is used.

    Args:
        accel_B: (3,) specific force in the base's axes at rest [m/s^2].
        corners_B: (k, 3) corners of all soles in the base [m].
        accel_sd: SD of the accelerometer, bias and noise together [m/s^2].
        corner_sd: SD of the corners' heights from one level plane [m].
        sigmas: largest difference between soles and accelerometer, in SD of the accelerometer, at which the
            soles are used; 0 to use the accelerometer only.

    Returns:
        up_B: (3,) unit vector upwards, in the base.
        covariance: (3, 3) covariance of the rotation vector that corrects up_B, in base axes [rad^2]; it is
            singular along up_B.
        level: whether the floor counts as level, so that the soles were used.
    """
    norm = float(np.linalg.norm(accel_B))
    measured = accel_B / norm
    tilt_variance = (accel_sd / norm) ** 2
    spread = corners_B - corners_B.mean(axis=0)
    information = spread.T @ spread / corner_sd**2 + np.eye(3) / tilt_variance
    up = np.linalg.solve(information, measured / tilt_variance)
    up /= np.linalg.norm(up)
    angle = np.arctan2(np.linalg.norm(np.cross(measured, up)), measured @ up)
    level = bool(sigmas > 0.0 and angle <= sigmas * np.sqrt(tilt_variance))
    if not level:
        up, information = measured, np.eye(3) / tilt_variance
    across = np.eye(3) - np.outer(up, up)
    # The error of `up` is perpendicular to it; as a rotation vector it is rotated by 90 deg about `up`.
    turn = np.cross(np.eye(3), up)
    direction_covariance = np.linalg.pinv(across @ information @ across, rcond=1e-12, hermitian=True)
    return up, turn @ direction_covariance @ turn.T, level


def level_rotation(up_B: Array) -> Array:
    """Returns the rotation R_WB (3, 3) that makes up_B vertical and has zero yaw.

    Zero yaw means that the x axis of the base lies in the x-z plane of the world.
    """
    forward = np.array([1.0, 0.0, 0.0])
    left = np.cross(up_B, forward)
    if np.linalg.norm(left) < 1e-6:
        left = np.array([0.0, 1.0, 0.0])
    left /= np.linalg.norm(left)
    return np.stack([np.cross(left, up_B), left, up_B])
