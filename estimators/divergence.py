"""Detection of a diverged filter and of a wrong IMU, from the innovations of the contacts.

A foot that rolls, slips or lands causes a large innovation of its own contact only, which is no sign of
divergence. A wrong IMU causes large innovations of all closed contacts at once and for long. The criterion is
therefore the smallest innovation of all closed contacts, averaged over a twentieth of a second. The filter
can also explain a wrong IMU by rolling soles. Then all soles seem to rotate in the same direction, further
than is possible for a robot that does not fall. The bounds are tighter for a robot at rest than for one that
was pushed, rocks on its heels and lands on both soles at once, and tighter for a robot that stands than for
one that steps. In all phases, in single and in double support, `imu_watch` compares the accelerometer with
the acceleration computed from the legs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.inekf_layout import (
    POSITION_SURPRISE,
    ROTATION,
    ROTATION_SURPRISE,
    SOLE,
    UNUSED,
    ContactPoses,
    Filter,
)
from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]

WINDOW_S = 0.05
TURNING_S = 1.0
RISE_S, UNREST_S = 0.1, 1.0
_LARGEST_SHARE = 0.25
"""Largest weight of one sample in the average over WINDOW_S, also if it comes after a gap."""
QUIET_M_S = 0.08
_QUIET_DOUBT = 3.0
STEPPING_S, _STEPPING = 1.0, 2.2
"""Time for which a robot counts as stepping after it lifted a foot [s], and the factor on the bounds during
this time. A stepping robot rotates its soles further, by 8 deg if it is pushed while walking, and causes
large innovations of both contacts if it lands on its heels."""
_UNSEEN = 0.75
"""Factor on the bound of the rotation for soles whose wrench is not known."""
_LEGS_SHARE = 0.5
"""Weight of the contradiction between IMU and legs, squared, in the sum of what a wrong gyro causes."""
FINDING_S = 0.18
"""Time after a reset in which the filter still corrects the tilt, which came from a single sample [s]."""
_LEAST_CONTACTS = 2
_DISBELIEVED = 2.0


class Trust(NamedTuple):
    """Bounds of the divergence criteria; `doubt_filter` adapts them to a robot at rest or one that steps."""

    disagreement: float
    """Bound of `Doubt.disagreement`, a squared Mahalanobis distance."""
    tilt_variance_rad2: float
    """Bound of the sum of the variances of the rotation about x and y [rad^2]."""
    turn_rad: float
    """Bound of the common rotation of all closed soles [rad]."""
    gyro_turn_rad: float
    """Bound of `Doubt.gyro_turn_rad` [rad]."""
    opposed_m2_s3: float
    """Bound of `Doubt.opposed_m2_s3` [m^2/s^3]."""
    contradiction_m_s2: float
    """Bound of the contradiction between IMU and legs [m/s^2], see `watch_imu`."""


class Doubt(NamedTuple):
    """Quantities by which a diverged filter or a wrong IMU is detected."""

    doubt: Array
    """(1,) largest criterion as a fraction of its adapted bound; above 1 the estimate must not be used."""
    disagreement: Array
    """(1,) smallest squared Mahalanobis distance of a closed contact times their number, low-passed."""
    contradiction_m_s2: Array
    """(1,) difference between the accelerations from IMU and legs [m/s^2], see `watch_imu`."""
    opposed_m2_s3: Array
    """(1,) rate at which a measured acceleration increases the velocity difference between IMU and legs
    [m^2/s^3], see `watch_imu`; the IMU has suddenly rotated in its mount."""
    spun_rad: Array
    """(1,) recent rotation of the standing contacts according to gyro and joints [rad], see `watch_imu`."""
    gyro_turn_rad: Array
    """(1,) recent rotation of the standing contacts that can only be an error of the gyro [rad], see
    `gyro_watch`."""
    upright: Array
    """(nc, 2) horizontal components, in the world, of each sole's normal in the last sample."""
    turned_rad: Array
    """(nc, 2) recent tilt of each closed sole according to the filter, as the change of its normal [rad]."""
    speed_m_s: Array
    """(1,) low-passed speed of the IMU [m/s]."""
    stepping_s: Array
    """(1,) remaining time in which the robot counts as stepping [s]."""
    since_reset_s: Array
    """(1,) time since the last reset [s]; before FINDING_S innovations and soles are not checked."""


