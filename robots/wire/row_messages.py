"""Codecs between rows and wire messages: states, commands and the true state of a simulated robot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, Row, SensorRow, Vector
from kilohertz.robots.model.units import DEGREE, FASTEST_TURN_RAD_S, in_degrees
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.driver import Driver

FASTEST_RAD_S = 100.0
LARGEST_M_S2 = 1000.0
LARGEST_FORCE_N = 1e5
LARGEST_GAIN = 1e5
SPEED_OF_LIMIT = 10.0
TORQUE_OF_LIMIT = 10.0
COMMANDED_TORQUE_OF_LIMIT = 2.0
BEYOND_RAD = np.pi
DEGREES_REMEDY = (
    "as if in degrees and not in rad; send rad, or set `position_unit: deg` in driver.yaml if all motors "
    "count in degrees"
)

_F8 = np.dtype("<f8")
# Sensor and command rows begin with `seq` and `t_s`; the joint blocks follow.
_JOINTS_AT = 2


def identity(robot: RobotModel, dt_s: float, driver: Driver | None = None) -> wire.Identity:
    """Returns the identity that both ends of a link to this robot must agree on.

    Args:
        robot: model of the robot.
        dt_s: control period [s].
        driver: conversion between the model's joints and the driver's; None if the driver uses the model's.
    """
    joints, units = (driver.joints, driver.units) if driver is not None else (robot.joint_names, wire.UNITS)
    return wire.Identity(robot.name, joints, robot.contact_names, dt_s, robot.model_sha256, units)


class _Range:
    """Checks without allocation whether all entries of an array lie within fixed bounds.

    Args:
        low, high: (n,) bounds.
        optional: entries that may also be NaN.
    """

    def __init__(self, low: Vector, high: Vector, optional: slice = slice(0)) -> None:
        self._low, self._high, self._optional = low, high, optional
        self._unknown: NDArray[np.bool_] = np.zeros(low[optional].shape, dtype=bool)
        self._above: NDArray[np.bool_] = np.zeros(low.shape, dtype=bool)
        self._below: NDArray[np.bool_] = np.zeros(low.shape, dtype=bool)

    def holds(self, data: Vector) -> bool:
        # Comparisons with NaN are false, so that a value that is not finite counts as out of range.
        np.greater_equal(data, self._low, out=self._above)
        np.less_equal(data, self._high, out=self._below)
        self._above &= self._below
        np.isnan(data[self._optional], out=self._unknown)
        self._above[self._optional] |= self._unknown
        return bool(self._above.all())


class _Blocks:
    """Copies received blocks of fixed lengths, one after another, into one array.

    Args:
        into: (n,) array that receives the blocks.
        lengths: number of float64 values of each block; the lengths add up to n.
    """

    def __init__(self, into: Vector, *lengths: int) -> None:
        self._into = into
        self._bytes = [8 * length for length in lengths]

    def read(self, blocks: Sequence[bytes]) -> bool:
        """Copies the blocks into the array; returns False and copies nothing if a length is wrong."""
        for block, length in zip(blocks, self._bytes, strict=True):
            if len(block) != length:
                return False
        # Joining the blocks and copying once takes a third of the time of one copy per block.
        self._into[:] = np.frombuffer(b"".join(blocks), _F8)
        return True


class StateCodec:
    """Converts between sensor rows and state messages of one robot.

    Args:
        robot: model of the robot; its limits define which values are plausible.
        driver: conversion between the driver's joint blocks and the model's; None if they are the same.
    """

    def __init__(self, robot: RobotModel, driver: Driver | None = None) -> None:
        self._driver = driver
        self._robot = robot
        self._row = robot.new_sensor_row()
        low, high = robot.new_sensor_row(), robot.new_sensor_row()
        for row, sign in ((low, -1.0), (high, 1.0)):
            edge = robot.position_lower_rad if sign < 0 else robot.position_upper_rad
            row.data[:] = sign * np.finfo(np.float64).max
            row.q[:] = np.where(np.isfinite(edge), edge + sign * BEYOND_RAD, row.q)
            row.v[:] = sign * SPEED_OF_LIMIT * robot.velocity_limit_rad_s
            row.tau[:] = sign * TORQUE_OF_LIMIT * robot.torque_limit_Nm
            row.gyro[:] = sign * FASTEST_RAD_S
            row.accel[:] = sign * LARGEST_M_S2
            row.contact_force_N[:] = sign * LARGEST_FORCE_N
        self._checked = low.data.size - len(robot.contacts) - low.wrist.size
        # NaN is valid for a torque that is not measured.
        torques = slice(_JOINTS_AT + 2 * robot.na, _JOINTS_AT + 3 * robot.na)
        self._range = _Range(low.data[: self._checked], high.data[: self._checked], torques)
        row = self._row
        # The values of wrist sensors are not part of a state: they have a message of their own.
        row.wrist[:] = np.nan
        self._floating = robot.floating
        joints = len(driver.joints) if driver is not None else robot.na
        into = driver.state if driver is not None else row.data[_JOINTS_AT : _JOINTS_AT + 3 * joints]
        self._joints = _Blocks(into, joints, joints, joints)
        contacts = len(robot.contacts)
        # The IMU blocks and the contact forces come last in the row, as they do in the message.
        self._others = (
            _Blocks(row.data[-6 - contacts :], 3, 3, contacts)
            if self._floating
            else _Blocks(row.contact_force_N, contacts)
        )
        self._force = row.contact_force_N
        lengths = {"q": joints, "v": joints, "tau": joints, "contact_force_N": contacts}
        self._lengths = lengths | ({"gyro": 3, "accel": 3} if self._floating else {})

    def pack(self, epoch: int, seq: int, t_host_ns: int, mode: int, row: SensorRow) -> bytes:
        """Packs a state message; `seq` is sent instead of `row.seq`."""
        inertial = (row.gyro.data, row.accel.data) if self._floating else (b"", b"")
        return wire.pack(
            "state",
            epoch,
            seq,
            float(row.t_s[0]),
            t_host_ns,
            mode,
            0,
            row.q.data,
            row.v.data,
            row.tau.data,
            b"",
            b"",
            *inertial,
            row.contact_force_N.data,
        )

    def read(self, values: tuple[Any, ...], sensors: SensorRow) -> bool:
        """Fills a sensor row from the fields of a state message.

        Returns:
            False if a block has the wrong length, or if a value is not finite or not plausible; `sensors` is
            then left unchanged. A torque may be NaN, which means unknown.
        """
        row = self._row
        if not self._joints.read(values[6:9]):
            return False
        if not self._others.read(values[11 if self._floating else 13 : 14]):
            return False
        if self._driver is not None:
            self._driver.read(row)
        row.seq[0], row.t_s[0] = values[1], values[2]
        if not self._range.holds(row.data[: self._checked]):
            return False
        # NaN means that the contact has no force sensor; any other value must be a plausible force.
        for force in self._force:
            if not (force != force or abs(force) <= LARGEST_FORCE_N):
                return False
        sensors.data[:] = row.data
        return True

    def problem(self, values: tuple[Any, ...], sensors: SensorRow) -> str:
        """Returns why `read` refuses the fields of a state, as the end of a sentence; "" if it accepts them.

        Args:
            values: fields of the state message.
            sensors: row that receives the fields if they are accepted.
        """
        for name, length in self._lengths.items():
            sent = len(values[wire.STATE_FIELDS.index(name)]) // 8
            if sent != length:
                return f"`{name}` has {sent} numbers instead of {length}"
        if self.read(values, sensors):
            return ""
        row = self._row
        for name, largest, unit, whose in self._limits():
            field = getattr(row, name)
            for i, value in enumerate(field.tolist()):
                if value != value and name in ("tau", "contact_force_N"):
                    continue
                if not abs(value) <= largest[i]:
                    whole = f"{name} of {whose[i]}" if whose else f"{name}[{i}]"
                    if not np.isfinite(value):
                        return f"{whole} is {value}, which is not finite"
                    hint = self._hint(name, abs(value), largest[i])
                    return f"{whole} is {value:.5g} {unit}, more than {largest[i]:.4g} {unit}{hint}"
        return self._position_problem()

    def _limits(self) -> list[tuple[str, Vector, str, tuple[str, ...]]]:
        """Returns the largest magnitude of each field, with its unit and the names of its entries."""
        robot = self._robot
        free = np.full(robot.na, np.finfo(np.float64).max)
        joint, contact = robot.joint_names, robot.contact_names
        return [
            ("q", free, "rad", joint),
            ("v", SPEED_OF_LIMIT * robot.velocity_limit_rad_s, "rad/s", joint),
            ("tau", TORQUE_OF_LIMIT * robot.torque_limit_Nm, "Nm", joint),
            ("gyro", np.full(3, FASTEST_RAD_S), "rad/s", ()),
            ("accel", np.full(3, LARGEST_M_S2), "m/s2", ()),
            ("contact_force_N", np.full(len(contact), LARGEST_FORCE_N), "N", contact),
        ]

    def _hint(self, name: str, value: float, largest: float) -> str:
        """Returns the unit in which an implausible value would be a usual one, with the remedy; else ""."""
        if name == "v" and in_degrees(self._robot, self._row.q):
            return f": {DEGREES_REMEDY}"
        wrong, factor, usual, right = {
            "v": ("deg/s", DEGREE, largest / SPEED_OF_LIMIT, "rad/s"),
            "gyro": ("deg/s", DEGREE, FASTEST_TURN_RAD_S, "rad/s"),
            "accel": ("mg", 1e-3 * GRAVITY_M_S2, 3.0 * GRAVITY_M_S2, "m/s2"),
            "tau": ("mNm", 1e-3, largest / TORQUE_OF_LIMIT, "Nm"),
            "contact_force_N": ("mN", 1e-3, LARGEST_FORCE_N, "N"),
        }.get(name, ("", math.inf, 0.0, ""))
        return f": as if in {wrong} and not in {right}; send {right}" if value * factor <= usual else ""

    def _position_problem(self) -> str:
        robot, q = self._robot, self._row.q
        beyond = np.maximum(robot.position_lower_rad - q, q - robot.position_upper_rad)
        joint = int(beyond.argmax())
        low, high = robot.position_lower_rad[joint], robot.position_upper_rad[joint]
        text = (
            f"q of {robot.joint_names[joint]} is {q[joint]:.5g} rad, more than pi outside its limits "
            f"{low:.3f} to {high:.3f} rad"
        )
        return f"{text}: {DEGREES_REMEDY}" if in_degrees(robot, q) else f"{text}: check its zero and unit"


class CommandCodec:
    """Converts between command rows and command messages of one robot.

    Args:
        robot: model of the robot; its limits define the accepted range of each value.
    """

    def __init__(self, robot: RobotModel) -> None:
        self._row = row = robot.new_command_row()
        low, high = robot.new_command_row(), robot.new_command_row()
        for bound, sign in ((low, -1.0), (high, 1.0)):
            edge = robot.position_lower_rad if sign < 0 else robot.position_upper_rad
            largest = sign * np.finfo(np.float64).max
            bound.data[:] = largest
            bound.q_des[:] = np.where(np.isfinite(edge), edge + sign * BEYOND_RAD, largest)
            bound.v_des[:] = sign * SPEED_OF_LIMIT * robot.velocity_limit_rad_s
            bound.tau_ff[:] = sign * COMMANDED_TORQUE_OF_LIMIT * robot.torque_limit_Nm
            bound.kp[:] = bound.kd[:] = 0.0 if sign < 0 else LARGEST_GAIN
        self._range = _Range(low.data, high.data)
        self._blocks = _Blocks(row.data[_JOINTS_AT:], *(robot.na,) * 5)

    @staticmethod
    def pack(
        epoch: int,
        seq: int,
        state_seq: int,
        deadline_us: int,
        row: CommandRow,
        driver: Driver | None = None,
    ) -> bytes:
        """Packs a command message; `seq` is sent instead of `row.seq`."""
        blocks: tuple[Vector, ...] = (row.q_des, row.v_des, row.kp, row.kd, row.tau_ff)
        if driver is not None:
            driver.write(row)
            blocks = driver.command_blocks
        return wire.pack("command", epoch, seq, state_seq, deadline_us, *[block.data for block in blocks])

    def read(self, values: tuple[Any, ...], command: CommandRow) -> bool:
        """Fills a command row from the fields of a command message.

        The message carries no time stamp, so that `command.t_s` is set to 0.

        Returns:
            False if a block has the wrong length or a value is out of range; `command` is then left
            unchanged.
        """
        row = self._row
        if not self._blocks.read(values[4:9]):
            return False
        row.seq[0] = values[1]
        if not self._range.holds(row.data):
            return False
        command.data[:] = row.data
        return True


class TruthRow(Row):
    """The true state of a simulated robot as one flat row.

    Fields (length in brackets), with the meaning that `kilohertz.sim.truth.Truth` documents: t_s [1],
    fell_at_s [1] (time of the fall [s]; NaN before a fall), mass_kg [1], q [nq], v [nv]; p_WC, v_WC, p_WR
    [3]; p_WF, contact_force_W, cop_W [nc * 3], normal_force_N [nc]; tau [na]; p_WH [nh * 3], R_WH [nh * 9].
    """

    t_s: Vector
    fell_at_s: Vector
    mass_kg: Vector
    q: Vector
    v: Vector
    p_WC: Vector
    v_WC: Vector
    p_WR: Vector
    p_WF: Vector
    contact_force_W: Vector
    normal_force_N: Vector
    cop_W: Vector
    tau: Vector
    p_WH: Vector
    R_WH: Vector

    def __init__(self, robot: RobotModel) -> None:
        nc, nh = len(robot.contacts), len(robot.hands)
        super().__init__(
            (
                ("t_s", 1),
                ("fell_at_s", 1),
                ("mass_kg", 1),
                ("q", robot.nq),
                ("v", robot.nv),
                ("p_WC", 3),
                ("v_WC", 3),
                ("p_WR", 3),
                ("p_WF", nc * 3),
                ("contact_force_W", nc * 3),
                ("normal_force_N", nc),
                ("cop_W", nc * 3),
                ("tau", robot.na),
                ("p_WH", nh * 3),
                ("R_WH", nh * 9),
            )
        )
        self.data[:] = np.nan
        self._block = _Blocks(self.data, self.data.size)

    def read(self, values: tuple[Any, ...]) -> bool:
        """Fills this row from the fields of a truth message; returns False if the block's length is wrong."""
        return self._block.read(values[1:2])


class WristBlock:
    """The values of a robot's force-torque sensors in a `wrist` message.

    Attributes:
        values: (6 nw,) force [N] and moment [Nm] of each sensor; NaN for unknown.
    """

    def __init__(self, robot: RobotModel) -> None:
        self.values: Vector = np.full(robot.new_sensor_row().wrist.size, np.nan)
        self._block = _Blocks(self.values, self.values.size)

    def read(self, values: tuple[Any, ...]) -> bool:
        """Takes the fields of a message; returns False if the block's length is wrong."""
        return self._block.read(values[1:2])
