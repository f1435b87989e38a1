"""A sole that stands turns about its centre of pressure."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.estimators.config import EstimatorGains
from kilohertz.estimators.contact_detection import Detection
from kilohertz.estimators.kernel_setup import new_contacts
from kilohertz.estimators.leg_kinematics import KinematicTables
from kilohertz.estimators.sole_motion import find_pressure, sole_velocity
from kilohertz.robots.model.robot_model import RobotModel

BOX = np.array([[-0.05, -0.03], [0.12, 0.03]])


DETECTION = Detection(make_N=10.0, break_N=5.0, make_time_s=0.01, break_time_s=0.01)


def pressure(R_BF, wrench, sensed_N=None):
    contacts = new_contacts(RobotModel.load("g1"), EstimatorGains())
    contacts.R_BF[0], contacts.wrench_B[0], contacts.sole_box[0] = R_BF, wrench, BOX
    contacts.p_FP[:], contacts.margin[:] = np.nan, np.nan
    contacts.force_N[0] = R_BF[:, 2] @ wrench[:3] if sensed_N is None else sensed_N
    find_pressure(contacts, DETECTION)
    return contacts.p_FP[0], contacts.margin[0]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ((0.035, 0.0), 1.0),
        ((0.035, 0.015), 0.5),
        ((0.12, 0.0), 0.0),
        ((-0.05, -0.03), 0.0),
        ((0.1, 0.0), 0.235),
    ],
)
def test_centre_of_pressure_is_where_the_force_acts(where, expected):
    R_BF = pin.rpy.rpyToMatrix(0.2, -0.3, 0.5)
    force = R_BF @ np.array([20.0, -10.0, 300.0])
    moment = np.cross(R_BF @ np.array([*where, 0.0]), force)
    found, margin = pressure(R_BF, np.r_[force, moment])
    np.testing.assert_allclose(found, where, atol=1e-12)
    assert margin == pytest.approx(expected, abs=1e-3)


def test_centre_of_pressure_stays_in_the_sole_and_rests_in_its_middle_without_load():
    found, margin = pressure(np.eye(3), np.array([0, 0, 100.0, 50.0, 50.0, 0]))
    np.testing.assert_array_equal(found, [-0.05, 0.03])
    assert margin == 0.0
    for force, expected in ((5.0, -1.0), (-100.0, -1.0), (np.nan, 1.0)):
        found, margin = pressure(np.eye(3), np.array([0, 0, force, 50.0, 50.0, 0]))
        np.testing.assert_array_equal(found, 0.0)
        assert margin == expected


@pytest.mark.parametrize("force", [np.nan, 0.0])
def test_a_sensor_that_reports_load_is_believed_where_torques_are_not(force):
    """A sole that carries load is not about to land, whatever torques that are not measured say."""
    wrench = np.array([0, 0, force, 0, 0, 0])
    for sensed_N, expected in ((100.0, 1.0), (5.0, -1.0)):
        found, margin = pressure(np.eye(3), wrench, sensed_N)
        np.testing.assert_array_equal(found, 0.0)
        assert margin == expected


def test_sole_velocity_leaves_the_centre_of_pressure_at_rest():
    robot = RobotModel.load("g1")
    model, data = robot.pin_model, robot.pin_model.createData()
    rng = np.random.default_rng(0)
    q, v = pin.neutral(model), rng.normal(size=model.nv)
    q[7:] = robot.q_nominal[7:]
    v[:3] = 0.0
    contacts = new_contacts(robot, EstimatorGains())
    tables = KinematicTables.of(robot, data, [contact.frame_id for contact in robot.contacts])
    for c, contact in enumerate(robot.contacts):
        pin.forwardKinematics(model, data, q, v)
        pin.updateFramePlacements(model, data)
        pose = data.oMf[contact.frame_id]
        p_FP, velocity = np.array([0.07, -0.02]), np.empty(3)
        contacts.R_BF[c], contacts.p_BF[c], contacts.p_FP[c] = pose.rotation, pose.translation, p_FP
        sole_velocity(c, v[3:6].copy(), v[6:].copy(), tables, contacts, velocity, np.empty(6))
        w = pin.getFrameVelocity(model, data, contact.frame_id, pin.LOCAL_WORLD_ALIGNED).angular
        at_pressure = velocity + np.cross(w, pose.rotation @ np.array([*p_FP, 0.0]))
        np.testing.assert_allclose(at_pressure, 0.0, atol=1e-13)
