"""Joints whose commands are known: less noise and no lag as long as they follow, as fast as before if not."""

from __future__ import annotations

import numpy as np
import pytest

from kilohertz.estimators.config import ArmGains, JointObserverGains
from kilohertz.estimators.driven_joints import command_joints, new_drive, reset_drive, take_sample
from kilohertz.estimators.joint_observer import reset_joints
from kilohertz.estimators.kernel_setup import new_joints

STEP_S = 1e-3
ENCODER_RAD, VELOCITY_RAD_S = 1e-4, 0.02
ARM = ArmGains(torque_delay_s=0.002, velocity_age_s=0.0)
SWING_S, SWING_RAD_S = 0.5, 0.4
"""Period and amplitude of a swinging joint."""


def observer(na, surprise_rad_s2=0.6, most_rad_s2=15.0):
    """An observer of joints at rest, and their drive."""
    joints = new_joints(JointObserverGains(accel_rad_s2=surprise_rad_s2), na)
    reset_joints(joints, np.zeros(na))
    return joints, new_drive(ARM, most_rad_s2, na)


def errors(v_of, vdot_of, *, encoder_rad=0.0, velocity_rad_s=0.0, na=20, ticks=2000, **options):
    """Errors of the estimated velocities of joints that move as v_of(t); vdot_of(t) is what is commanded."""
    joints, drive = observer(na, **options)
    rng, q, off = np.random.default_rng(4), np.zeros(na), []
    for k in range(1, ticks + 1):
        t = k * STEP_S
        q = q + 0.5 * STEP_S * (v_of(t) + v_of(t - STEP_S))
        measured = [q + encoder_rad * rng.normal(size=na), v_of(t) + velocity_rad_s * rng.normal(size=na)]
        row = np.r_[0.0, t, measured[0], measured[1], np.zeros(na)]
        assert take_sample(row, STEP_S, joints, drive)
        off.append(joints.v - v_of(t))
        # The torque of this tick acts from 2 ms later on.
        command_joints(drive, np.full(na, vdot_of(t + 0.0025)), followed=True)
    return np.array(off)


def swing(t):
    return SWING_RAD_S * np.sin(2 * np.pi * t / SWING_S)


def swing_rate(t):
    return SWING_RAD_S * 2 * np.pi / SWING_S * np.cos(2 * np.pi * t / SWING_S)


def test_a_commanded_motion_is_estimated_without_lag():
    off = errors(swing, swing_rate)[500:]
    late = errors(swing, lambda t: 0.0, ticks=2000)[500:]
    assert np.abs(off).max() < 1e-3 * SWING_RAD_S
    assert np.abs(late).max() > 5 * np.abs(off).max()


def test_the_noise_is_a_third_of_that_of_an_observer_without_commands():
    noisy = {"encoder_rad": ENCODER_RAD, "velocity_rad_s": VELOCITY_RAD_S}
    known = errors(swing, swing_rate, **noisy)[500:]
    unknown = errors(swing, lambda t: 0.0, surprise_rad_s2=15.0, **noisy)[500:]
    # What chatters in the torque is the change from tick to tick.
    assert np.diff(known, axis=0).std() < np.diff(unknown, axis=0).std() / 3
    assert known.std() < 0.6 * unknown.std()


def test_an_unexpected_acceleration_opens_the_filter():
    def bump(t):
        return np.clip(40.0 * (t - 1.0), 0.0, 0.8)

    noisy = {"encoder_rad": ENCODER_RAD, "velocity_rad_s": VELOCITY_RAD_S, "ticks": 1100}
    off = np.abs(errors(bump, lambda t: 0.0, **noisy)[1000:].mean(axis=1))
    closed = np.abs(errors(bump, lambda t: 0.0, most_rad_s2=0.6, **noisy)[1000:].mean(axis=1))
    assert off.max() < 0.5 * closed.max()
    assert off.sum() < 0.3 * closed.sum()
    assert off[40:].max() < 0.01


def test_noise_of_any_size_does_not_open_it():
    rng = np.random.default_rng(5)
    for times in (0.1, 1.0, 10.0):
        joints, drive = observer(6)
        opened = []
        for k in range(2000):
            q, v = times * ENCODER_RAD * rng.normal(size=6), times * VELOCITY_RAD_S * rng.normal(size=6)
            take_sample(np.r_[0.0, k * STEP_S, q, v, np.zeros(6)], STEP_S, joints, drive)
            opened.append(drive.open[0])
        assert np.mean(np.array(opened) > 0.2) < 0.05 * max(times, 1.0)


def test_commands_that_are_not_followed_count_as_none():
    joints, drive = observer(2)
    for _ in range(10):
        command_joints(drive, np.array([3.0, -2.0]), followed=False)
        take_sample(np.zeros(8), STEP_S, joints, drive)
    np.testing.assert_array_equal(joints.v, 0.0)


def test_reset_forgets_commands():
    joints, drive = observer(2)
    command_joints(drive, np.array([3.0, -2.0]), followed=True)
    reset_drive(drive)
    for _ in range(5):
        take_sample(np.zeros(8), STEP_S, joints, drive)
    np.testing.assert_array_equal(joints.v, 0.0)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e5])
def test_rows_that_cannot_be_are_refused(place, value):
    joints, drive = observer(2)
    command_joints(drive, np.ones(2), followed=True)
    row = np.zeros(8)
    row[2 + place] = value
    before = np.stack([joints.q, joints.v, joints.vdot]), joints.P.copy()
    assert not take_sample(row, STEP_S, joints, drive)
    np.testing.assert_array_equal(np.stack([joints.q, joints.v, joints.vdot]), before[0])
    np.testing.assert_array_equal(joints.P, before[1])
    row[2 + place] = 0.1
    assert take_sample(row, STEP_S, joints, drive)
