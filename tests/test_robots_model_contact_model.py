import numpy as np
import pinocchio as pin
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.robots.model.contact_model import lowest_corner, sole_axes
from kilohertz.robots.model.robot_model import RobotModel

SOLE = np.array([[0.1, 0.05, 0], [0.1, -0.05, 0], [-0.1, -0.05, 0], [-0.1, 0.05, 0]])
angles = st.floats(-3.0, 3.0)


def test_a_sole_drawn_level_keeps_the_axes_of_its_link() -> None:
    np.testing.assert_array_equal(sole_axes(SOLE, np.eye(3)), np.eye(3))
    # Also where the nominal posture tilts the foot: the sole is what stands on the ground.
    np.testing.assert_array_equal(sole_axes(SOLE, pin.rpy.rpyToMatrix(0.1, -0.2, 0.3)), np.eye(3))


@given(roll=angles, pitch=angles, yaw=angles)
def test_any_link_gets_a_sole_with_z_up_and_x_forward(roll: float, pitch: float, yaw: float) -> None:
    R_WL = pin.rpy.rpyToMatrix(roll, pitch, yaw)
    R_LF = sole_axes(SOLE @ R_WL, R_WL)  # a sole that is level in the world
    np.testing.assert_allclose(R_LF.T @ R_LF, np.eye(3), atol=1e-12)
    assert np.linalg.det(R_LF) > 0.0
    R_WF = R_WL @ R_LF
    assert R_WF[2, 2] > np.cos(np.deg2rad(1.001))
    assert R_WF[0, 0] > np.cos(np.deg2rad(45.001))


@given(roll=angles, pitch=angles, yaw=angles)
def test_a_point_foot_stands_upright_in_the_nominal_posture(roll: float, pitch: float, yaw: float) -> None:
    R_WL = pin.rpy.rpyToMatrix(roll, pitch, yaw)
    assert (R_WL @ sole_axes(np.zeros((1, 3)), R_WL))[2, 2] > np.cos(np.deg2rad(1.001))


def test_a_sole_that_faces_forward_has_axes_too() -> None:
    R_LF = sole_axes(SOLE @ pin.rpy.rpyToMatrix(0.0, -np.pi / 2, 0.0), np.eye(3))
    np.testing.assert_allclose(R_LF.T @ R_LF, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("height_m", [0.0, 0.3])
def test_the_lowest_corner_follows_the_base(height_m: float) -> None:
    robot = RobotModel.load("g1")
    q = robot.q_nominal.copy()
    q[2] += height_m
    assert lowest_corner(robot.pin_model, robot.contacts, q) == pytest.approx(height_m, abs=1e-12)
