"""The odometry frame: a world frame in which corrections of the estimate do not move the contacts that stand.

IMU and contacts do not observe the place and heading of a robot in the world: the errors that a common yaw
and translation of all produces cannot be corrected, and their variance grows without bound. They stay
correlated with errors that are observed, through the path that was walked. A correction of the gyro bias by
1e-6 rad/s after a minute therefore also moves IMU and contacts, by their whole distance from the place where
the world began times that change of heading. As an estimate of the place this is right. For a controller,
whose footholds and references stay where they were planned, it is a jump that grows with the distance walked.

The controller is therefore given poses in the odometry frame O. It starts as the world W of the filter; after
each correction it is moved along with what is most sure not to have moved, so that in O this stays where it
was. While a robot stands, these are its settled contacts: their mean position and the mean yaw of their
soles. While it walks, it is the IMU, with its position and its yaw. The soles of a walking robot really
creep, roll and turn, by a degree in a step, and O would turn and move with them. To first order this is the
same filter in other coordinates: it is the one whose covariance is freed from the unobservable yaw and
translation after each sample, and what is observed is corrected alike. The names are those of "REP 105:
coordinate frames for mobile platforms" (W. Meeussen, 2010), whose `odom` is continuous and drifts, and whose
`map` jumps and does not.

So that no lever arm grows, the origin of the filter follows the IMU. This is an exact change of coordinates,
in which the place in the world is kept: with a shift c of the origin, xi_p -> xi_p + xi_R x c, and likewise
for the position of each contact.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.inekf_layout import (
    CONTACTS,
    POSITION,
    ROTATION,
    SLOT_ROTATION,
    SLOT_ROWS,
    SOLE,
    SPIN,
    UNUSED,
    ContactPoses,
    Filter,
)
from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]

_FARTHEST_M = 3.0
"""Distance of the IMU from the origin of the filter at which the origin is moved to the IMU [m]."""


class Odometry(NamedTuple):
    """Places of the filter's origin, and the contacts that the next correction will move."""

    origin_W: Array
    """(3,) position of the filter's origin in the world of the last reset [m]."""
    origin_O: Array
    """(3,) position of the filter's origin in the odometry frame [m]."""
    yaw: Array
    """(1,) rotation about the vertical from the world to the odometry frame [rad]."""
    held: NDArray[np.int64]
    """(nc,) 1 for each settled contact that is in use before and after the present correction."""
    mean_O: Array
    """(3,) mean position of these contacts, or of the IMU if there are none, in the odometry frame before the
    correction [m]."""


def new_odometry(n_slots: int) -> Odometry:
    """Allocates an odometry frame that equals the world, for a filter with this number of contact slots."""
    return Odometry(
        origin_W=np.zeros(3),
        origin_O=np.zeros(3),
        yaw=np.zeros(1),
        held=np.zeros(n_slots, np.int64),
        mean_O=np.zeros(3),
    )


@struct_kernel
def mean_held(ekf: Filter, odometry: Odometry, mean: Array) -> int:
    """Writes the mean position (3,) of the held contacts from the filter's origin; returns their number.

    If none is held, it is the position of the IMU.
    """
    number = 0
    for i in range(3):
        mean[i] = 0.0
    for c in range(len(odometry.held)):
        if odometry.held[c] == 1:
            number += 1
            for i in range(3):
                mean[i] += ekf.contacts[c, i]
    for i in range(3):
        mean[i] = mean[i] / number if number > 0 else ekf.p_WI[i]
    return number


@struct_kernel
def mark_held(ekf: Filter, poses: ContactPoses, odometry: Odometry) -> None:
    """Notes which contacts the next correction will move, and where they are.

    Args:
        ekf: the filter before the correction.
        poses: `wanted`, which contacts the filter should use after the correction.
        odometry: `held` and `mean_O` are written.
    """
    mean = odometry.mean_O
    for c in range(len(odometry.held)):
        used = ekf.active[c] != UNUSED and poses.wanted[c] == ekf.active[c]
        # Only contacts that have settled do not spin.
        odometry.held[c] = 1 if used and ekf.slot_noise[c, SPIN] == 0.0 else 0
    mean_held(ekf, odometry, mean)
    in_odometry(mean, odometry, mean)


@struct_kernel
def in_odometry(p: Array, odometry: Odometry, p_O: Array) -> None:
    """Writes the position (3,) in the odometry frame of a point relative to the filter's origin [m]."""
    c, s = math.cos(odometry.yaw[0]), math.sin(odometry.yaw[0])
    x, y = p[0], p[1]
    p_O[0] = c * x - s * y + odometry.origin_O[0]
    p_O[1] = s * x + c * y + odometry.origin_O[1]
    p_O[2] = p[2] + odometry.origin_O[2]


@struct_kernel
def follow_held(ekf: Filter, delta: Array, odometry: Odometry) -> None:
    """Moves the odometry frame so that the held contacts, or the IMU if there are none, stay where they were.

    Args:
        ekf: the filter after the correction.
        delta: (n,) the correction, in the order of the error-state.
        odometry: `yaw`, `origin_O` and the scratch `mean_O` are written.
    """
    held, mean_O, origin_O = odometry.held, odometry.mean_O, odometry.origin_O
    x, y, z = mean_O[0], mean_O[1], mean_O[2]
    mean_held(ekf, odometry, mean_O)
    soles, turned = 0, 0.0
    for c in range(len(held)):
        if held[c] == 1 and ekf.active[c] == SOLE:
            soles += 1
            turned += delta[CONTACTS + SLOT_ROWS * c + SLOT_ROTATION + 2]
    # Points have no heading; then that of the IMU stays.
    odometry.yaw[0] -= turned / soles if soles > 0 else delta[ROTATION + 2]
    in_odometry(mean_O, odometry, mean_O)
    origin_O[0] += x - mean_O[0]
    origin_O[1] += y - mean_O[1]
    origin_O[2] += z - mean_O[2]


@struct_kernel
def follow_imu(ekf: Filter, odometry: Odometry) -> None:
    """Moves the origin of the filter to the IMU if the IMU is far from it; neither frame moves.

    Args:
        ekf: the filter; its positions and its covariance are written.
        odometry: `origin_W` and `origin_O` are written.
    """
    p = ekf.p_WI
    if p[0] * p[0] + p[1] * p[1] + p[2] * p[2] <= _FARTHEST_M**2:
        return
    shift_rows(ekf.P, p, ekf.active)
    shift_rows(ekf.P.T, p, ekf.active)
    in_odometry(p, odometry, odometry.origin_O)
    for c in range(len(ekf.active)):
        if ekf.active[c] != UNUSED:
            for i in range(3):
                ekf.contacts[c, i] -= p[i]
    for i in range(3):
        odometry.origin_W[i] += p[i]
        p[i] = 0.0


@struct_kernel
def shift_rows(P: Array, shift: Array, active: NDArray[np.int64]) -> None:
    """Adds to each position's rows of P what a shift (3,) of the origin changes: xi_R x shift."""
    x, y, z = shift[0], shift[1], shift[2]
    for j in range(P.shape[0]):
        a, b, c = P[ROTATION, j], P[ROTATION + 1, j], P[ROTATION + 2, j]
        for k in range(1 + len(active)):
            if k > 0 and active[k - 1] == UNUSED:
                continue
            row = POSITION if k == 0 else CONTACTS + SLOT_ROWS * (k - 1)
            P[row, j] += b * z - c * y
            P[row + 1, j] += c * x - a * z
            P[row + 2, j] += a * y - b * x
