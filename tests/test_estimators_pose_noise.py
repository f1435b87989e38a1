"""Adaptation of the noise of contact poses: on white noise, on coarse encoders, and on a real robot."""

from __future__ import annotations

from functools import cache, partial

import icub_log
import numpy as np
import pinocchio as pin
import pytest
from swaying_robot import STEP_S, Noise, sway

from kilohertz.estimators.config import EstimatorGains
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.robots.model.robot_model import RobotModel

robot_of = cache(partial(RobotModel.load, stands=False))
motion_of = cache(lambda name: sway(robot_of(name), 2.0))
BOTH = np.array([True, True])


def spread_after(change, config=None):
    """Logarithms of the factors on the covariances after two seconds of swaying."""
    robot, motion = robot_of("g1"), motion_of("g1")
    estimator, noise = FloatingBaseEstimator(robot, config), Noise(robot, 0)
    for k in range(len(motion.q)):
        row = noise.sample(motion, k)
        change(row)
        estimator.reset(row) if k == 0 else estimator.update(row, BOTH, STEP_S)
    return estimator._pose_noise.spread.copy()


def coarse(row):
    row.q[:] = 1.5e-3 * np.rint(row.q / 1.5e-3)


def test_the_noise_grows_with_coarse_encoders_only():
    fine = spread_after(lambda row: None)
    rough = spread_after(coarse)
    assert (np.exp(0.5 * fine) < 1.2).all()
    assert np.exp(0.5 * rough[0]) > 1.3 * np.exp(0.5 * fine[0])


def test_without_adaptation_the_noise_stays_as_configured():
    config = EstimatorGains(adaptation_time_s=0.0)
    np.testing.assert_array_equal(spread_after(coarse, config), 0.0)


def test_the_noise_stays_below_its_largest():
    config = EstimatorGains(largest_bend_factor=2.0)
    assert (np.exp(0.5 * spread_after(coarse, config)) <= 2.0 + 1e-12).all()


@pytest.mark.skipif(not icub_log.FOLDER.is_dir(), reason="reference data icub/ is not here")
@pytest.mark.closed_loop
@pytest.mark.parametrize(
    ("name", "bar_cm", "bar_deg"), [("walking", (3.0, 4.0, 1.0), 1.2), ("comsin", (0.6, 2.0, 0.4), 1.5)]
)
@pytest.mark.parametrize("rate", ["native", "held", "interpolated"])
def test_a_real_robot_is_tracked_by_the_defaults(name, bar_cm, bar_deg, rate):
    """Coarse encoders, jitter, pauses and unknown torques, against Vicon."""
    robot = robot_of(icub_log.ROBOT)
    log = icub_log.Log(robot, name, rate)
    estimator, row = FloatingBaseEstimator(robot), robot.new_sensor_row()
    log.fill(row, 0)
    estimator.reset(row)
    poses = [estimator.q[:7].copy()]
    for i in range(1, len(log.t)):
        log.fill(row, i)
        estimator.update(row, BOTH, log.t[i] - log.t[i - 1])
        poses.append(estimator.q[:7].copy())
    R_WB = [icub_log.orientation(q) for q in poses]
    turn = pin.utils.rotate("z", icub_log.yaw(log.R_WB[0]) - icub_log.yaw(R_WB[0]))
    p_WB = np.array(poses)[:, :3]
    off = (p_WB - p_WB[0]) @ turn.T - (log.p_WB - log.p_WB[0])
    rms_cm = 100.0 * np.sqrt(np.mean(off**2, axis=0))
    assert (rms_cm <= bar_cm).all(), rms_cm
    tilt = [icub_log.tilt_deg(a, b) for a, b in zip(R_WB, log.R_WB, strict=True)]
    assert np.sqrt(np.mean(np.square(tilt))) <= bar_deg
