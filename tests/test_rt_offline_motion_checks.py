"""Velocities and gyro of a log against the motion of its joints: silent where they fit."""

from pathlib import Path

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.offline.csv_table import Table
from kilohertz.rt.offline.findings import Findings
from kilohertz.rt.offline.motion_checks import check_gyro, check_velocities, integral, windows_of

N, PERIOD_S = 800, 0.01
LEG = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")


@pytest.fixture(scope="module")
def g1():
    return RobotModel.load("g1")


@pytest.fixture(scope="module")
def motion(g1):
    """Times with jitter, joint positions and velocities, and gyro of a G1 that turns about planted soles."""
    rng = np.random.default_rng(2)
    t = PERIOD_S * np.arange(N)
    q = np.tile(g1.q_nominal[7:], (N, 1))
    v = np.zeros((N, g1.na))
    for k, name in enumerate(LEG):
        w, size = 2.0 + 0.7 * k, 0.1 + 0.02 * k
        for side in ("left", "right"):
            j = g1.joint_names.index(f"{side}_{name}_joint")
            q[:, j] += size * np.sin(w * t)
            v[:, j] = size * w * np.cos(w * t)
    data, full = g1.pin_model.createData(), np.array(g1.q_nominal)
    R_FI = []
    for row in q:
        full[7:] = row
        pin.framesForwardKinematics(g1.pin_model, data, full)
        R_FI.append(data.oMf[g1.contacts[0].frame_id].rotation.T @ data.oMf[g1.imu_frame_id].rotation)
    turns = np.array([pin.log3(a.T @ b) / PERIOD_S for a, b in zip(R_FI[:-2], R_FI[2:], strict=True)]) / 2.0
    gyro = np.vstack((turns[:1], turns, turns[-1:])) + 0.005 * rng.normal(size=(N, 3))
    # A clock read late by up to half a period, and encoders with 1 mrad resolution.
    return t + 0.4 * PERIOD_S * rng.uniform(size=N), np.round(q, 3), v, gyro


def table():
    return Findings(Table(Path("log.csv"), ("t_s",), np.zeros((N, 1)), np.arange(2, N + 2)))


def velocity_refusal(robot, t, q, v):
    with pytest.raises(ConfigError) as refused:
        check_velocities(table(), robot, t, q, v)
    return str(refused.value)


def gyro_refusal(robot, t, q, gyro):
    with pytest.raises(ConfigError) as refused:
        check_gyro(table(), robot, t, q, gyro)
    return str(refused.value)


def test_windows_leave_out_gaps_and_hold_the_integral(motion):
    t = np.r_[motion[0][:400], motion[0][400:] + 5.0]
    windows = windows_of(t)
    span = t[windows.last] - t[windows.first]
    assert 0.08 < span.min() <= span.max() < 0.15
    np.testing.assert_allclose(integral(t, np.full((N, 2), 3.0), windows)[:, 1], 3.0 * span)


def test_a_log_that_fits_says_nothing_also_with_jitter_and_at_other_rates(g1, motion):
    t, q, v, gyro = motion
    for every in (1, 2, 5):
        part = slice(None, None, every)
        assert check_velocities(table(), g1, t[part], q[part], v[part]) == []
        assert check_gyro(table(), g1, t[part], q[part], gyro[part]) == []


def test_velocities_of_another_joint_sign_or_unit_are_refused(g1, motion):
    t, q, v, _ = motion
    a, b = (g1.joint_names.index(f"left_{name}_joint") for name in ("hip_pitch", "knee"))
    swapped, turned = v.copy(), v.copy()
    swapped[:, [a, b]] = v[:, [b, a]]
    assert "but v_left_knee_joint does: check the order" in velocity_refusal(g1, t, q, swapped)
    turned[:, a] *= -1.0
    assert "v_left_hip_pitch_joint has the opposite sign" in velocity_refusal(g1, t, q, turned)
    assert "as if in deg/s" in velocity_refusal(g1, t, q, np.rad2deg(v))
    assert "as if in degrees" in velocity_refusal(g1, t, np.rad2deg(q), v)


def test_velocities_that_are_zero_unrelated_or_of_another_clock_are_told_in_one_sentence(g1, motion):
    t, q, v, _ = motion
    (note,) = check_velocities(table(), g1, t, q, 0.0 * v)
    assert "and 9 more are 0 while their positions change" in note
    (note,) = check_velocities(table(), g1, 2.0 * t, q, v)
    assert "12 of 12 joints change 0.5 times as fast" in note
    strange = v.copy()
    strange[:, 0] = np.random.default_rng(0).normal(size=N)
    (note,) = check_velocities(table(), g1, t, q, strange)
    assert note.startswith(f"the velocities of {g1.joint_names[0]} do not follow")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: -w, "opposite sign of the turning that the legs show"),
        (lambda w: 0.0 * w, "gyro is 0 while"),
        (np.rad2deg, "as if in deg/s"),
        (lambda w: 0.4 * w, "check the unit of t_s"),
        (lambda w: w[:, [1, 0, 2]], "gyro_x = gyro_y, gyro_y = gyro_x, gyro_z = gyro_z"),
        (lambda w: w * [1, -1, 1], "gyro_x = gyro_x, gyro_y = -gyro_y, gyro_z = gyro_z"),
        (lambda w: w * [-1, -1, 1], "or if rpy_BI_rad of the imu in robot.yaml were [0.00, 0.00, 3.14]"),
    ],
)
def test_a_gyro_that_contradicts_the_legs_is_refused_with_the_cause(g1, motion, change, sentence):
    t, q, _, gyro = motion
    assert sentence in gyro_refusal(g1, t, q, change(gyro))


def test_a_gyro_of_another_motion_is_told(g1, motion):
    t, q, _, gyro = motion
    (note,) = check_gyro(table(), g1, t, q, np.roll(gyro, 130, axis=0))
    assert "does not fit the gyro" in note


def test_a_robot_at_rest_or_on_points_says_nothing_about_its_gyro(g1, motion):
    t, q, _, gyro = motion
    assert check_gyro(table(), g1, t, np.tile(q[0], (N, 1)), -gyro) == []
    bolt = RobotModel.load("bolt")
    assert check_gyro(table(), bolt, t, np.tile(bolt.q_nominal[7:], (N, 1)), -gyro) == []
