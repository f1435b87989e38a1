"""A fall is detected early, and the robot folds and damps while it falls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.controller.gains.schema import FallGains
from kilohertz.controller.safety.falling import Falling
from kilohertz.robots.model.robot_model import RobotModel

LEVEL = 1.0
OVER_SOLES = np.array([0.0, 0.0, 0.66])
HALF_SOLE = np.array([0.085, 0.14])
STILL = np.zeros(3)


@pytest.fixture(scope="module")
def g1() -> RobotModel:
    return RobotModel.load("g1")


@pytest.fixture
def falling(g1):
    return Falling(g1, FallGains(), 0.66, g1.torque_limit_Nm / 10.0)


def test_a_robot_at_rest_over_its_soles_has_lost_nothing(falling):
    assert falling.lost(LEVEL, OVER_SOLES, STILL, HALF_SOLE) == ""


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
    reason = falling.lost(upright, p_SC, v_WC, HALF_SOLE)
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


@given(st.integers(1, 3000))
def test_a_falling_robot_is_always_damped_and_its_target_never_jumps(ticks):
    robot = _robot()
    falling = Falling(robot, FallGains(), 0.66, robot.torque_limit_Nm / 10.0)
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
    falling = Falling(talos, FallGains(), 0.87, talos.torque_limit_Nm / 10.0)
    command = talos.new_command_row()
    falling.start(talos.q_nominal[7:], OVER_SOLES, np.array([1.0, 0, 0]))
    falling.command(command, 0.5)
    np.testing.assert_allclose(command.q_des, talos.q_nominal[7:])


_LOADED: list[RobotModel] = []


def _robot() -> RobotModel:
    if not _LOADED:
        _LOADED.append(RobotModel.load("g1"))
    return _LOADED[0]
