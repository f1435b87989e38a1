"""A sole that stands turns about its centre of pressure."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from estimators.kinematics import KinematicTables
from estimators.sole_motion import centre_of_pressure, sole_velocity
from robots.model import RobotModel

BOX = np.array([[-0.05, -0.03], [0.12, 0.03]])


@pytest.mark.parametrize("where", [(0.0, 0.0), (0.1, -0.02), (-0.05, 0.03)])
def test_centre_of_pressure_is_where_the_force_acts(where):
    R_BF = pin.rpy.rpyToMatrix(0.2, -0.3, 0.5)
    force = R_BF @ np.array([20.0, -10.0, 300.0])
    moment = np.cross(R_BF @ np.array([*where, 0.0]), force)
    found = np.empty(2)
    centre_of_pressure(R_BF, np.r_[force, moment], BOX, 10.0, found)
    np.testing.assert_allclose(found, where, atol=1e-12)


def test_centre_of_pressure_stays_in_the_sole_and_rests_in_its_middle_without_load():
    found = np.empty(2)
    centre_of_pressure(np.eye(3), np.array([0, 0, 100.0, 50.0, 50.0, 0]), BOX, 10.0, found)
    np.testing.assert_array_equal(found, [-0.05, 0.03])
    for force in (5.0, -100.0, np.nan):
        centre_of_pressure(np.eye(3), np.array([0, 0, force, 50.0, 50.0, 0]), BOX, 10.0, found)
        np.testing.assert_array_equal(found, 0.0)


def test_sole_velocity_leaves_the_centre_of_pressure_at_rest():
    robot = RobotModel.load("g1")
    model, data = robot.pin_model, robot.pin_model.createData()
    rng = np.random.default_rng(0)
    q, v = pin.neutral(model), rng.normal(size=model.nv)
    q[7:] = robot.q_nominal[7:]
    v[:3] = 0.0
    for contact in robot.contacts:
        tables = KinematicTables.of(robot, data, [contact.frame_id])
        pin.forwardKinematics(model, data, q, v)
        pin.updateFramePlacements(model, data)
        pose = data.oMf[contact.frame_id]
        p_FP, velocity = np.array([0.07, -0.02]), np.empty(3)
        sole_velocity(
            v[3:6].copy(),
            v[6:].copy(),
            tables.joint_address,
            tables.joint_axis,
            tables.frame_support[0],
            np.ascontiguousarray(pose.rotation),
            pose.translation.copy(),
            p_FP,
            velocity,
            np.empty(6),
        )
        w = pin.getFrameVelocity(model, data, contact.frame_id, pin.LOCAL_WORLD_ALIGNED).angular
        at_pressure = velocity + np.cross(w, pose.rotation @ np.array([*p_FP, 0.0]))
        np.testing.assert_allclose(at_pressure, 0.0, atol=1e-13)
