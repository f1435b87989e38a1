"""Contact wrenches from joint torques: exact where the equations are, sensible where they are not."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.estimators.base_state import Imu, new_scratch
from kilohertz.estimators.config import EstimatorGains, JointObserverGains
from kilohertz.estimators.contact_wrench import (
    STILL_M_S,
    WrenchProblem,
    contact_wrenches,
    expect_less_of_moving,
)
from kilohertz.estimators.inekf import InvariantEkf
from kilohertz.estimators.kernel_setup import new_contacts, new_joints, wrench_problem
from kilohertz.estimators.leg_kinematics import KinematicTables
from kilohertz.robots.model.robot_model import RobotModel

EXACT = (1e-3, 1e-3, 1e5, 1e5)


class Pose:
    """A robot in some pose, and the torques that some contact wrenches would need."""

    def __init__(self, name, seed, wrench):
        self.robot = robot = RobotModel.load(name)
        model, data = robot.pin_model, robot.pin_model.createData()
        self.data = data
        rng = np.random.default_rng(seed)
        q = pin.neutral(model)
        q[7:] = robot.q_nominal[7:] + 0.2 * rng.normal(size=robot.na)
        frames = [c.frame_id for c in robot.contacts]
        self.tables = KinematicTables.of(robot, data, frames)
        pin.computeJointJacobians(model, data, q)
        pin.updateFramePlacements(model, data)
        self.p_BF = np.array([data.oMf[f].translation for f in frames])
        J = np.vstack([pin.getFrameJacobian(model, data, f, pin.LOCAL_WORLD_ALIGNED) for f in frames])
        self.required = pin.rnea(model, data, q, rng.normal(size=model.nv), rng.normal(size=model.nv)).copy()
        push = J.T @ wrench.ravel()
        self.tau = (self.required - push)[6:]
        self.required[:6] = push[:6]
        self.size = np.array([3 if len(c.corners_F) == 1 else 6 for c in robot.contacts])

    def solve(self, torque_sd, deviations, tau=None, share=None):
        nc = len(self.p_BF)
        wrench = np.full((nc, 6), np.nan)
        problem = WrenchProblem(
            required=self.required,
            size=self.size,
            torque_deviation_Nm=np.full(self.robot.na, torque_sd),
            A=np.zeros((6 * nc + 1, 6 * nc + 1)),
            column=np.zeros((nc, 6)),
            force_deviation_N=deviations[0],
            moment_deviation_Nm=deviations[1],
            most_force_N=deviations[2],
            most_moment_Nm=deviations[3],
            share=np.ones(nc) if share is None else np.array(share),
            sensed=True,
        )
        tau = self.tau if tau is None else tau
        known = contact_wrenches(tau, self.p_BF, self.tables, problem, wrench)
        return known, wrench


def wrenches(seed, moment=1.0):
    rng = np.random.default_rng(seed)
    w = np.hstack(
        [rng.normal(size=(2, 3)) * [30, 30, 50] + [0, 0, 150], moment * 5 * rng.normal(size=(2, 3))]
    )
    return w


@pytest.mark.parametrize(("name", "moment"), [("g1", 1.0), ("talos", 1.0), ("bolt", 0.0)])
@pytest.mark.parametrize("seed", range(4))
def test_exact_torques_give_exact_wrenches(name, moment, seed):
    w = wrenches(seed, moment)
    pose = Pose(name, seed, w)
    known, found = pose.solve(1e-3, EXACT)
    assert known
    np.testing.assert_allclose(found, w, atol=1e-2)


def test_an_open_contact_comes_out_unloaded():
    w = wrenches(5)
    w[1] = 0.0
    _, found = Pose("g1", 5, w).solve(1e-3, EXACT)
    np.testing.assert_allclose(found[1], 0.0, atol=1e-2)


def test_friction_of_the_drives_moves_the_answer_little():
    w = wrenches(6)
    pose = Pose("g1", 6, w)
    tau = pose.tau + 0.5 * np.random.default_rng(0).choice([-1.0, 1.0], size=pose.robot.na)
    _, found = pose.solve(1.0, (33.0, 3.3, 650.0, 80.0), tau)
    np.testing.assert_allclose(found[:, :3], w[:, :3], atol=25.0)


def test_the_total_weight_is_right_even_with_uninformative_torques():
    w = wrenches(7)
    _, found = Pose("g1", 7, w).solve(1e6, (1.0, 1.0, 1e4, 1e4))
    np.testing.assert_allclose(found[:, :3].sum(axis=0), w[:, :3].sum(axis=0), rtol=1e-2)


def test_an_error_of_the_accelerations_does_not_load_a_foot_that_moves_fast():
    w = wrenches(9)
    w[1] = 0.0
    pose = Pose("g1", 9, w)
    # A swinging leg of which 100 rad/s^2 about the hip are not known.
    unknown = np.zeros(pose.robot.nv)
    unknown[6:][pose.tables.frame_support[1] == 1] = 100.0
    pin.crba(pose.robot.pin_model, pose.data, pin.neutral(pose.robot.pin_model))
    M = np.triu(pose.data.M) + np.triu(pose.data.M, 1).T
    tau = pose.tau + (M @ unknown)[6:]
    usual, narrow = (pose.solve(10.0, (33.0, 3.3, 650.0, 80.0), tau, s)[1] for s in ((1, 1), (1, 0.01)))
    assert np.abs(usual[1, :3]).max() > 100.0
    assert np.abs(narrow[1, :3]).max() < 35.0
    off = np.linalg.norm(narrow[0, :3] - w[0, :3])
    assert off < 0.5 * np.linalg.norm(usual[0, :3] - w[0, :3])


@pytest.mark.parametrize("seed", range(3))
def test_the_prior_of_an_open_contact_follows_the_speed_of_its_foot(seed):
    rng = np.random.default_rng(seed)
    robot = RobotModel.load("g1")
    model, data = robot.pin_model, robot.pin_model.createData()
    q, v = np.array(robot.q_nominal), 3.0 * rng.normal(size=model.nv)
    pin.forwardKinematics(model, data, q, v)
    pin.updateFramePlacements(model, data)
    feet, X_WI = [c.frame_id for c in robot.contacts], data.oMf[robot.imu_frame_id]
    speed = [np.linalg.norm(pin.getFrameVelocity(model, data, f, pin.LOCAL).linear) for f in feet]
    ekf = InvariantEkf(2)
    ekf.R_WI[:] = X_WI.rotation
    ekf.v_WI[:] = pin.getFrameVelocity(model, data, robot.imu_frame_id, pin.LOCAL_WORLD_ALIGNED).linear
    pin.computeJointJacobians(model, data, np.r_[pin.neutral(model)[:7], q[7:]])
    pin.updateFramePlacements(model, data)
    X_BI = data.oMf[robot.imu_frame_id]
    imu = Imu(np.ascontiguousarray(X_BI.rotation), X_BI.translation.copy(), np.zeros(3), np.zeros(3))
    contacts, joints = new_contacts(robot, EstimatorGains()), new_joints(JointObserverGains(), robot.na)
    contacts.p_BF[:], joints.v[:] = [data.oMf[f].translation for f in feet], v[6:]
    problem = wrench_problem(robot, EstimatorGains(), 330.0, 1.0, np.zeros(robot.nv))
    scratch = new_scratch()
    scratch.w_B[:] = v[3:6]
    tables = KinematicTables.of(robot, data, [*feet, robot.imu_frame_id])
    expect_less_of_moving(
        np.array([False, True]), joints, imu, ekf.arrays, tables, contacts, problem, scratch
    )
    assert speed[0] > STILL_M_S
    np.testing.assert_allclose(problem.share, [(STILL_M_S / speed[0]) ** 2, 1.0], rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_torques_that_are_not_finite_are_no_answer(value):
    pose = Pose("g1", 8, wrenches(8))
    tau = pose.tau.copy()
    tau[3] = value
    known, found = pose.solve(1.0, EXACT, tau)
    assert not known
    assert np.isnan(found).all()
