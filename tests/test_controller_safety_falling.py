"""A fall is detected early, and the robot folds and damps while it falls."""

import numpy as np
import pinocchio as pin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilohertz.controller.gains.schema import FallGains
from kilohertz.controller.safety.falling import REASONS, CentreOfMass, Falling
from kilohertz.robots.model.robot_model import RobotModel

LEVEL = 1.0
OVER_SOLES = np.array([0.0, 0.0, 0.66])
HALF_SOLE = np.array([0.085, 0.14])
STILL = np.zeros(3)


@pytest.fixture(scope="module")
def g1() -> RobotModel:
    return RobotModel.load("g1")


def new_falling(robot, height_m=0.66):
    centre = CentreOfMass(np.zeros(3), np.zeros(3))
    falling = Falling(robot, FallGains(), height_m, robot.torque_limit_Nm / 10.0, centre)
    falling.centre = centre
    return falling


def lost(falling, upright, p_SC, v_WC, half_support_m=HALF_SOLE, yaw_rad=0.0):
    """Why a robot falls whose centre of mass moves like this, seen from its soles at (1, 2, 3)."""
    q = np.zeros(7)
    q[3:5] = np.sqrt(0.25 * (1.0 - upright))
    R_des, p_WS = pin.rpy.rpyToMatrix(0.0, 0.0, yaw_rad), np.array([1.0, 2.0, 3.0])
    falling.centre.p_WC[:] = p_WS + R_des @ np.asarray(p_SC)
    falling.centre.v_WC[:] = R_des @ np.asarray(v_WC)
    return REASONS[falling.lost(q, R_des, p_WS, half_support_m)]


@pytest.fixture
def falling(g1):
    return new_falling(g1)


def test_the_motion_over_the_soles_is_in_heading_axes(falling):
    p_SC, v_WC = np.array([0.02, -0.03, 0.66]), np.array([0.1, 0.2, -0.3])
    for yaw_rad in (0.0, 0.7, -2.0):
        assert lost(falling, LEVEL, p_SC, v_WC, yaw_rad=yaw_rad) == ""
        np.testing.assert_allclose(falling.p_SC, p_SC, atol=1e-12)
        np.testing.assert_allclose(falling.v_SC, v_WC, atol=1e-12)


def test_a_robot_at_rest_over_its_soles_has_lost_nothing(falling):
    assert lost(falling, LEVEL, OVER_SOLES, STILL) == ""
    assert not falling.active


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_balance_is_lost_where_the_capture_point_is_further_out_than_a_step_reaches(falling, axis, sign):
    height_m = 0.66
    edge_m = HALF_SOLE[axis] + FallGains().reach * height_m
    for share in (0.0, 0.3, 1.0):
        p_SC, v_WC = OVER_SOLES.copy(), STILL.copy()
        # A part of the way by position, the rest by velocity.
        p_SC[axis] = sign * share * edge_m
        v_WC[axis] = sign * (1.0 - share) * edge_m * np.sqrt(9.81 / height_m)
        assert lost(falling, LEVEL, [*0.999 * p_SC[:2], height_m], 0.999 * v_WC) == ""
        assert "capture point" in lost(falling, LEVEL, [*1.001 * p_SC[:2], height_m], 1.001 * v_WC)


def test_tilt_and_height_count_from_their_gains_on(falling):
    gains = FallGains()
    for share, reason in ((0.99, ""), (1.01, "a fall: the base has tilted too far")):
        upright = np.cos(np.deg2rad(share * gains.tilt_deg))
        assert lost(falling, upright, OVER_SOLES, STILL) == reason
    for share, reason in ((1.01, ""), (0.99, "a fall: the centre of mass is too low")):
        low = np.array([0.0, 0.0, share * gains.lowest * 0.66])
        assert lost(falling, LEVEL, low, STILL) == reason


def test_it_is_active_until_it_stands_again_and_begins_anew(g1, falling):
    command = g1.new_command_row()
    falling.start(g1.q_nominal[7:], OVER_SOLES, np.array([1.0, 0, 0]))
    assert falling.active
    falling.command(command, 10.0)
    falling.reset()
    assert not falling.active
    falling.start(g1.q_nominal[7:], OVER_SOLES, np.array([1.0, 0, 0]))
    falling.command(command, 0.0)
    np.testing.assert_array_equal(command.q_des, g1.q_nominal[7:])


