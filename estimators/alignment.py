"""The vertical direction of a robot at rest, from the accelerometer and the plane of its soles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def upward(
    accel_B: Array, corners_B: Array, accel_sd: float, corner_sd: float, sigmas: float
) -> tuple[Array, Array, bool]:
    """The vertical in the base, and how sure it is.

    The accelerometer's bias tilts what it calls up by 0.3 degrees for 0.05 m/s^2. A robot mostly starts on
    a level floor, and then the soles tell better: of all directions the one is chosen that best agrees
    with the accelerometer and with all corners lying in one level plane. Two point feet fix the tilt
    about one axis only, and the accelerometer the other. Where that direction is further from the
    accelerometer's than its noise explains, the floor is not level and the accelerometer alone is
    believed.

    Args:
        accel_B: (3,) specific force in the base's axes at rest [m/s^2].
        corners_B: (k, 3) corners of all soles in the base [m].
        accel_sd: SD of the accelerometer, bias and noise together [m/s^2].
        corner_sd: SD of the corners' heights from one level plane [m].
        sigmas: within how many SD the soles must agree with the accelerometer; 0 leaves the soles out.

    Returns:
        up_B: (3,) unit vector upwards, in the base.
        covariance: (3, 3) of the rotation vector (base axes) that would correct it, singular along up_B.
        level: whether the soles were believed.
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
    # The error of `up` lies across it; as a rotation vector it is turned by a right angle about `up`.
    turn = np.cross(np.eye(3), up)
    direction_covariance = np.linalg.pinv(across @ information @ across, rcond=1e-12, hermitian=True)
    return up, turn @ direction_covariance @ turn.T, level


def level_rotation(up_B: Array) -> Array:
    """(3, 3) R_WB that makes up_B vertical, with zero yaw: the base's x axis in the world's x-z plane."""
    forward = np.array([1.0, 0.0, 0.0])
    left = np.cross(up_B, forward)
    if np.linalg.norm(left) < 1e-6:
        left = np.array([0.0, 1.0, 0.0])
    left /= np.linalg.norm(left)
    return np.stack([np.cross(left, up_B), left, up_B])
