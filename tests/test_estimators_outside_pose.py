from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.estimators.base_state import Imu
from kilohertz.estimators.config import EstimatorGains
from kilohertz.estimators.inekf import InvariantEkf
from kilohertz.estimators.inekf_layout import POSITION, ROTATION, VELOCITY
from kilohertz.estimators.kernel_setup import new_watch
from kilohertz.estimators.odometry_frame import new_odometry
from kilohertz.estimators.outside_pose import (
    ALIGNING,
    REALIGN,
    RING_SIZE,
    new_outside_poses,
    reset_outside_poses,
    use_outside_pose,
)
from kilohertz.robots.model.rows import OutsideRow

DT_S = 1e-3
G = 9.81
SD_M, SD_RAD = 0.005, 0.01
# The world of the measurement: its yaw and origin in the world of the estimate.
YAW_WV, P_WV = 1.1, np.array([3.0, -2.0, 0.7])


class Measured:
    """A filter whose base is measured from outside; the IMU is in the base's origin and turned."""

    def __init__(self, delay_s=0.0):
        self.ekf = InvariantEkf(2, gravity=G)
        self.doubt()
        self.ekf.R_WI[:], self.ekf.p_WI[:] = pin.rpy.rpyToMatrix(0.02, -0.03, 0.4), (0.1, 0.2, 0.8)
        self.imu = Imu(R_BI=np.eye(3), p_BI=np.zeros(3), gyro_smooth=np.zeros(3), w_slow=np.zeros(3))
        self.row = OutsideRow()
        self.state = new_outside_poses(
            self.row, len(self.ekf.P), position_sd_m=SD_M, rotation_sd_rad=SD_RAD, delay_s=delay_s, gate=25.0
        )
        self.watch, self.odometry = new_watch(2, EstimatorGains()), new_odometry(2)
        self.delay_s = delay_s

    def doubt(self):
        """Makes the filter as uncertain as after a drift."""
        self.ekf.set_variances(rotation=1e-4, velocity=1e-4, position=2.5e-3, gyro_bias=1e-6, accel_bias=1e-4)

    def show(self, R_WB, p_WB, parts="pr"):
        """Shows a pose given in W, as it is measured in V."""
        R_VW = pin.rpy.rpyToMatrix(0.0, 0.0, YAW_WV).T
        self.row.number[0] += 1.0
        if "p" in parts:
            self.row.p_VB[:] = R_VW @ (p_WB - P_WV)
        rpy = pin.rpy.matrixToRpy(R_VW @ R_WB)
        if "r" in parts:
            self.row.rpy_VB[:] = rpy
        if "y" in parts:
            self.row.rpy_VB[2] = rpy[2]

    def tick(self, dt=DT_S):
        use_outside_pose(dt, self.ekf.arrays, self.ekf.poses, self.imu, self.watch, self.odometry, self.state)

    def align(self, parts="pr"):
        """Aligns the worlds while the estimate is right and at rest."""
        R, p = self.ekf.R_WI.copy(), self.ekf.p_WI.copy()
        for _ in range(ALIGNING + 1 + round(self.delay_s / DT_S)):
            self.show(R, p, parts)
            self.tick()
        assert self.state.poses[0] == ALIGNING
        return R, p


@pytest.mark.long
def test_without_a_pose_nothing_changes():
    measured = Measured()
    x, P = measured.ekf.x.copy(), measured.ekf.P.copy()
    for _ in range(10):
        measured.tick()
    assert (measured.ekf.x == x).all()
    assert (measured.ekf.P == P).all()
    assert measured.state.written[0] == 0


@pytest.mark.parametrize("parts", ["pr", "py", "p", "y"])
def test_the_first_poses_align_the_worlds_and_do_not_move_the_estimate(parts):
    measured = Measured()
    x = measured.ekf.x.copy()
    if parts == "p":
        measured.row.rpy_VB[:] = np.nan
    measured.align(parts)
    np.testing.assert_allclose(measured.ekf.x, x, atol=1e-9)
    assert measured.state.ignored[0] == 0


@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.2])
def test_a_drift_is_corrected_without_overshoot_in_spite_of_a_delay(delay_s):
    measured = Measured(delay_s)
    R, p = measured.align()
    drift, turned = np.array([0.04, -0.03, 0.02]), pin.rpy.rpyToMatrix(0.0, 0.0, 0.03)
    # The estimate has drifted for so long that its past is off too.
    measured.ekf.R_WI[:], measured.ekf.p_WI[:] = turned @ R, p + drift
    measured.doubt()
    for _ in range(round(delay_s / DT_S) + 2):
        measured.tick()
    off = []
    for _ in range(400):
        measured.show(R, p)
        measured.tick()
        off.append(measured.ekf.p_WI - p)
    along = np.array(off) @ drift / (drift @ drift)
    assert along.min() > -0.1
    assert np.linalg.norm(off[-1]) < 0.1 * np.linalg.norm(drift)
    assert np.linalg.norm(pin.log3(measured.ekf.R_WI @ R.T)) < 0.003
    assert measured.state.ignored[0] == 0