@pytest.mark.parametrize("p_SC", [(0.2, 0.0, 0.66), (-0.2, 0.0, 0.66), (0.0, 0.2, 0.66), (0.0, -0.2, 0.66)])
def test_a_robot_that_leans_folds_that_way_unless_it_moves_back_fast(g1, falling, p_SC):
    ways = {(True, True): "forward", (True, False): "backward"}
    along_x = p_SC[0] != 0.0
    command = g1.new_command_row()
    for back in (0.0, 2.0):
        v_WC = -back * np.sqrt(9.81 / 0.66) * np.array([p_SC[0], p_SC[1], 0.0])
        falling.start(g1.q_nominal[7:], p_SC, v_WC)
        falling.command(command, 10.0)
        forward = (p_SC[0] > 0.0) == (back == 0.0)
        way = ways.get((along_x, forward), "sideways")
        np.testing.assert_allclose(command.q_des, g1.fold_rad[way], atol=1e-12)


def test_the_springs_yield_once_it_lies(g1, falling):
    gains, command = FallGains(), g1.new_command_row()
    falling.start(g1.q_nominal[7:], OVER_SOLES, np.array([1.0, 0, 0]))
    falling.command(command, 0.99 * gains.hold_s)
    kp = g1.torque_limit_Nm * gains.stiffness_per_rad
    np.testing.assert_allclose(command.kp, kp)
    np.testing.assert_allclose(command.kd, g1.torque_limit_Nm / gains.speed_rad_s)
    falling.command(command, 0.02 * gains.hold_s)
    np.testing.assert_allclose(command.kp, kp * gains.rest_stiffness)
    np.testing.assert_allclose(command.kd, g1.torque_limit_Nm / 10.0)


@pytest.mark.parametrize(
    ("upright", "p_SC", "v_WC", "word"),
    [
        (np.cos(0.9), OVER_SOLES, STILL, "tilted"),
        (LEVEL, np.array([0, 0, 0.3]), STILL, "low"),
        (LEVEL, OVER_SOLES, np.array([1.0, 0, 0]), "capture point"),
        (LEVEL, OVER_SOLES, np.array([0, -1.5, 0]), "capture point"),
    ],
)
def test_lost_balance_says_why(falling, upright, p_SC, v_WC, word):
    reason = lost(falling, upright, p_SC, v_WC)
    assert reason.startswith("a fall")
    assert word in reason


@pytest.mark.parametrize(
    ("v_WC", "way"),
    [((1.0, 0.2, 0), "forward"), ((-1.0, 0.2, 0), "backward"), ((0.1, 1.0, 0), "sideways")],
)
def test_it_folds_the_way_it_falls(g1, falling, v_WC, way):
    command = g1.new_command_row()
    falling.start(g1.q_nominal[7:], OVER_SOLES, np.array(v_WC))
    for _ in range(300):
        falling.command(command, 1e-3)
    np.testing.assert_allclose(command.q_des, g1.fold_rad[way], atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3000))
def test_a_falling_robot_is_always_damped_and_its_target_never_jumps(ticks):
    robot = _robot()
    falling = new_falling(robot)
    command = robot.new_command_row()
    falling.start(robot.q_nominal[7:], OVER_SOLES, np.array([1.0, 0, 0]))
    falling.command(command, 1e-3)
    largest = np.abs(robot.fold_rad["forward"] - robot.q_nominal[7:]).max()
    before = command.q_des.copy()
    for _ in range(ticks):
        falling.command(command, 1e-3)
        assert (command.kd > 0.0).all()
        assert np.abs(command.q_des - before).max() <= largest * 1e-3 / FallGains().fold_s + 1e-12
        before[:] = command.q_des
    assert (command.tau_ff == 0.0).all()


def test_a_robot_without_a_fold_stays_as_it_is():
    talos = RobotModel.load("talos")
    assert not talos.fold_rad
    falling = new_falling(talos, 0.87)
    command = talos.new_command_row()
    falling.start(talos.q_nominal[7:], OVER_SOLES, np.array([1.0, 0, 0]))
    falling.command(command, 0.5)
    np.testing.assert_allclose(command.q_des, talos.q_nominal[7:])


_LOADED: list[RobotModel] = []


def _robot() -> RobotModel:
    if not _LOADED:
        _LOADED.append(RobotModel.load("g1"))
    return _LOADED[0]
