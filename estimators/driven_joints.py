"""Joint states of an arm, from its sensors and from the accelerations that its controller has commanded.

An observer that knows nothing of the commands has to allow for all accelerations of which the arm is capable,
so that it follows the measured velocity closely, with its noise. But the arm mostly does what it is told: the
commanded accelerations move the state, delayed as the torques are, and the Kalman filter of
`kilohertz.estimators.joint_observer` only has to find what differs from them. That is little, so that the
filter averages over more samples without a lag.

If it is more, as in a collision, while an arm is led by hand or where its commands are not followed, then the
innovations of successive samples have the same sign. Their correlation tells that apart from noise of any
size, and opens the filter until it is as fast as one without commands.

Source: input as in Kalman, "A new approach to linear filtering and prediction problems", 1960; correlation of
the innovations as in Mehra, "On the identification of variances and adaptive Kalman filtering", IEEE Trans.
Automatic Control 15(2), 1970.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.config import ArmGains
from kilohertz.estimators.joint_observer import (
    ROW_Q,
    Joints,
    believable_joints,
    observe_joints,
    time_shares,
    torques_at,
    velocities_at,
)
from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]

_DELAYS = 24
"""Number of periods for which commanded accelerations are kept; delays are at most 20 ms."""
_CORRELATION_S = 0.005
"""Time constant of the means of the innovations [s]."""
_NOISE_CORRELATION = 0.5
"""Correlation of successive innovations up to which they count as noise: over the few samples of the mean,
noise reaches it now and then."""
_EXPECTED = 0.5
"""Correlated part of the innovations that does not open the filter yet, over their expected variance."""


class Drive(NamedTuple):
    """Commanded accelerations of n joints, and what tells whether they are followed."""

    velocity_age_s: float
    """Age of the measured velocities relative to the positions of the same sample [s]: a velocity that comes
    from the difference of two positions is that of half a period ago. Without a correction the estimate of an
    accelerating joint is late by this age, and a hand on a circle is off by the centripetal acceleration
    times age times damping over stiffness."""
    delay_s: float
    """Time from a sample to the acceleration that answers it [s]."""
    surprise_rad_s2: float
    """SD of accelerations that are not commanded, once the filter is open [rad/s^2]."""
    slot: NDArray[np.int64]
    """(1,) index of the newest acceleration in `asked`."""
    asked: Array
    """(_DELAYS, n) ring of the commanded accelerations [rad/s^2]."""
    v: Array
    """(n,) scratch: measured velocities, advanced by their age [rad/s]."""
    innovation: Array
    """(n,) innovation of the velocities of the last sample [rad/s]."""
    square: Array
    """(n,) mean square of the innovations [rad^2/s^2]."""
    product: Array
    """(n,) mean product of successive innovations [rad^2/s^2]."""
    open: Array
    """(1,) how far the filter is open, from 0 to 1."""


def new_drive(config: ArmGains, surprise_rad_s2: float, na: int) -> Drive:
    """Returns a drive of na joints that have not been commanded yet.

    Args:
        config: age of the measured velocities, and delay of the torques.
        surprise_rad_s2: SD of accelerations that are not commanded, once the filter is open [rad/s^2].
        na: number of joints.
    """
    v, innovation, square, product = np.zeros((4, na))
    return Drive(
        velocity_age_s=float(config.velocity_age_s),
        delay_s=float(config.torque_delay_s),
        surprise_rad_s2=float(surprise_rad_s2),
        slot=np.zeros(1, np.int64),
        asked=np.zeros((_DELAYS, na)),
        v=v,
        innovation=innovation,
        square=square,
        product=product,
        open=np.zeros(1),
    )


def reset_drive(drive: Drive) -> None:
    """Resets a drive to joints at rest that are not commanded."""
    for array in drive[4:]:
        array[:] = 0.0


def command_joints(drive: Drive, vdot: Array, followed: bool) -> None:
    """Records the accelerations of this tick.

    Args:
        drive: written.
        vdot: (n,) commanded accelerations [rad/s^2].
        followed: whether the drives of the joints get the torques of these accelerations; if not, nothing is
            known of the accelerations.
    """
    slot = int(drive.slot[0]) + 1
    drive.slot[0] = slot = slot if slot < _DELAYS else 0
    drive.asked[slot] = vdot if followed else 0.0


@struct_kernel
def move_joints(joints: Joints, drive: Drive, v: Array, dt: float) -> None:
    """Moves the joints with the acceleration that was commanded for the last dt, and advances the velocities.

    Args:
        joints: the observer; positions and velocities are written.
        drive: commanded accelerations; `v` is written.
        v: (n,) measured velocities [rad/s].
        dt: time since the last sample [s].
    """
    periods = min(drive.delay_s / dt, _DELAYS - 2.0)
    whole = int(periods)
    part = periods - whole
    newest = drive.slot[0] + 2 * _DELAYS - whole
    later, earlier = newest % _DELAYS, (newest - 1) % _DELAYS
    for j in range(len(joints.q)):
        asked = (1.0 - part) * drive.asked[later, j] + part * drive.asked[earlier, j]
        # The filter moves the position with the velocity at the end of the period.
        joints.q[j] -= 0.5 * dt * dt * asked
        joints.v[j] += dt * asked
        drive.v[j] = v[j] + drive.velocity_age_s * (joints.vdot[j] + asked)


@struct_kernel
def open_filter(joints: Joints, drive: Drive, dt: float) -> None:
    """Adds process noise to the observer as far as the innovations show that the commands are not followed.

    Args:
        joints: the observer, with the commanded accelerations applied; its covariance is written.
        drive: written.
        dt: time since the last sample [s].
    """
    keep, to_v, _ = time_shares(joints.accel_time_s, dt)
    expected = joints.P[1, 1] + joints.velocity_variance_rad2_s2
    share = dt / (_CORRELATION_S + dt)
    most = 0.0
    for j in range(len(joints.q)):
        e = drive.v[j] - joints.v[j] - to_v * joints.vdot[j]
        drive.square[j] += share * (e * e - drive.square[j])
        drive.product[j] += share * (e * drive.innovation[j] - drive.product[j])
        drive.innovation[j] = e
        most = max(most, drive.product[j] - _NOISE_CORRELATION * drive.square[j])
    drive.open[0] = min(max(most / expected - _EXPECTED, 0.0), 1.0)
    more = drive.surprise_rad_s2**2 - joints.accel_sd_rad_s2**2
    joints.P[2, 2] += drive.open[0] * max(more, 0.0) * (1.0 - keep * keep)


@struct_kernel
def take_sample(row: Array, dt: float, joints: Joints, drive: Drive) -> bool:
    """Updates the observer with a sensor row.

    Args:
        row: data of the sensor row.
        dt: time since the last sample [s].
        joints: the observer, written.
        drive: commanded accelerations, and memory.

    Returns:
        False if the joint measurements or dt are not plausible; then nothing was changed.
    """
    na = len(joints.q)
    q, v = row[ROW_Q : ROW_Q + na], row[velocities_at(na) : torques_at(na)]
    if not (believable_joints(q, v) and dt > 0.0):
        return False
    move_joints(joints, drive, v, dt)
    open_filter(joints, drive, dt)
    observe_joints(joints, q, drive.v, dt)
    return True
