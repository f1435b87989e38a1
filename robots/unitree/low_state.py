"""The low state of a Unitree robot: checked, and as the model's joints.

Conventions of the maker, from the examples of unitreerobotics/unitree_sdk2: `tau_est` is the torque of the
motor on the joint; the IMU is that of the pelvis, its quaternion is (w, x, y, z), and its accelerometer
measures gravity as +9.81 m/s2 upwards at rest; `tick` counts milliseconds.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kilohertz.robots.model.rows import Vector
from kilohertz.robots.unitree.checksum import checksum
from kilohertz.robots.unitree.families import Family
from kilohertz.robots.unitree.messages import Message

TICK_S = 1e-3
_WRAP = 2**32


class LowState:
    """The newest low state of a robot, in the order of the model's joints.

    Args:
        family: the machine.
        slots: motor index of each joint.

    Attributes:
        q, v, tau: (n,) joint positions, velocities and torques [rad, rad/s, Nm].
        gyro, accel: (3,) angular velocity and specific force of the IMU, in its axes [rad/s, m/s2].
        quaternion: (4,) orientation of the IMU (w, x, y, z).
        t_s: time on the robot's clock since its first state [s].
        mode_pr, mode_machine: as in the message; 0 for a machine without them.
        remote: bytes of the remote control.
        accepted, refused: numbers of states.
        refusal: why the last refused state was refused, in one sentence; empty if none was.
    """

    def __init__(self, family: Family, slots: list[int]) -> None:
        n = len(slots)
        self.q: Vector = np.zeros(n)
        self.v: Vector = np.zeros(n)
        self.tau: Vector = np.zeros(n)
        self.gyro: Vector = np.zeros(3)
        self.accel: Vector = np.zeros(3)
        self.quaternion: Vector = np.zeros(4)
        self.t_s = 0.0
        self.mode_pr = self.mode_machine = 0
        self.remote = b""
        self.accepted = self.refused = 0
        self.refusal = ""
        self._family = family
        self._slots = np.array(slots, dtype=np.intp)
        self._message = Message(family.state)
        fields = self._message.fields
        motors, imu = fields["motor_state"], fields["imu_state"]
        self._motors: Any = motors
        self._numbers = [
            (motors[name], into) for name, into in (("q", self.q), ("dq", self.v), ("tau_est", self.tau))
        ]
        self._imu = [
            (imu["quaternion"], self.quaternion),
            (imu["gyroscope"], self.gyro),
            (imu["accelerometer"], self.accel),
        ]
        self._remote = fields["wireless_remote"]
        self._taken = np.zeros(n, dtype=np.float32)
        self._tick: int | None = None

    def take(self, payload: bytes) -> bool:
        """Takes in a received state, or refuses it and keeps the last one. Hot path.

        Args:
            payload: its bytes on the wire.

        Returns:
            Whether it was accepted: it has the right form and checksum, is finite, and is not an old one.
        """
        message = self._message
        kept = message.memory.copy()
        refusal = self._problem(payload)
        if refusal:
            message.memory[:] = kept
            self.refused += 1
            self.refusal = refusal
            return False
        for source, into in self._numbers:
            np.take(source, self._slots, out=self._taken, mode="clip")
            into[:] = self._taken
        for source, into in self._imu:
            into[:] = source
        self.remote = self._remote.tobytes()
        tick = int(message.fields["tick"])
        if self._tick is not None:
            self.t_s += TICK_S * ((tick - self._tick) % _WRAP)
        self._tick = tick
        if self._family.hg:
            self.mode_pr = int(message.fields["mode_pr"])
            self.mode_machine = int(message.fields["mode_machine"])
        self.accepted += 1
        return True

    def _problem(self, payload: bytes) -> str:
        message = self._message
        if not message.unpack(payload):
            return f"a state of {len(payload)} bytes is not a {message.struct.name}"
        fields = message.fields
        stated = int(fields["crc"])
        if stated != checksum(message.memory):
            hint = "; it has none, as those of unitree_mujoco's Python simulator" if stated == 0 else ""
            return f"the checksum of a state is wrong{hint}"
        sum_of_all = sum(float(source[self._slots].sum()) for source, _ in self._numbers)
        sum_of_all += sum(float(source.sum()) for source, _ in self._imu)
        if not math.isfinite(sum_of_all):
            return "a state has numbers that are not finite"
        if self._tick is not None:
            ahead = (int(fields["tick"]) - self._tick) % _WRAP
            if ahead == 0 or ahead >= _WRAP // 2:
                return "the robot's clock stands still or runs backwards"
        return ""

    def motor_fields(self) -> Any:
        """Returns the record of each motor of the newest state, by motor index."""
        return self._motors

    def battery_percent(self) -> float:
        """Returns the charge of the battery that the state carries [%]; NaN if it carries none."""
        if self._family.hg:
            return math.nan
        return float(self._message.fields["bms_state"]["soc"])
