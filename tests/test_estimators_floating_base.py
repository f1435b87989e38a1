"""The floating-base estimator on robots that sway, start, lose sensors and stand on slopes."""

from __future__ import annotations

from collections import deque
from functools import cache

import numpy as np
import pinocchio as pin
import pytest
from swaying_robot import GRAVITY, STEP_S, Noise, sway, tilt_deg

from kilohertz.estimators.config import EstimatorGains
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario import load_scenario
from kilohertz.sim.simulated_robot import SimulatedRobot

robot_of = cache(RobotModel.load)
# Two seconds: one to settle, one to judge.
motion_of = cache(lambda name: sway(robot_of(name), 2.0))
BOTH = np.array([True, True])


def run(name, seed=0, config=None, ticks=None, change=None, scale=1.0):
    """Runs the estimator over the motion; yields after every tick."""
    robot, motion = robot_of(name), motion_of(name)
    estimator, noise = FloatingBaseEstimator(robot, config), Noise(robot, seed, scale)
    for k in range(ticks or len(motion.q)):
        row = noise.sample(motion, k)
        if k == 0:
            estimator.reset(row)
        else:
            if change is not None:
                change(k, row)
            estimator.update(row, BOTH, STEP_S)
        yield k, estimator, noise


def last(ticks):
    """Runs to the end; what the last tick yielded."""
    return deque(ticks, maxlen=1).pop()


