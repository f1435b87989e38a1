"""The base's state from the IMU's, on robots whose IMU sits on the base or above moving joints."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.estimators.base_state import Imu, RobotState, new_scratch, write_state
from kilohertz.estimators.config import JointObserverGains
from kilohertz.estimators.inekf import InvariantEkf
from kilohertz.estimators.kernel_setup import new_joints
from kilohertz.estimators.leg_kinematics import KinematicTables
from kilohertz.estimators.odometry_frame import new_odometry
from kilohertz.robots.model.robot_model import RobotModel


@pytest.mark.parametrize("name", ["g1", "talos", "bolt"])
@pytest.mark.parametrize("seed", range(4))
def test_base_state_is_the_one_that_moves_the_imu_so(name, seed):
    robot = RobotModel.load(name)
    model, data = robot.pin_model, robot.pin_model.createData()
    rng = np.random.default_rng(seed)
    q, v = np.array(robot.q_nominal), rng.normal(size=model.nv)
    q[:3], q[7:] = rng.normal(size=3), robot.q_nominal[7:] + 0.3 * rng.normal(size=robot.na)
    q[3:7] = pin.Quaternion(pin.exp3(2.0 * rng.normal(size=3))).coeffs()
    pin.forwardKinematics(model, data, q, v)
    pin.updateFramePlacements(model, data)
    X_WI = data.oMf[robot.imu_frame_id].copy()
    V = pin.getFrameVelocity(model, data, robot.imu_frame_id, pin.LOCAL_WORLD_ALIGNED)
    bias = 0.01 * rng.normal(size=3)
    ekf = InvariantEkf(2)
    ekf.R_WI[:], ekf.v_WI[:], ekf.p_WI[:] = X_WI.rotation, V.linear, X_WI.translation
    ekf.gyro_bias[:] = bias
    tables = KinematicTables.of(robot, data, [robot.imu_frame_id])
    pin.forwardKinematics(model, data, np.r_[pin.neutral(model)[:7], q[7:]])
    pin.updateFramePlacements(model, data)
    X_BI = data.oMf[robot.imu_frame_id]
    q_found, v_found = np.zeros(model.nq), np.zeros(model.nv)
    # The quaternion keeps the sign it had.
    q_found[3:7] = -q[3:7]
    joints = new_joints(JointObserverGains(), robot.na)
    joints.q[:], joints.v[:] = q[7:], v[6:]
    imu = Imu(
        R_BI=np.ascontiguousarray(X_BI.rotation),
        p_BI=X_BI.translation.copy(),
        gyro_smooth=X_WI.rotation.T @ V.angular + bias,
        w_slow=np.zeros(3),
    )
    odometry, q_O = new_odometry(2), -q_found
    odometry.origin_W[:], odometry.origin_O[:], odometry.yaw[:] = 1.0, 2.0, 0.5
    write_state(ekf.arrays, joints, imu, tables, odometry, RobotState(q_found, v_found, q_O), new_scratch())
    # The odometry frame is turned by its yaw, and the filter's origin is in another place in it.
    R_OW = pin.utils.rotate("z", 0.5)
    np.testing.assert_allclose(q_O[:3], 2.0 + R_OW @ q[:3], atol=1e-12)
    R_WB, R_OB = (pin.Quaternion(x[3:7].copy()).toRotationMatrix() for x in (q, q_O))
    np.testing.assert_allclose(R_OB, R_OW @ R_WB, atol=1e-12)
    np.testing.assert_array_equal(q_O[7:], q[7:])
    q_found[:3] -= 1.0
    np.testing.assert_allclose(q_found[3:7], -q[3:7], atol=1e-12)
    q_found[3:7] *= -1.0
    np.testing.assert_allclose(q_found, q, atol=1e-12)
    np.testing.assert_allclose(v_found, v, atol=1e-12)