@struct_kernel
def doubt_filter(dt: float, ekf: Filter, poses: ContactPoses, trust: Trust, doubt: Doubt) -> None:
    """Computes how far the filter is from diverged, with all criteria of this module.

    Args:
        dt: time since the last accepted sample [s].
        ekf: the filter after this sample.
        poses: contact poses; the orientations in the IMU frame are used.
        trust: bounds of the criteria.
        doubt: written.
    """
    doubt.since_reset_s[0] += dt
    found = doubt.since_reset_s[0] > FINDING_S
    turn_soles(dt, found, ekf, poses, doubt)
    soles, turn = common_turn(ekf, doubt)
    closed, least = 0, math.inf
    for c in range(len(ekf.active)):
        if ekf.active[c] != UNUSED:
            closed += 1
            least = min(least, ekf.surprise[c, POSITION_SURPRISE] + ekf.surprise[c, ROTATION_SURPRISE])
    disagreement, stepping = doubt.disagreement, doubt.stepping_s
    if closed >= _LEAST_CONTACTS and found:
        # Updated only with enough closed contacts; otherwise the last value is held.
        disagreement[0] += min(_LARGEST_SHARE, dt / WINDOW_S) * (closed * least - disagreement[0])
    stepping[0] = STEPPING_S if closed < len(ekf.active) else max(stepping[0] - dt, 0.0)
    wider = 1.0 if stepping[0] == 0.0 else _STEPPING
    # Both are tighter for a robot at rest, but not the innovations: coarse encoders that begin to move cause
    # larger ones than they did at rest.
    total = disagreement[0] / (wider * trust.disagreement)
    quiet = recent_speed(dt, ekf, doubt) < QUIET_M_S
    if soles >= _LEAST_CONTACTS:
        total = max(total, (_QUIET_DOUBT if quiet else 1.0) * turn / (wider * trust.turn_rad))
    spun = (_QUIET_DOUBT if quiet else 1.0) * doubt.spun_rad[0] / (_UNSEEN * trust.turn_rad)
    # A wrong IMU causes all three at once. Soles of a good one that roll over their edges spin, but the body
    # moves along with them; and when feet slip or land, they hardly spin.
    gyro = doubt.gyro_turn_rad[0] / trust.gyro_turn_rad
    legs = doubt.contradiction_m_s2[0] / trust.contradiction_m_s2
    total = max(total, math.sqrt(spun * spun + gyro * gyro + _LEGS_SHARE * legs * legs))
    total = max(total, doubt.opposed_m2_s3[0] / trust.opposed_m2_s3)
    # Written as "not <=", here and below, so that NaN counts as diverged.
    if not legs <= total:
        total = legs
    tilt = ekf.P[ROTATION, ROTATION] + ekf.P[ROTATION + 1, ROTATION + 1]
    if not tilt <= trust.tilt_variance_rad2:
        total = _DISBELIEVED
    doubt.doubt[0] = total


@struct_kernel
def turn_soles(dt: float, found: bool, ekf: Filter, poses: ContactPoses, doubt: Doubt) -> None:
    """Updates the recent tilt of each sole according to the filter.

    Args:
        dt: time since the last accepted sample [s].
        found: whether the tilt of the filter has converged since the last reset.
        ekf: the filter.
        poses: contact poses; the orientations in the IMU frame are used.
        doubt: `upright` and `turned_rad` are written.
    """
    R, R_IF, upright, turned = ekf.R_WI, poses.R_IF, doubt.upright, doubt.turned_rad
    for c in range(len(ekf.active)):
        for i in range(2):
            normal = R[i, 0] * R_IF[c, 0, 2] + R[i, 1] * R_IF[c, 1, 2] + R[i, 2] * R_IF[c, 2, 2]
            change = normal - upright[c, i]
            upright[c, i] = normal
            turned[c, i] += change - min(1.0, dt / TURNING_S) * turned[c, i]
            if ekf.active[c] != SOLE or not found:
                turned[c, i] = 0.0


@struct_kernel
def common_turn(ekf: Filter, doubt: Doubt) -> tuple[int, float]:
    """Returns the number of closed soles, and the angle by which all of them rotated the same way [rad]."""
    soles, turn, way_x, way_y = 0, math.inf, 0.0, 0.0
    for c in range(len(ekf.active)):
        if ekf.active[c] == SOLE:
            soles += 1
            x, y = doubt.turned_rad[c, 0], doubt.turned_rad[c, 1]
            if soles > 1 and x * way_x + y * way_y <= 0.0:
                turn = 0.0
            way_x, way_y = x, y
            turn = min(turn, math.sqrt(x * x + y * y))
    return soles, turn


@struct_kernel
def recent_speed(dt: float, ekf: Filter, doubt: Doubt) -> float:
    """Returns the low-passed speed of the IMU [m/s], and writes it to `speed_m_s`."""
    recent, v = doubt.speed_m_s, ekf.v_WI
    speed = math.sqrt(v[0] ** 2 + v[1] ** 2 + v[2] ** 2)
    # A push takes some time to move the robot, and the motion it causes lasts longer than the push.
    share = min(1.0, dt / (RISE_S if speed > recent[0] else UNREST_S))
    average: float = recent[0] + share * (speed - recent[0])
    recent[0] = average
    return average
