"""What a Unitree robot demands of a low command, for its stand-in in simulation."""

from __future__ import annotations

import math

import numpy as np

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow
from kilohertz.robots.unitree.checksum import checksum
from kilohertz.robots.unitree.families import Family
from kilohertz.robots.unitree.low_command import GO_HEAD, LOW_LEVEL, SERIES
from kilohertz.robots.unitree.messages import Message

NUMBERS = ("q", "dq", "kp", "kd", "tau")
BEYOND_RAD = 0.5
"""A desired position this far beyond a joint's range is that of another joint."""


class CommandRules:
    """Judges commands, and converts those that are accepted to the model's joints.

    Args:
        robot: model of the robot.
        family: the machine.
        mode_machine: the machine's own mode, which a command must copy from the state.

    Attributes:
        accepted, refused: numbers of commands.
        refusal: why the last refused command was refused, in one sentence; empty if none was.
    """

    def __init__(self, robot: RobotModel, family: Family, mode_machine: int) -> None:
        self.accepted = self.refused = 0
        self.refusal = ""
        self._family, self._mode_machine = family, mode_machine
        self._joints = robot.joint_names
        self._slots = np.array(family.slots(robot.joint_names), dtype=np.intp)
        self._low = robot.position_lower_rad - BEYOND_RAD
        self._high = robot.position_upper_rad + BEYOND_RAD
        self._message = Message(family.command)

    def take(self, payload: bytes, command: CommandRow, service: str) -> bool:
        """Judges a received command.

        Args:
            payload: its bytes on the wire.
            command: row that receives an accepted command.
            service: mode of the motion service that controls the robot; "" for none.

        Returns:
            Whether it was accepted.
        """
        refusal = self._form(payload) or self._modes(service) or self._numbers()
        if refusal:
            self.refused += 1
            self.refusal = refusal
            return False
        self.accepted += 1
        motors = self._message.fields["motor_cmd"]
        rows = (command.q_des, command.v_des, command.kp, command.kd, command.tau_ff)
        for name, row in zip(NUMBERS, rows, strict=True):
            row[:] = motors[name][self._slots]
        command.seq[0] = self.accepted
        return True

    def _form(self, payload: bytes) -> str:
        message = self._message
        if not message.unpack(payload):
            return f"{len(payload)} bytes are not a {message.struct.name}"
        stated = int(message.fields["crc"])
        if stated != checksum(message.memory):
            return "the command has no checksum: crc is 0" if stated == 0 else "the checksum is wrong"
        return ""

    def _modes(self, service: str) -> str:
        fields = self._message.fields
        if service:
            return f"the motion service controls the motors: release its mode '{service}' first"
        if self._family.hg:
            mode = int(fields["mode_machine"])
            if mode != self._mode_machine:
                return f"mode_machine is {mode}, and {self._mode_machine} in the state: copy it from there"
            if int(fields["mode_pr"]) != SERIES:
                mode = int(fields["mode_pr"])
                return f"mode_pr is {mode}: this stand-in has no parallel joints, send {SERIES}"
        elif tuple(fields["head"].tolist()) != GO_HEAD or int(fields["level_flag"]) != LOW_LEVEL:
            return f"head and level_flag are not those of a low command: send fe ef and {LOW_LEVEL:#x}"
        for slot, joint in zip(self._slots.tolist(), self._joints, strict=True):
            mode, needed = int(fields["motor_cmd"]["mode"][slot]), self._family.mode(slot)
            if mode != needed:
                return f"motor {slot} ({joint}) has the mode {mode}: it follows commands in mode {needed}"
        return ""

    def _numbers(self) -> str:
        motors = self._message.fields["motor_cmd"]
        for name in NUMBERS:
            values = motors[name][self._slots]
            if not math.isfinite(float(values.sum())):
                place = int(np.flatnonzero(~np.isfinite(values))[0])
                return f"{name} of {self._motor(place)} is {values[place]}"
        for name in ("kp", "kd"):
            values = motors[name][self._slots]
            if values.min() < 0.0:
                place = int(values.argmin())
                return f"{name} of {self._motor(place)} is negative"
        q, stiff = motors["q"][self._slots], motors["kp"][self._slots] > 0.0
        outside = np.flatnonzero(stiff & ((q < self._low) | (q > self._high)))
        if outside.size:
            place = int(outside[0])
            return (
                f"q of {self._motor(place)} is {q[place]:.2f} rad, far beyond its range: "
                "are the motors in the right order?"
            )
        return ""

    def _motor(self, place: int) -> str:
        return f"motor {self._slots[place]} ({self._joints[place]})"
