"""No correction moves standing contacts in the odometry frame, and no torque depends on where it begins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pinocchio as pin
import pytest
from gaits import WalkingRun

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.schema import load_gains
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.estimators.inekf_correction import retract
from kilohertz.estimators.inekf_layout import (
    CONTACTS,
    CORRECTION,
    POINT,
    POSITION,
    ROTATION,
    SLOT_ROWS,
    SOLE,
    SPIN,
    UNUSED,
    new_contact_poses,
    new_filter,
)
from kilohertz.estimators.odometry_frame import (
    follow_held,
    follow_imu,
    in_odometry,
    mark_held,
    new_odometry,
)
from kilohertz.robots.model.rows import SensorRow

FAR_O, TURNED_RAD = np.array([1000.0, -700.0, 0.0]), 1.0


class FarEstimator(FloatingBaseEstimator):
    """Its odometry frame begins far away from the world, and turned."""

    def reset(self, sensors: SensorRow) -> None:
        super().reset(sensors)
        self._odometry.origin_O[:] = FAR_O
        self._odometry.yaw[0] = TURNED_RAD
        R = pin.utils.rotate("z", TURNED_RAD)
        self.q_O[:3] = FAR_O + R @ self.q[:3]
        R_WB = pin.Quaternion(self.q[3:7].copy()).toRotationMatrix()
        self.q_O[3:7] = pin.Quaternion(R @ R_WB).coeffs()


def skew(p: Any) -> Any:
    return pin.skew(np.asarray(p, dtype=float))


@pytest.mark.closed_loop
def test_a_walk_that_begins_a_kilometre_away_and_turned_has_the_same_torques() -> None:
    run = WalkingRun("g1", seed=3)
    gains = load_gains(run.robot).model_copy(update={"solver": "exact"})
    brains = [Brain(run.robot, gains, kind(run.robot, gains.estimator)) for kind in (
        FloatingBaseEstimator, FarEstimator
    )]  # fmt: skip
    run.sim.read(run.sensors)
    for brain in brains:
        brain.reset(run.sensors)
    request = run.request("walk", velocity_m_s=[0.4, 0.0], yaw_rate_rad_s=0.1)
    worst = 0.0
    for _ in range(2500):
        run.sim.read(run.sensors)
        near, far = (brain.step(run.sensors, request, None, lambda stage: None) for brain in brains)
        worst = max(worst, float(np.abs(near.tau - far.tau).max()))
        run.sim.write(near.command)
    assert not run.sim.fell
    assert worst < 1e-6
    assert np.linalg.norm(brains[1].estimator.q_O[:3] - FAR_O) > 0.5


@pytest.mark.parametrize("settled", [True, False])
@pytest.mark.parametrize("kinds", [(SOLE, SOLE), (SOLE, UNUSED), (POINT, POINT)])
def test_a_correction_moves_neither_place_nor_heading_of_settled_contacts_or_of_a_walking_imu(
    kinds: tuple[int, int], settled: bool
) -> None:
    rng = np.random.default_rng(7)
    ekf, odometry = new_filter(2, gravity_m_s2=9.81, max_step_s=5e-3, gate=0.0), new_odometry(2)
    poses = new_contact_poses(2)
    ekf.active[:] = poses.wanted[:] = kinds
    ekf.p_WI[:] = 0.1, 0.2, 0.9
    for c in range(2):
        ekf.contacts[c, :3] = rng.normal(size=3)
        ekf.contacts[c, 3:] = np.eye(3).ravel()
    ekf.slot_noise[:, SPIN] = 0.0 if settled else 1e-3
    odometry.yaw[0], odometry.origin_O[:] = 0.7, (5.0, 6.0, 7.0)
    standing = np.flatnonzero(ekf.active != UNUSED)

    def mean_and_heading() -> tuple[Any, float]:
        mean = ekf.contacts[standing, :3].mean(axis=0) if settled else ekf.p_WI.copy()
        in_odometry(mean.copy(), odometry, mean)
        soles = [ekf.contacts[c, 3:].reshape(3, 3) for c in standing if ekf.active[c] == SOLE]
        if not settled or not soles:
            soles = [ekf.R_WI]
        return mean, float(np.mean([np.arctan2(R[1, 0], R[0, 0]) for R in soles]) + odometry.yaw[0])

    mark_held(ekf, poses, odometry)
    mean, heading = mean_and_heading()
    delta = ekf.rows[CORRECTION]
    delta[:] = 1e-3 * rng.normal(size=len(delta))
    retract(ekf, delta)
    moved, turned = mean_and_heading()
    assert np.linalg.norm(moved - mean) > 1e-4
    follow_held(ekf, delta, odometry)
    stays, ahead = mean_and_heading()
    np.testing.assert_allclose(stays, mean, rtol=0, atol=1e-12)
    # To first order in the correction.
    assert abs(ahead - heading) < 5e-6 < abs(turned - heading)


def test_moving_the_origin_keeps_places_and_their_covariances() -> None:
    rng = np.random.default_rng(2)
    ekf = new_filter(2, gravity_m_s2=9.81, max_step_s=5e-3, gate=0.0)
    odometry = new_odometry(2)
    ekf.active[0] = SOLE
    root = rng.normal(size=ekf.P.shape)
    root[CONTACTS + SLOT_ROWS :] = 0.0
    ekf.P[:] = root @ root.T
    ekf.p_WI[:] = 40.0, -30.0, 2.0
    ekf.contacts[0, :3] = 40.5, -30.2, 1.1
    odometry.yaw[0] = 0.3
    blocks = (POSITION, CONTACTS)

    def covariance() -> Any:
        """Covariance of the errors of position of IMU and contact, xi_p + xi_R x p."""
        J = np.zeros((6, len(ekf.P)))
        for k, (row, p) in enumerate(zip(blocks, (ekf.p_WI, ekf.contacts[0, :3]), strict=True)):
            J[3 * k : 3 * k + 3, row : row + 3] = np.eye(3)
            J[3 * k : 3 * k + 3, ROTATION : ROTATION + 3] = -skew(p)
        return J @ ekf.P @ J.T

    def places() -> Any:
        contact_O = np.zeros(3)
        in_odometry(ekf.contacts[0, :3].copy(), odometry, contact_O)
        return np.r_[odometry.origin_W + ekf.p_WI, odometry.origin_W + ekf.contacts[0, :3], contact_O]

    expected, at = covariance(), places()
    follow_imu(ekf, odometry)
    assert not ekf.p_WI.any()
    np.testing.assert_allclose(places(), at, rtol=0, atol=1e-12)
    np.testing.assert_allclose(covariance(), expected, rtol=1e-10)
    np.testing.assert_allclose(ekf.P, ekf.P.T, rtol=1e-10)
    np.testing.assert_array_equal(ekf.P[CONTACTS + SLOT_ROWS :], 0.0)
    again = ekf.P.copy()
    follow_imu(ekf, odometry)
    np.testing.assert_array_equal(ekf.P, again)
