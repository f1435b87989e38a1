"""The estimator of an arm: its joints, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from kilohertz.estimators.fixed_base import FixedBaseEstimator
from kilohertz.robots.model.robot_model import RobotModel

STEP_S = 1e-3


@pytest.fixture(scope="module")
def robot():
    return RobotModel.load("ur5")


def started(robot, q=0.3):
    row, estimator = robot.new_sensor_row(), FixedBaseEstimator(robot)
    row.q[:] = q
    estimator.reset(row)
    return row, estimator


def test_it_follows_a_moving_arm_with_less_noise_than_its_sensors(robot):
    row, estimator = started(robot, 0.0)
    rng = np.random.default_rng(0)
    phase = np.arange(robot.na)
    errors = []
    for k in range(1, 2000):
        t = k * STEP_S
        q, v = 0.2 * np.sin(3 * t + phase) - 0.2 * np.sin(phase), 0.6 * np.cos(3 * t + phase)
        row.q[:] = q + 1e-4 * rng.normal(size=robot.na)
        row.v[:] = v + 0.02 * rng.normal(size=robot.na)
        estimator.update(row, estimator.contact, STEP_S)
        errors.append(np.r_[estimator.q - q, estimator.v - v])
    rms = np.sqrt(np.mean(np.square(errors[500:]), axis=0))
    assert rms[: robot.na].max() < 0.6e-4
    assert rms[robot.na :].max() < 0.0135


def test_reset_starts_at_rest(robot):
    row, estimator = started(robot)
    np.testing.assert_array_equal(estimator.q, 0.3)
    np.testing.assert_array_equal(estimator.v, 0.0)
    q, v = estimator.q, estimator.v
    estimator.update(row, estimator.contact, STEP_S)
    assert estimator.q is q
    assert estimator.v is v


@pytest.mark.parametrize("field", ["q", "v"])
def test_a_bad_sample_is_refused(robot, field):
    row, estimator = started(robot)
    before = estimator.q.copy()
    getattr(row, field)[0] = np.nan
    estimator.update(row, estimator.contact, STEP_S)
    assert estimator.refused == 1
    np.testing.assert_array_equal(estimator.q, before)
    getattr(row, field)[0] = 0.3 if field == "q" else 0.0
    estimator.update(row, estimator.contact, STEP_S)
    np.testing.assert_allclose(estimator.q, before, atol=1e-9)


@pytest.mark.parametrize("dt_s", [0.0, -1.0, np.nan, np.inf, 10.0])
def test_a_clock_that_jumps_does_no_harm(robot, dt_s):
    row, estimator = started(robot)
    estimator.update(row, estimator.contact, dt_s)
    np.testing.assert_allclose(estimator.q, 0.3, atol=1e-9)


def test_what_is_not_an_arm_is_refused(robot):
    with pytest.raises(ValueError, match="g1 has a floating base"):
        FixedBaseEstimator(RobotModel.load("g1"))
    row = robot.new_sensor_row()
    row.q[0] = np.inf
    with pytest.raises(ValueError, match="finite"):
        FixedBaseEstimator(robot).reset(row)