@pytest.mark.parametrize("name", ["g1", "talos"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.closed_loop
def test_swaying_base_is_known_to_5_mm_per_second_and_a_third_of_a_degree(name, seed):
    motion = motion_of(name)
    velocity, tilt, joints, force = [], [], [], []
    for k, estimator, _ in run(name, seed):
        if k < 1000:
            continue
        velocity.append(estimator.v[:3] - motion.v[k, :3])
        tilt.append(tilt_deg(estimator.q, motion.q[k]))
        joints.append(estimator.v[6:] - motion.v[k, 6:])
        force.append(estimator.normal_force_N - motion.normal_force_N[k])
        assert estimator.contact.all()
    assert (np.sqrt(np.mean(np.square(velocity), axis=0)) <= 0.005).all()
    assert np.sqrt(np.mean(np.square(tilt))) <= 0.3
    assert np.sqrt(np.mean(np.square(joints))) < 0.015
    assert np.sqrt(np.mean(np.square(force))) < 0.08 * robot_of(name).mass_kg * 9.81


@pytest.mark.parametrize(
    ("joint", "swing_rad", "velocity_bar"), [("hip_roll", 0.02, 0.007), ("ankle_pitch", 0.02, 0.01)]
)
@pytest.mark.closed_loop
def test_a_simulated_robot_held_by_its_drives_is_known_as_well(joint, swing_rad, velocity_bar):
    """Soft ground, drives, friction that nobody knows. Swinging its ankles it tips back over its heels."""
    robot = robot_of("g1")
    simulated = SimulatedRobot(robot, load_scenario("stand", robot), seed=4)
    estimator, row, command = FloatingBaseEstimator(robot), robot.new_sensor_row(), robot.new_command_row()
    simulated.read(row)
    estimator.reset(row)
    posture = row.q.copy()
    moved = [i for i, name in enumerate(robot.joint_names) if joint in name]
    allowed = simulated.drives.envelope.numbers
    command.kp[:] = np.minimum(400.0, allowed.kp_Nm_rad)
    command.kd[:] = np.minimum(10.0, allowed.kd_Nms_rad)
    velocity, tilt = [], []
    for k in range(1800):
        command.seq[0] = k
        command.q_des[:] = posture
        command.q_des[moved] += swing_rad * (1.0 - np.cos(2 * np.pi * k * STEP_S))
        simulated.write(command)
        simulated.read(row)
        estimator.update(row, BOTH, STEP_S)
        if k >= 1000:
            velocity.append(estimator.v[:3] - simulated.truth.v[:3])
            tilt.append(tilt_deg(estimator.q, simulated.truth.q))
    assert np.abs(simulated.truth.v[:3]).max() > 0.03
    assert (np.sqrt(np.mean(np.square(velocity), axis=0)) <= velocity_bar).all()
    assert np.sqrt(np.mean(np.square(tilt))) <= 0.3


def test_without_noise_it_follows_closely():
    motion = motion_of("g1")
    for k, estimator, _ in run("g1", scale=0.0):
        if k > 200:
            np.testing.assert_allclose(estimator.v[:3], motion.v[k, :3], atol=1e-3)
            assert tilt_deg(estimator.q, motion.q[k]) < 0.03
            np.testing.assert_allclose(estimator.q[:3], motion.q[k, :3], atol=1e-3)
    np.testing.assert_allclose(estimator.q[7:], motion.q[k, 7:], atol=1e-5)


def test_biases_are_found():
    _, estimator, noise = last(run("g1", 5))
    np.testing.assert_allclose(estimator.filter.gyro_bias, noise.gyro_bias, atol=2e-3)
    np.testing.assert_allclose(estimator.filter.accel_bias, noise.accel_bias, atol=0.03)


def test_reset_puts_the_soles_on_the_ground_and_the_base_upright_over_the_origin():
    for seed in range(5):
        _, estimator, _ = next(run("g1", seed))
        assert estimator.level_start
        assert tilt_deg(estimator.q, robot_of("g1").q_nominal) < 0.1
        np.testing.assert_array_equal(estimator.q[:2], 0.0)
        assert estimator.q[2] == pytest.approx(robot_of("g1").q_nominal[2], abs=1e-3)
        np.testing.assert_array_equal(estimator.v, 0.0)
        data = robot_of("g1").pin_model.createData()
        pin.framesForwardKinematics(robot_of("g1").pin_model, data, estimator.q)
        heights = [data.oMf[c.frame_id].translation[2] for c in robot_of("g1").contacts]
        assert np.mean(heights) == pytest.approx(0.0, abs=1e-12)


def standing(robot, R_WB):
    """Sensor rows of a robot at rest in its nominal posture, its base (and floor) turned by R_WB."""
    row = robot.new_sensor_row()
    row.q[:] = robot.q_nominal[7:]
    q = pin.neutral(robot.pin_model)
    q[7:] = row.q
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, q)
    imu = data.oMf[robot.imu_frame_id].rotation
    row.accel[:] = -imu.T @ R_WB.T @ GRAVITY
    row.tau[:] = np.nan
    row.contact_force_N[:] = robot.mass_kg * 4.9
    return row


@pytest.mark.parametrize("slope_deg", [1.5, 2.5, 8.0])
@pytest.mark.parametrize("direction", [0.0, 1.0, 2.5])
def test_a_slope_is_not_taken_for_level(slope_deg, direction):
    robot = robot_of("g1")
    axis = np.array([np.cos(direction), np.sin(direction), 0.0])
    R_WB = pin.exp3(np.deg2rad(slope_deg) * axis)
    row, estimator = standing(robot, R_WB), FloatingBaseEstimator(robot)
    estimator.reset(row)
    rng = np.random.default_rng(0)
    clean = row.data.copy()
    for _ in range(600):
        row.data[:] = clean
        row.accel += 0.1 * rng.normal(size=3)
        row.gyro += 0.01 * rng.normal(size=3)
        estimator.update(row, BOTH, STEP_S)
        # When the world is found to slope, the soles seem to tilt with it, but have not moved.
        assert estimator.doubt[0] < 0.5
    assert not estimator.level_start
    true = np.r_[0, 0, 0, pin.Quaternion(R_WB).coeffs()]
    assert tilt_deg(estimator.q, true) < 0.3


@pytest.mark.parametrize("rate_rad_s", [0.15, 0.3, 0.6])
@pytest.mark.parametrize("direction", [0.0, 1.0, 2.5])
def test_a_wrong_gyro_is_not_taken_for_a_slope(rate_rad_s, direction):
    bias = rate_rad_s * np.array([np.cos(direction), np.sin(direction), 0.0])

    def drift(k, row):
        if k > 200:
            row.gyro += bias

    for k, estimator, _ in run("g1", ticks=600, change=drift):
        # The tilt is wrong by as much as the gyro explains, and does not jump.
        explained_deg = np.degrees(rate_rad_s * max(k - 200, 0) * STEP_S)
        assert tilt_deg(estimator.q, motion_of("g1").q[k]) < 0.4 + explained_deg
    assert estimator.level_start


def test_point_feet_are_positions_only():
    robot = robot_of("bolt")
    row, estimator = standing(robot, np.eye(3)), FloatingBaseEstimator(robot)
    estimator.reset(row)
    for _ in range(100):
        estimator.update(row, BOTH, STEP_S)
    np.testing.assert_array_equal(estimator.filter.active, 1)
    np.testing.assert_allclose(estimator.v[:3], 0.0, atol=1e-6)
    assert tilt_deg(estimator.q, robot.q_nominal) < 0.01


@pytest.mark.parametrize("field", ["q", "v", "gyro", "accel"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -1e7])
def test_a_bad_sample_is_refused_and_its_time_made_up_for(field, value):
    motion = motion_of("g1")
    bad = range(300, 305)

    def spoil(k, row):
        if k in bad:
            getattr(row, field)[1] = value

    for k, estimator, _ in run("g1", ticks=600, change=spoil):
        if k == 299:
            before = (
                estimator.q.copy(),
                estimator.v.copy(),
                estimator.filter.x.copy(),
                estimator.filter.P.copy(),
            )
        if k in bad:
            after = estimator.q, estimator.v, estimator.filter.x, estimator.filter.P
            for a, b in zip(before, after, strict=True):
                np.testing.assert_array_equal(a, b)
    assert estimator.refused == len(bad)
    np.testing.assert_allclose(estimator.v[:3], motion.v[k, :3], atol=0.01)


def test_torques_that_are_not_known_leave_the_plan_in_charge():
    def spoil(k, row):
        row.tau[0] = np.nan if k > 100 else row.tau[0]

    plan = np.array([True, False])
    robot, motion = robot_of("g1"), motion_of("g1")
    estimator, noise = FloatingBaseEstimator(robot), Noise(robot, 0)
    for k in range(200):
        row = noise.sample(motion, k)
        spoil(k, row)
        if k == 0:
            estimator.reset(row)
        else:
            estimator.update(row, plan if k > 100 else BOTH, STEP_S)
    np.testing.assert_array_equal(estimator.contact, plan)
    assert np.isfinite(estimator.normal_force_N).all()
    assert np.isfinite(estimator.v).all()


def test_a_force_sensor_is_believed_before_the_torques():
    def sense(k, row):
        row.contact_force_N[:] = 200.0, 3.0

    _, estimator, _ = last(run("g1", ticks=60, change=sense))
    np.testing.assert_array_equal(estimator.contact, [True, False])
    np.testing.assert_array_equal(estimator.normal_force_N, [200.0, 3.0])
    np.testing.assert_array_equal(estimator.filter.active, [2, 0])


def test_hanging_in_the_air_is_survived():
    def lift(k, row):
        row.contact_force_N[:] = 0.0

    _, estimator, _ = last(run("g1", ticks=500, change=lift))
    assert not estimator.contact.any()
    assert not estimator.filter.active.any()
    assert np.isfinite(estimator.q).all()
    assert np.isfinite(estimator.filter.P).all()


def test_irregular_periods_are_followed():
    """Every third sample is lost, and one gap of 40 ms."""
    robot, motion = robot_of("g1"), motion_of("g1")
    estimator, noise = FloatingBaseEstimator(robot), Noise(robot, 1)
    last = 0
    for k in range(1500):
        row = noise.sample(motion, k)
        if k == 0:
            estimator.reset(row)
        elif k % 3 and not 700 < k < 740:
            estimator.update(row, BOTH, (k - last) * STEP_S)
            last = k
            np.testing.assert_allclose(estimator.v[:3], motion.v[k, :3], atol=0.012)
    assert tilt_deg(estimator.q, motion.q[last]) < 0.3


@pytest.mark.parametrize("dt_s", [0.0, -1.0, np.nan, np.inf, 100.0])
def test_a_clock_that_jumps_does_no_harm(dt_s):
    for k, estimator, noise in run("g1", ticks=300):
        if k == 200:
            estimator.update(noise.row, BOTH, dt_s)
    assert np.isfinite(estimator.q).all()
    assert np.isfinite(estimator.filter.P).all()
    assert tilt_deg(estimator.q, motion_of("g1").q[k]) < 1.0


def test_same_samples_give_the_same_bits_also_after_a_reset():
    ends = []
    for _ in range(2):
        _, estimator, _ = last(run("g1", 2, ticks=200))
        ends.append((estimator.q.tobytes(), estimator.v.tobytes(), estimator.filter.P.tobytes()))
    assert ends[0] == ends[1]
    noise = Noise(robot_of("g1"), 2)
    for k in range(200):
        row = noise.sample(motion_of("g1"), k)
        estimator.reset(row) if k == 0 else estimator.update(row, BOTH, STEP_S)
    assert (estimator.q.tobytes(), estimator.v.tobytes(), estimator.filter.P.tobytes()) == ends[0]


def test_arrays_keep_their_address():
    addresses = []
    for _, estimator, _ in run("g1", ticks=5):
        arrays = (estimator.q, estimator.v, estimator.contact, estimator.normal_force_N)
        addresses.append([a.ctypes.data for a in arrays])
    assert all(a == addresses[0] for a in addresses)


def test_a_long_stand_does_not_spoil_the_covariance():
    """Half a minute, ten times over the same samples."""
    robot, motion = robot_of("g1"), motion_of("g1")
    estimator, noise = FloatingBaseEstimator(robot), Noise(robot, 3)
    row = noise.sample(motion, 0)
    estimator.reset(row)
    for _ in range(20000):
        estimator.update(row, BOTH, STEP_S)
    assert np.linalg.eigvalsh(estimator.filter.P).min() > -1e-12
    assert np.linalg.norm(estimator.filter.R_WI.T @ estimator.filter.R_WI - np.eye(3)) < 1e-12
    assert np.isfinite(estimator.v).all()


def test_soles_may_be_taken_as_points():
    config = EstimatorGains(use_sole_orientation=False, gyro_cutoff_Hz=0.0)
    motion = motion_of("g1")
    k, estimator, _ = last(run("g1", 1, config))
    np.testing.assert_array_equal(estimator.filter.active, 1)
    np.testing.assert_allclose(estimator.v[:3], motion.v[k, :3], atol=0.01)


def test_what_cannot_be_estimated_is_refused():
    with pytest.raises(ValueError, match="ur5 has no floating base"):
        FloatingBaseEstimator(robot_of("ur5"))
    row = robot_of("g1").new_sensor_row()
    estimator = FloatingBaseEstimator(robot_of("g1"))
    with pytest.raises(ValueError, match="at rest"):
        estimator.reset(row)
    row = standing(robot_of("g1"), np.eye(3))
    row.q[2] = np.nan
    with pytest.raises(ValueError, match="at rest"):
        estimator.reset(row)
