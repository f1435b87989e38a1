from __future__ import annotations

from importlib.resources import files

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.driver import RAD_PER_UNIT, Driver, DriverConfig, load_driver
from kilohertz.robots.wire.robot_side import ARMED_TICKS, HOLD_TICKS, SILENT_PEER_NS, WATCHDOG_TICKS
from kilohertz.robots.wire.silence import PREDICT_AFTER_POLLS
from kilohertz.robots.wire.sockets import ASK_AGAIN_S
from kilohertz.robots.wire.zmq_link import (
    ANSWER_S,
    DEADLINE_US,
    GOODBYE_S,
    HEARTBEAT_S,
    PREDICTED_DEADLINE_US,
    SILENT_MS,
)

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


PROTOCOL = (files("kilohertz.robots") / "PROTOCOL.md").read_text(encoding="utf-8")


def test_the_protocol_lists_every_key_of_a_driver_file():
    table = PROTOCOL.split("All keys are optional:")[1].split("\n\n")[1]
    keys = [line.split("|")[1].strip() for line in table.splitlines()[2:]]
    assert keys == list(DriverConfig.model_fields)


@pytest.mark.parametrize(
    ("row", "value"),
    [
        ("a state is overdue", f"{PREDICT_AFTER_POLLS} ms"),
        ("the link is lost", f"{SILENT_MS} ms"),
        ("a command is late", f"{DEADLINE_US // 1000} ms, or {PREDICTED_DEADLINE_US // 1000} ms"),
        ("the last command is held", f"{HOLD_TICKS} periods"),
        ("damping, latched", f"{WATCHDOG_TICKS} periods"),
        ("a lease without a command ends", f"{ARMED_TICKS} periods"),
        ("a heartbeat is due", f"(`khz run`: {HEARTBEAT_S} s)"),
        ("a peer without a lease is forgotten", f"{SILENT_PEER_NS // 10**9} s"),
        ("a request is repeated", f"{ASK_AGAIN_S} s"),
        ("the controller gives up a handshake", f"{ANSWER_S:.0f} s"),
        ("the controller no longer waits", f"{GOODBYE_S} s"),
    ],
)
def test_the_protocol_tells_the_times_that_hold(row, value):
    (line,) = (line for line in PROTOCOL.splitlines() if line.startswith(f"| {row}"))
    assert value in line


def test_a_heartbeat_is_due_before_its_peer_is_forgotten():
    assert HEARTBEAT_S < 1.0 < SILENT_PEER_NS * 1e-9
    assert "sent at least every 1 s" in PROTOCOL


def test_gear_and_unit_are_on_the_side_that_the_protocol_says():
    robot = RobotModel.load("ur5")
    gear, unit = 9.0, 2.0 * np.pi
    driver = Driver(robot, DriverConfig(gear={"elbow_joint": gear}, position_unit="turns"))
    joint = robot.joint_names.index("elbow_joint")
    driver.q[joint], driver.v[joint], driver.tau[joint] = 0.5, 0.2, 3.0
    row = robot.new_sensor_row()
    driver.read(row)
    assert row.q[joint] == pytest.approx(unit * 0.5 / gear)
    assert row.v[joint] == pytest.approx(unit * 0.2 / gear)
    assert row.tau[joint] == pytest.approx(gear * 3.0)
    command = robot.new_command_row()
    command.kp[joint], command.kd[joint], command.tau_ff[joint] = 100.0, 10.0, 18.0
    driver.write(command)
    assert driver.kp[joint] == pytest.approx(100.0 * unit / gear**2)
    assert driver.kd[joint] == pytest.approx(10.0 * unit / gear**2)
    assert driver.tau_ff[joint] == pytest.approx(18.0 / gear)


def test_gravity_is_left_to_a_robot_that_adds_it_and_is_part_of_what_it_measures():
    robot = RobotModel.load("ur5")
    driver = Driver(robot, DriverConfig(adds_gravity=True))
    gravity = pin.computeGeneralizedGravity(
        robot.pin_model, robot.pin_model.createData(), robot.q_nominal
    ).copy()
    driver.q[:], driver.tau[:] = robot.q_nominal, gravity
    row = robot.new_sensor_row()
    driver.read(row)
    np.testing.assert_allclose(row.tau, gravity)
    command = robot.new_command_row()
    command.tau_ff[:] = gravity
    driver.write(command)
    np.testing.assert_allclose(driver.tau_ff, 0.0, atol=1e-9)