def test_a_right_pose_of_the_past_does_not_pull_back_a_robot_that_moves():
    measured, speed = Measured(0.1), np.array([0.5, 0.1, 0.0])
    R, p = measured.align()
    past = [p.copy()] * 101
    for _ in range(300):
        measured.ekf.p_WI += speed * DT_S
        past.append(measured.ekf.p_WI.copy())
        measured.show(R, past[-101])
        measured.tick()
        np.testing.assert_allclose(measured.ekf.p_WI, past[-1], atol=1e-9)


@pytest.mark.parametrize("age_s", [0.0, 0.15])
def test_the_jacobian_of_a_delayed_pose_equals_finite_differences(age_s):
    rng = np.random.default_rng(3)
    measured = Measured(age_s)
    ekf = measured.ekf
    v = np.array([0.3, -0.2, 0.1])
    ekf.v_WI[:] = v
    for _ in range(ALIGNING + 2 + round(age_s / DT_S)):
        measured.show(ekf.R_WI, ekf.p_WI - v * age_s)
        measured.tick()
        ekf.p_WI += v * DT_S
    ekf.p_WI -= v * DT_S
    R, p = ekf.R_WI, ekf.p_WI
    for _ in range(5):
        xi = 1e-4 * rng.standard_normal(9)
        E = pin.exp3(xi[:3])
        # The error of the past leads to the true state now; the estimate has no acceleration.
        R_past, v_past, p_past = E @ R, E @ v + xi[3:6], E @ (p - v * age_s) + xi[6:]
        acceleration = R_past @ R.T @ [0.0, 0.0, G] - [0.0, 0.0, G]
        v_now = v_past + acceleration * age_s
        p_now = p_past + v_past * age_s + 0.5 * acceleration * age_s**2
        now = np.zeros(len(ekf.P))
        now[ROTATION : ROTATION + 3] = xi[:3]
        now[VELOCITY : VELOCITY + 3] = v_now - E @ v
        now[POSITION : POSITION + 3] = p_now - E @ p
        measured.show(R_past, p_past)
        arrays = ekf.x, ekf.P, measured.state.past, measured.state.written
        before = [array.copy() for array in arrays]
        measured.tick(0.0)
        for array, values in zip(arrays, before, strict=True):
            array[:] = values
        np.testing.assert_allclose(measured.state.z, measured.state.H @ now, atol=3e-7)


def test_a_wild_pose_is_ignored_and_counted():
    measured = Measured()
    R, p = measured.align()
    x, P = measured.ekf.x.copy(), measured.ekf.P.copy()
    for wild in (p + np.array([0.0, 1.0, 0.0]), p - np.array([0.0, 0.0, 0.6])):
        measured.show(R, wild)
        measured.tick()
    measured.show(pin.rpy.rpyToMatrix(0.0, 0.0, 0.5) @ R, p)
    measured.tick()
    assert (measured.ekf.x == x).all()
    assert (measured.ekf.P == P).all()
    assert measured.state.ignored[0] == 3


def test_a_measurement_that_has_moved_for_good_is_aligned_anew_and_does_not_move_the_estimate():
    measured = Measured()
    R, p = measured.align()
    x = measured.ekf.x.copy()
    for _ in range(REALIGN + ALIGNING + 50):
        measured.show(R, p + np.array([2.0, 0.0, 0.0]))
        measured.tick()
    np.testing.assert_allclose(measured.ekf.x, x, atol=1e-9)
    assert measured.state.ignored[0] == REALIGN


@pytest.mark.parametrize(("parts", "position_fits", "yaw_fits"), [("p", True, False), ("y", False, True)])
def test_only_what_is_measured_is_corrected(parts, position_fits, yaw_fits):
    measured = Measured()
    if parts == "p":
        # Without a yaw, the axes of V count as those of W.
        measured.show = lambda R, p, parts: (
            measured.row.p_VB.__setitem__(slice(None), p) or (measured.row.number.__iadd__(1.0))
        )
    R, p = measured.align(parts)
    turned = pin.rpy.rpyToMatrix(0.0, 0.0, 0.02)
    measured.ekf.R_WI[:], measured.ekf.p_WI[:] = turned @ R, p + 0.02
    measured.doubt()
    for _ in range(300):
        measured.show(R, p, parts)
        measured.tick()
    off_m = np.linalg.norm(measured.ekf.p_WI - p)
    off_rad = np.linalg.norm(pin.log3(measured.ekf.R_WI @ R.T))
    assert (off_m < 0.006) == position_fits
    assert (off_rad < 0.006) == yaw_fits


def test_a_pose_that_is_older_than_the_memory_or_of_the_future_is_ignored():
    measured = Measured()
    R, p = measured.align()
    for _ in range(RING_SIZE):
        measured.tick()
    for k, age_s in enumerate((1.0, -0.1)):
        measured.row.age_s[0] = age_s
        measured.show(R, p)
        measured.tick()
        assert measured.state.ignored[0] == k + 1


def test_a_reset_forgets_the_alignment_and_the_poses_so_far():
    measured = Measured()
    measured.align()
    reset_outside_poses(measured.state)
    x = measured.ekf.x.copy()
    for _ in range(5):
        measured.tick()
    assert (measured.ekf.x == x).all()
    assert measured.state.poses[0] == 0
