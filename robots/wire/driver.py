"""Conversion between the model's joints and a driver's motors: order, sign, offset, gear ratio and unit.

A `driver.yaml` beside robot.yaml describes a driver whose motors differ from the model's joints. All keys are
optional (PROTOCOL.md lists their types and defaults, and the side of the gear of each quantity):

    joints: [m0, m1, "-", m2]          # the driver's motors in its own order; "-" is a slot without a joint
    names: {m0: shoulder_joint}        # joint that a motor moves; default: the joint of the same name
    sign: {shoulder_joint: -1}         # -1 if the motor turns against the joint
    offset_rad: {shoulder_joint: 0.1}  # joint angle at motor angle 0
    gear: {shoulder_joint: 9}          # turns of the motor per turn of the joint
    position_unit: rad                 # unit of the motor's angle and speed: rad, deg or turns
    adds_gravity: false                # true if the robot adds gravity torques to the commanded torques
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pinocchio as pin
from pydantic import Field

from kilohertz.robots.config.config_error import ConfigError, Problem, did_you_mean
from kilohertz.robots.config.yaml_file import Config, Positions, load_yaml_located
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, SensorRow, Vector

FILE = "driver.yaml"
NO_JOINT = "-"
RAD_PER_UNIT = {"rad": 1.0, "deg": math.pi / 180.0, "turns": 2.0 * math.pi}


class DriverConfig(Config):
    """The content of driver.yaml."""

    joints: tuple[str, ...] | None = Field(None, description="the driver's motors, in the driver's order")
    names: dict[str, str] = Field(default_factory=dict, description="joint that each motor moves")
    sign: dict[str, Literal[1, -1]] = Field(
        default_factory=dict, description="-1 if the motor turns against the joint"
    )
    offset_rad: dict[str, float] = Field(default_factory=dict, description="joint angle at motor angle 0")
    gear: dict[str, float] = Field(default_factory=dict, description="motor turns per joint turn")
    position_unit: Literal["rad", "deg", "turns"] = Field(
        "rad", description="unit of the motor's angle and speed"
    )
    adds_gravity: bool = Field(
        False, description="whether the robot adds gravity torques to the commanded torques"
    )


class Driver:
    """Converts the model's rows to the driver's blocks and back, in place; hot path.

    A motor angle m, in a unit of u rad, gives the joint angle q = sign m u / gear + offset. The driver's
    torques are those of the motors, before the gear [Nm].

    Args:
        robot: model of the robot.
        config: content of driver.yaml.
        positions: lines of the keys in driver.yaml, for error messages.

    Attributes:
        joints: n names of the driver's motors, in the driver's order.
        units: the driver's units, for the handshake.
        adds_gravity: whether the robot adds gravity torques to the commanded torques.
        state: (3 n,) joint blocks of a state message, in the order of the wire protocol.
        q, v, tau: (n,) views of these blocks: motor angle, speed and torque.
        q_des, v_des, kp, kd, tau_ff: (n,) joint blocks of a command message.

    Raises:
        ConfigError: a joint is missing, unknown or named twice; the error has one line per problem.
    """

    def __init__(self, robot: RobotModel, config: DriverConfig, positions: Positions | None = None) -> None:
        ConfigError.raise_if_any(_problems(robot, config, positions))
        self.joints = config.joints if config.joints is not None else robot.joint_names
        unit = config.position_unit
        self.units = f"{unit} {unit}/s Nm m/s2 N s"
        n = len(self.joints)
        motor_of = {config.names.get(motor, motor): slot for slot, motor in enumerate(self.joints)}
        self._slots = np.array([motor_of[joint] for joint in robot.joint_names], dtype=np.intp)
        sign, gear, offset = (
            np.array([float(table.get(joint, default)) for joint in robot.joint_names])
            for table, default in ((config.sign, 1.0), (config.gear, 1.0), (config.offset_rad, 0.0))
        )
        self._to_joint = sign * RAD_PER_UNIT[unit] / gear
        self._torque_to_joint = sign * gear
        # kp maps a motor angle to a motor torque. The gear ratio enters both, hence its square.
        self._gain_to_motor = RAD_PER_UNIT[unit] / gear**2
        self._offset = offset
        self.state = np.zeros(3 * n)
        self.q, self.v, self.tau = self.state[:n], self.state[n : 2 * n], self.state[2 * n :]
        self.q_des, self.v_des, self.kp = np.zeros(n), np.zeros(n), np.zeros(n)
        self.kd, self.tau_ff = np.zeros(n), np.zeros(n)
        self._work = np.zeros(robot.na)
        self.adds_gravity = config.adds_gravity
        self._model = robot.pin_model if config.adds_gravity else None
        self._data = robot.pin_model.createData()
        self._q = np.zeros(robot.nq)

    def read(self, row: SensorRow) -> None:
        """Fills the joint fields of a sensor row from the blocks `q`, `v` and `tau`."""
        slots = self._slots
        np.take(self.q, slots, out=row.q, mode="clip")
        row.q *= self._to_joint
        row.q += self._offset
        np.take(self.v, slots, out=row.v, mode="clip")
        row.v *= self._to_joint
        np.take(self.tau, slots, out=row.tau, mode="clip")
        row.tau *= self._torque_to_joint
        if self._model is not None:
            self._q[:] = row.q

    def write(self, command: CommandRow) -> None:
        """Fills the blocks of a command message from a command row."""
        work, slots = self._work, self._slots
        np.subtract(command.q_des, self._offset, out=work)
        work /= self._to_joint
        self.q_des[slots] = work
        np.divide(command.v_des, self._to_joint, out=work)
        self.v_des[slots] = work
        np.multiply(command.kp, self._gain_to_motor, out=work)
        self.kp[slots] = work
        np.multiply(command.kd, self._gain_to_motor, out=work)
        self.kd[slots] = work
        work[:] = command.tau_ff
        if self._model is not None:
            work -= pin.computeGeneralizedGravity(self._model, self._data, self._q)
        work /= self._torque_to_joint
        self.tau_ff[slots] = work

    @property
    def command_blocks(self) -> tuple[Vector, ...]:
        """The blocks of a command message, in the order of the wire protocol."""
        return self.q_des, self.v_des, self.kp, self.kd, self.tau_ff


def load_driver(robot: RobotModel, path: Path | None = None) -> Driver | None:
    """Loads the driver.yaml that stands beside a robot's robot.yaml.

    Args:
        robot: model of the robot.
        path: file to read; by default driver.yaml in the robot's folder.

    Returns:
        The driver; None if there is no such file.

    Raises:
        ConfigError: the file cannot be used; the error has one line per problem.
    """
    path = path if path is not None else robot.folder / FILE
    if not path.exists():
        return None
    config, positions = load_yaml_located(path, DriverConfig)
    return Driver(robot, config, positions)


def _problems(robot: RobotModel, config: DriverConfig, positions: Positions | None) -> Iterator[Problem]:
    def problem(loc: tuple[Any, ...], sentence: str) -> Problem:
        if positions is None:
            return Problem(sentence, key=".".join(map(str, loc)))
        return positions.problem(loc, sentence)

    motors = config.joints if config.joints is not None else robot.joint_names
    moved = [config.names.get(motor, motor) for motor in motors if motor != NO_JOINT]
    for motor, joint in config.names.items():
        if motor not in motors:
            yield problem(("names", motor), f"the driver has no motor '{motor}'{did_you_mean(motor, motors)}")
        if joint not in robot.joint_names:
            yield problem(
                ("names", motor), f"there is no joint '{joint}'{did_you_mean(joint, robot.joint_names)}"
            )
    for joint in robot.joint_names:
        if moved.count(joint) != 1:
            sentence = f"'{joint}' should be moved by one motor, not by {moved.count(joint)}"
            yield problem(("joints",), sentence)
    for name in ("sign", "offset_rad", "gear"):
        table = getattr(config, name)
        for joint, value in table.items():
            if joint not in robot.joint_names:
                sentence = f"there is no joint '{joint}'{did_you_mean(joint, robot.joint_names)}"
                yield problem((name, joint), sentence)
            if name == "gear" and not value > 0.0:
                yield problem(
                    (name, joint),
                    f"should be positive, not {value:g}; use `sign` for a motor that turns backwards",
                )
    if config.adds_gravity and robot.floating:
        yield problem(
            ("adds_gravity",),
            "should be false: only a robot that is fixed to the ground can add gravity torques",
        )
