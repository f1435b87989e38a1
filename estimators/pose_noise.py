"""Adaptation of the noise of the contact poses to the innovations of the filter.

Encoders of a real leg have coarse steps, and backlash and bending change slowly. Their errors are larger
than those of good sensors, and repeat from sample to sample, so that many samples tell no more than a few.
The noise that matters to the filter is therefore the one at low frequency: the low-passed innovations, each
divided by its standard deviation, are compared with white noise of unit variance after the same low-pass.
While they are larger, the covariance of the contact poses is increased; while they are smaller, it is
decreased to no less than the configured one. A fault grows faster than the covariance does.

Source: the comparison of innovations with their covariance is that of Mehra, "On the identification of
variances and adaptive Kalman filtering", IEEE Trans. Automatic Control, 1970.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.contact_detection import Contacts
from kilohertz.estimators.divergence import Doubt
from kilohertz.estimators.inekf_layout import SOLE, UNUSED, ContactPoses, Filter
from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]

SAMPLE_S = 1e-3
"""Period at which the configured noises are those of one sample [s]; at other periods their spectral
densities hold."""
_SMOOTHING_S = 0.03
"""Time constant of the low-pass on the innovations [s]."""
_RAREST_S = 0.02
"""Longest period at which the noise counts as a density [s]."""
_STEADY_S = 0.1
"""Time after closing in which the innovations of a contact are not used [s]: its sole may still settle."""
_FIRST_S = 0.05
"""Shortest time constant of the adaptation, right after a reset [s]."""
_MOST = 8.0
"""Largest ratio of measured to expected innovation that is used, so that one jolt has little effect."""
_EXPECTED = 2.0
"""Ratio above which the covariance is increased; the one of white noise, 1 on average, is seldom larger."""
_FORGETTING = 0.2
"""Rate of a decrease of the covariance as a fraction of that of an increase: a robot that rests between two
motions must not forget what its encoders are like in motion."""
_POSITION, _ROTATION = 0, 1


class PoseNoise(NamedTuple):
    """Configured and adapted noise of the contact poses."""

    position: Array
    """(nc, 3, 3) configured covariance of the positions at SAMPLE_S [m^2]."""
    rotation: Array
    """(nc, 3, 3) configured covariance of the orientations at SAMPLE_S [rad^2]."""
    smooth: Array
    """(nc, 2, 3) low-passed innovations of position and orientation, in standard deviations."""
    spread: Array
    """(2,) logarithm of the factor on the covariances of position and orientation, >= 0."""
    time_s: float
    """Time constant of the adaptation [s]; 0 for none."""
    most: float
    """Largest value of `spread`."""


@struct_kernel
def set_pose_noise(dt: float, poses: ContactPoses, pose_noise: PoseNoise) -> None:
    """Writes the covariances of the contact poses for a sample that comes dt [s] after the last one.

    Args:
        dt: time since the last accepted sample [s].
        poses: the covariances are written.
        pose_noise: configured noise, and the factors on it.
    """
    # After a gap, one sample is no better than those before it.
    share = SAMPLE_S / min(dt, _RAREST_S)
    # A single sample is no better than configured, even if samples are rare.
    on_position = max(1.0, share * math.exp(pose_noise.spread[_POSITION]))
    on_rotation = max(1.0, share * math.exp(pose_noise.spread[_ROTATION]))
    for c in range(len(poses.wanted)):
        for i in range(3):
            for j in range(3):
                poses.position_covariance[c, i, j] = on_position * pose_noise.position[c, i, j]
                poses.rotation_covariance[c, i, j] = on_rotation * pose_noise.rotation[c, i, j]


@struct_kernel
def adapt_pose_noise(dt: float, ekf: Filter, contacts: Contacts, doubt: Doubt, pose_noise: PoseNoise) -> None:
    """Adapts the factors on the covariances to the innovations of this sample.

    Args:
        dt: time since the last accepted sample [s].
        ekf: the filter after this sample.
        contacts: the contacts; `age_s` is read.
        doubt: the time since the last reset is read.
        pose_noise: `smooth` and `spread` are written.
    """
    if pose_noise.time_s <= 0.0:
        return
    # After a reset nothing is known about the noise, so that the first samples count for more.
    time_s = min(pose_noise.time_s, max(_FIRST_S, doubt.since_reset_s[0]))
    follow = 1.0 - math.exp(-dt / _SMOOTHING_S)
    # Variance of unit white noise after the low-pass, for three components.
    expected = 3.0 * follow / (2.0 - follow)
    for kind in range(2):
        used, total = 0, 0.0
        for c in range(len(ekf.active)):
            steady = ekf.active[c] != UNUSED and contacts.age_s[c] > _STEADY_S
            if kind == _ROTATION and ekf.active[c] != SOLE:
                steady = False
            square = 0.0
            for i in range(3):
                last = pose_noise.smooth[c, kind, i]
                now = last + follow * (ekf.white[c, kind, i] - last) if steady else 0.0
                pose_noise.smooth[c, kind, i] = now
                square += now * now
            if steady:
                used += 1
                total += min(square / expected, _MOST)
        if used > 0:
            excess = total / used - _EXPECTED
            share = min(dt / time_s, 1.0)
            change = share * excess if excess > 0.0 else _FORGETTING * share * max(excess, -1.0)
            pose_noise.spread[kind] = min(max(pose_noise.spread[kind] + change, 0.0), pose_noise.most)
