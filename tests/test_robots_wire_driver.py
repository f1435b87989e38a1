from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.driver import RAD_PER_UNIT, Driver, DriverConfig, load_driver

ROBOT = RobotModel.load("ur5")
JOINTS = ROBOT.joint_names
ORDER = (JOINTS[3], "-", *JOINTS[:3], "spare", JOINTS[5], "m4")
FULL = {
    "joints": ORDER,
    "names": {"m4": JOINTS[4]},
    "sign": {JOINTS[0]: -1, JOINTS[4]: -1},
    "offset_rad": {JOINTS[1]: 0.3, JOINTS[4]: -0.2},
    "gear": {JOINTS[2]: 9.0, JOINTS[4]: 100.0},
}


def driver(**fields):
    return Driver(ROBOT, DriverConfig.model_validate(fields))


@pytest.mark.parametrize("unit", RAD_PER_UNIT)
def test_the_motors_do_to_the_joints_what_the_controller_wants(unit):
    """A PD law in the motors' own angles is the controller's PD law at the joints."""
    rng = np.random.default_rng(0)
    turned = driver(**FULL, position_unit=unit)
    turned.state[:] = rng.normal(size=3 * len(ORDER))
    row, command = ROBOT.new_sensor_row(), ROBOT.new_command_row()
    turned.read(row)
    command.data[:] = rng.uniform(0.1, 1.0, command.data.size)
    turned.write(command)
    turned.tau[:] = (
        turned.tau_ff + turned.kp * (turned.q_des - turned.q) + turned.kd * (turned.v_des - turned.v)
    )
    wanted = command.tau_ff + command.kp * (command.q_des - row.q) + command.kd * (command.v_des - row.v)
    turned.read(row)
    np.testing.assert_allclose(row.tau, wanted, rtol=1e-12)


def test_a_posture_that_is_asked_for_is_the_one_that_is_read():
    turned = driver(**FULL, position_unit="turns")
    row, command = ROBOT.new_sensor_row(), ROBOT.new_command_row()
    command.q_des[:] = np.linspace(-1.0, 1.0, ROBOT.na)
    turned.write(command)
    turned.q[:] = turned.q_des
    turned.read(row)
    np.testing.assert_allclose(row.q, command.q_des, rtol=1e-12)
    assert turned.q_des[1] == turned.q_des[5] == 0.0


def test_without_a_word_nothing_is_changed():
    turned = driver()
    command = ROBOT.new_command_row()
    command.data[:] = np.arange(command.data.size)
    turned.write(command)
    for block, field in zip(turned.command_blocks, ("q_des", "v_des", "kp", "kd", "tau_ff"), strict=True):
        np.testing.assert_array_equal(block, getattr(command, field))
    assert turned.units.startswith("rad rad/s")


def test_gravity_that_the_robot_adds_is_not_sent_twice():
    turned = driver(adds_gravity=True)
    row, command = ROBOT.new_sensor_row(), ROBOT.new_command_row()
    turned.q[:] = ROBOT.q_nominal
    turned.read(row)
    gravity = pin.computeGeneralizedGravity(ROBOT.pin_model, ROBOT.pin_model.createData(), ROBOT.q_nominal)
    command.tau_ff[:] = gravity
    turned.write(command)
    np.testing.assert_allclose(turned.tau_ff, 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sign: {elbow_jiont: -1}", "did you mean 'elbow_joint'"),
        ("sign: {elbow_joint: 2}", "sign.elbow_joint"),
        ("gear: {elbow_joint: -9.0}", "gear.elbow_joint: should be positive"),
        ("joints: [elbow_joint]", "'wrist_1_joint' should be moved by one motor, not by 0"),
        ("names: {m: elbow_joint}", "no motor 'm'"),
        ("position_unit: grad", "position_unit"),
        ("sgin: {}", "did you mean 'sign'"),
    ],
)
def test_mistakes_are_told_with_file_and_line(tmp_path, text, told):
    path = tmp_path / "driver.yaml"
    path.write_text(f"# a comment\n{text}\n")
    with pytest.raises(ConfigError) as error:
        load_driver(ROBOT, path)
    assert f"{path}:2:" in str(error.value)
    assert told in str(error.value)


def test_a_robot_without_the_file_needs_none():
    assert load_driver(ROBOT) is None


def test_only_an_arm_can_add_gravity():
    with pytest.raises(ConfigError, match="fixed to the ground"):
        Driver(RobotModel.load("bolt"), DriverConfig(adds_gravity=True))
