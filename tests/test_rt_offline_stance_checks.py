"""Joints, IMU and forces of a biped's log against each other: silent where right, named where wrong."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pinocchio as pin
import pytest
from icub_log import FOLDER, ROBOT, Log
from stepping_log import N, stepping_log

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.offline.csv_table import Table
from kilohertz.rt.offline.findings import Findings
from kilohertz.rt.offline.stance import Signals
from kilohertz.rt.offline.stance_checks import check_stance, leg_pairs

UNKNOWN = np.full((N, 3), np.nan)


@pytest.fixture(scope="module")
def talos():
    return RobotModel.load("talos")


@pytest.fixture(scope="module")
def log(talos):
    return stepping_log(talos)


def check(robot, log, rpy=None):
    n = len(log.t_s)
    findings = Findings(Table(Path("log.csv"), ("t_s",), np.zeros((n, 1)), np.arange(2, n + 2)))
    return check_stance(findings, robot, log, np.full((n, 3), np.nan) if rpy is None else rpy)


def refusal(robot, log, rpy=None):
    with pytest.raises(ConfigError) as refused:
        check(robot, log, rpy)
    return str(refused.value)


def exchanged(robot, log, which):
    q = np.array(log.q)
    for a, b in leg_pairs(robot)[which]:
        q[:, [a, b]] = q[:, [b, a]]
    return replace(log, q=q)


def turned(robot, log, pitch_rad):
    R_BI = robot.pin_model.frames[robot.imu_frame_id].placement.rotation
    R = R_BI.T @ pin.rpy.rpyToMatrix(0.0, pitch_rad, 0.0) @ R_BI
    return replace(log, gyro=log.gyro @ R.T, accel=log.accel @ R.T)


def late(log, samples):
    return replace(log, gyro=np.roll(log.gyro, samples, axis=0), accel=np.roll(log.accel, samples, axis=0))


def offset(log, joint, rad):
    q = np.array(log.q)
    q[:, joint] += rad
    return replace(log, q=q)


def test_a_log_that_fits_says_nothing_also_at_other_rates_and_without_forces(talos, log):
    for every in (1, 2):
        part = Signals(*(values[::every] for values in vars(log).values()))
        assert check(talos, part) == []
    assert check(talos, replace(log, force_N=np.full_like(log.force_N, np.nan))) == []


def test_robots_without_two_flat_soles_are_passed(log):
    assert check(RobotModel.load("bolt"), log) == []


@pytest.mark.parametrize("which", [slice(0, 3), slice(1, 2), slice(3, 4)])
def test_exchanged_joints_of_left_and_right_are_refused_by_name(talos, log, which):
    text = refusal(talos, exchanged(talos, log, which))
    a, b = leg_pairs(talos)[which][0]
    assert f"exchanged columns of {talos.joint_names[a]} and {talos.joint_names[b]}" in text
    assert text.endswith("--accept joints-exchanged")


def test_exchanged_forces_are_refused(talos, log):
    assert "exchange the two columns" in refusal(talos, replace(log, force_N=log.force_N[:, ::-1]))


@pytest.mark.parametrize(("samples", "sentence"), [(5, "50 ms late"), (-5, "50 ms early")])
def test_an_imu_that_is_late_or_early_is_refused_with_the_delay(talos, log, samples, sentence):
    assert sentence in refusal(talos, late(log, samples))


def test_an_imu_that_is_a_little_late_is_a_note(talos, log):
    (note,) = check(talos, late(log, 3))
    assert "30 ms late" in note


def test_a_joint_with_another_zero_is_refused_and_the_leg_named(talos, log):
    knee = leg_pairs(talos)[3][0]
    text = refusal(talos, offset(log, knee, 0.2))
    assert "left_foot is not level" in text
    assert "rad, for example" in text
    (note,) = check(talos, offset(log, knee, 0.09))
    assert "deg from parallel" in note


def test_a_turned_imu_is_a_note_on_unknown_ground_and_refused_if_the_truth_says_so(talos, log):
    (note,) = check(talos, turned(talos, log, 0.1))
    assert "on level ground, rpy_BI_rad" in note
    level = np.zeros((N, 3))
    assert check(talos, log, level) == []
    assert "accept imu-mounting" in refusal(talos, turned(talos, log, 0.17), level)
    # The same accelerometer on a slope, which the truth shows as well.
    slope = np.tile([0.0, -0.17, 0.0], (N, 1))
    (note,) = check(talos, turned(talos, log, 0.17), slope)
    assert "on level ground" in note


@pytest.mark.skipif(not FOLDER.exists(), reason="the logs of the iCub are not here")
@pytest.mark.parametrize("name", ["walking", "comsin"])
def test_logs_of_a_real_robot_pass_and_their_spoiled_copies_are_refused(name):
    robot = RobotModel.load(ROBOT, stands=False)
    log, na = Log(robot, name), robot.na
    values = log.values
    parts = (values[:, :na], values[:, 2 * na : 2 * na + 3], values[:, 2 * na + 3 : 2 * na + 6])
    signals = Signals(log.t, *parts, values[:, 2 * na + 6 :])
    assert check(robot, signals) == []
    assert "exchanged columns of l_hip_pitch and r_hip_pitch" in refusal(
        robot, exchanged(robot, signals, slice(0, 3))
    )
    knee = robot.joint_names.index("l_knee")
    assert "left_foot is not level" in refusal(robot, offset(signals, knee, 0.2))
    if name == "walking":
        assert "exchange the two columns" in refusal(
            robot, replace(signals, force_N=signals.force_N[:, ::-1])
        )
        assert "ms late" in refusal(robot, late(signals, 5))
