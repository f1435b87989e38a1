"""Detection of a wrong gyro: standing soles seem to rotate, and the base moves as if the gyro were wrong.

According to a gyro with a bias all standing soles rotate, and by their lever arm the base has a velocity that
the accelerometer never measured. A real robot's soles do rotate: it rolls over the edges of its feet. Then,
the accelerometer measures the motion too. The rotation is therefore counted only to the share to which the
velocity from the legs differs from that of a small observer, which integrates the accelerometer, by the
product of this rotation and the lever arm. Only horizontal axes are used: the arm of a rotation about the
vertical is too short, and such a rotation does not spoil the tilt.

On ice soles slide, and rock while they slide, so that both velocities differ as well. The filter knows that
they slide: the velocity from the legs then differs from that of the filter too, by more than the rotation
explains. The faster they slide the less the rotation counts.

Source: that a change of the gyro's bias is seen in the velocity from the legs is the observability of Hartley
et al., "Contact-aided invariant extended Kalman filtering for robot state estimation", IJRR 2020, section 7.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.divergence import Doubt
from kilohertz.estimators.imu_watch import STARTING_S, ImuWatch
from kilohertz.estimators.inekf_layout import Filter
from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]

FOLLOWING_PER_S = 3.0
"""Poles of the observer [1/s]; slower than those of `imu_watch`, so that it remembers a sudden change."""
SLIPPING_M_S = 0.03
"""Limit on the velocity difference between legs and observer by which its acceleration is corrected [m/s]."""
SMOOTHING_S = 0.02
"""Time constant of the low-pass on velocity difference and rotation [s]; coarse encoders move in steps."""
SHARING_S = 0.03
"""Time constant of the averages from which the share is computed [s]."""
FORGETTING_S = 0.3
"""Time constant with which the rotation is forgotten [s]."""
NOISE_M_S = 0.05
"""Velocity difference below which the share is not significant [m/s]."""
SLIDING_M_S = 0.2
"""Velocity with which soles must slide, according to the filter, for their rotation to count less [m/s]."""
COUNTED_RAD_S, FASTEST_RAD_S = 1.0, 4.0
"""Rate up to which a rotation is counted, and above which it is not [rad/s]: a foot that slams down on its
edge rotates by 10 deg within 10 ms, and so large an error of the gyro contradicts all contacts anyway."""
_LONGEST_S, _LONGEST_TURN_S = 0.01, 0.03
"""Longest time between samples for which the observer is corrected, and for which a rotation is counted [s]:
the legs were not observed during a pause."""


class GyroWatch(NamedTuple):
    """State of the observer that compares gyro, legs and accelerometer; all vectors are in world axes."""

    speed: Array
    """(3,) velocity of the IMU according to the observer [m/s]."""
    lack: Array
    """(3,) acceleration that the observer adds to that of the accelerometer [m/s^2]."""
    off: Array
    """(3,) velocity of the IMU from the legs minus `speed`, low-passed [m/s]."""
    expected: Array
    """(3,) the same difference if all of the soles' rotation were an error of the gyro, low-passed [m/s]."""
    slide: Array
    """(3,) velocity of the IMU from the legs minus that of the filter, low-passed [m/s]."""
    power: Array
    """(2,) low-passed products of `expected` with `off` and with itself [m^2/s^2]."""
    turned: Array
    """(2,) recent rotation of the soles about x and y that counts as an error of the gyro [rad]."""


@struct_kernel
def watch_gyro(dt: float, ekf: Filter, watch: ImuWatch, gyro_watch: GyroWatch, doubt: Doubt) -> None:
    """Computes how far soles have rotated of late that must stand, because the gyro is wrong.

    Args:
        dt: time since the last accepted sample [s].
        ekf: the filter after this sample; its velocity is read.
        watch: what `watch_imu` found in this sample; `legs`, `sole_spin`, `arm`, `acceleration` are read.
        gyro_watch: state of the observer, written.
        doubt: `gyro_turn_rad` is written; it is 0 before STARTING_S.
    """
    speed, lack, off, expected = gyro_watch.speed, gyro_watch.lack, gyro_watch.off, gyro_watch.expected
    power, turned, slide = gyro_watch.power, gyro_watch.turned, gyro_watch.slide
    legs, arm = watch.legs, watch.arm
    spin_x, spin_y = watch.sole_spin[0], watch.sole_spin[1]
    stands = 1.0 if watch.load_N[0] > 0.0 else 0.0
    follow, gain = 1.0 - math.exp(-dt / SMOOTHING_S), FOLLOWING_PER_S * min(dt, _LONGEST_S)
    for i in range(3):
        if i == 0:
            product = spin_y * arm[2]
        elif i == 1:
            product = -spin_x * arm[2]
        else:
            product = spin_x * arm[1] - spin_y * arm[0]
        off[i] += follow * (stands * (legs[i] - speed[i]) - off[i])
        expected[i] += follow * (product - expected[i])
        slide[i] += follow * (stands * (legs[i] - ekf.v_WI[i]) - slide[i])
    size = math.sqrt(off[0] * off[0] + off[1] * off[1] + off[2] * off[2])
    part = SLIPPING_M_S / size if size > SLIPPING_M_S else 1.0
    both = off[0] * expected[0] + off[1] * expected[1] + off[2] * expected[2]
    own = expected[0] * expected[0] + expected[1] * expected[1] + expected[2] * expected[2]
    average = 1.0 - math.exp(-dt / SHARING_S)
    power[0] += average * (both - power[0])
    power[1] += average * (own - power[1])
    share = min(max(power[0] / max(power[1], NOISE_M_S * NOISE_M_S), 0.0), 1.0)
    share *= standing_share(share, slide, expected)
    rate = math.sqrt(spin_x * spin_x + spin_y * spin_y)
    counted = share * min(dt, _LONGEST_TURN_S) if rate < FASTEST_RAD_S else 0.0
    if rate > COUNTED_RAD_S:
        counted *= COUNTED_RAD_S / rate
    forget = min(1.0, dt / FORGETTING_S)
    turned[0] += counted * spin_x - forget * turned[0]
    turned[1] += counted * spin_y - forget * turned[1]
    starting = doubt.since_reset_s[0] < STARTING_S
    for i in range(3):
        speed[i] += dt * (watch.acceleration[i] + lack[i]) + 2.0 * gain * off[i]
        lack[i] += FOLLOWING_PER_S * gain * off[i] * part
        if starting:
            speed[i] = legs[i]
            lack[i] = 0.0
            off[i] = 0.0
    if starting:
        turned[0] = 0.0
        turned[1] = 0.0
    doubt.gyro_turn_rad[0] = math.sqrt(turned[0] * turned[0] + turned[1] * turned[1])


@struct_kernel
def standing_share(share: float, slide: Array, expected: Array) -> float:
    """Returns how far the soles count as standing, in (0, 1]; it is less than 1 for soles that slide fast.

    Args:
        share: share of the rotation that is the gyro's, as far as it is known.
        slide: (3,) velocity of the IMU from the legs minus that of the filter [m/s].
        expected: (3,) velocity of the IMU if all of the soles' rotation were an error of the gyro [m/s].
    """
    # With a wrong gyro, the filter may or may not follow the legs yet.
    behind, along = 0.0, 0.0
    for i in range(3):
        rest = slide[i] - share * expected[i]
        behind += rest * rest
        along += slide[i] * slide[i]
    square = min(behind, along)
    return SLIDING_M_S * SLIDING_M_S / square if square > SLIDING_M_S * SLIDING_M_S else 1.0
