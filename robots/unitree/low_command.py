"""The low command of a Unitree robot: gains, positions and torques of all motors, with mode and checksum."""

from __future__ import annotations

import numpy as np

from kilohertz.robots.model.rows import Vector
from kilohertz.robots.unitree.checksum import checksum
from kilohertz.robots.unitree.families import Family
from kilohertz.robots.unitree.messages import Message

SERIES = 0
"""`mode_pr` for joints (pitch and roll) instead of the motors of a parallel ankle or waist (A and B)."""
GO_HEAD, LOW_LEVEL = (0xFE, 0xEF), 0xFF
"""First bytes of a command in `unitree_go`, and its level."""


class LowCommand:
    """Packs commands; a motor without a joint in the model only damps.

    Args:
        family: the machine.
        slots: motor index of each joint of the model.
        idle_kd: velocity gain of the machine's motors that no joint of the model moves [Nms/rad].
    """

    def __init__(self, family: Family, slots: list[int], idle_kd: float) -> None:
        self._message = Message(family.command)
        self._slots = np.array(slots, dtype=np.intp)
        self._hg = family.hg
        fields = self._message.fields
        self._motors = fields["motor_cmd"]
        if self._hg:
            fields["mode_pr"] = SERIES
        else:
            fields["head"] = GO_HEAD
            fields["level_flag"] = LOW_LEVEL
        for slot in range(len(family.motors)):
            self._motors["mode"][slot] = family.mode(slot)
            if slot not in slots and family.mode(slot):
                self._motors["kd"][slot] = idle_kd

    def pack(self, mode_machine: int, q: Vector, v: Vector, kp: Vector, kd: Vector, tau: Vector) -> bytes:
        """Returns the bytes on the wire of a command. Hot path.

        Args:
            mode_machine: that of the robot's state.
            q: (n,) desired joint positions [rad].
            v: (n,) desired joint velocities [rad/s].
            kp: (n,) position gains [Nm/rad].
            kd: (n,) velocity gains [Nms/rad].
            tau: (n,) feed-forward torques [Nm].
        """
        motors, slots = self._motors, self._slots
        motors["q"][slots] = q
        motors["dq"][slots] = v
        motors["kp"][slots] = kp
        motors["kd"][slots] = kd
        motors["tau"][slots] = tau
        fields = self._message.fields
        if self._hg:
            fields["mode_machine"] = mode_machine
        fields["crc"] = checksum(self._message.memory)
        return self._message.pack()
