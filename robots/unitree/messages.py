"""Unitree's public low-level messages: their fields, their layout in memory, and their bytes on the wire.

A message exists in two layouts. In memory it is a C struct with the compiler's padding, over which the
checksum is computed. On the wire it is plain CDR, little-endian, whose alignment counts from the start of the
message, so that a struct has no padding at its end. One table of fields gives both layouts, and the types
that are declared to DDS.

Source of the fields: the IDL of unitreerobotics/unitree_sdk2 (include/unitree/idl/hg, idl/go2). G1 and H1-2
use the package `unitree_hg`; Go2, B2 and H1 use `unitree_go`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER = b"\x00\x01\x00\x00"
"""Encapsulation of a message on the wire: plain CDR, little-endian, no options."""
MOST_PADDING = 3
"""Bytes by which a message on the wire may be longer than its content, to fill a word of 4."""


@dataclass(frozen=True)
class Struct:
    """A struct of the IDL.

    Attributes:
        name: type name, with the modules, such as `unitree_hg.msg.dds_.LowCmd_`.
        members: name, type and number of each member, in order; a number above 1 is an array. The type is a
            NumPy type (`u1`, `f4`, ...) or a struct.
    """

    name: str
    members: tuple[tuple[str, str | Struct, int], ...]

    def memory(self) -> np.dtype[Any]:
        """Returns the layout in memory, as a C compiler aligns it."""
        fields: list[Any] = []
        for name, kind, number in self.members:
            part = kind.memory() if isinstance(kind, Struct) else np.dtype(f"<{kind}")
            fields.append((name, part, (number,)) if number > 1 else (name, part))
        return np.dtype(fields, align=True)


def _package(name: str, **structs: tuple[tuple[str, str | Struct, int], ...]) -> dict[str, Struct]:
    return {key: Struct(f"{name}.msg.dds_.{key}", members) for key, members in structs.items()}


def _joint(reserve: int) -> tuple[tuple[str, str | Struct, int], ...]:
    numbers = tuple((name, "f4", 1) for name in ("q", "dq", "tau", "kp", "kd"))
    return (("mode", "u1", 1), *numbers, ("reserve", "u4", reserve))


def _imu(temperature: str) -> tuple[tuple[str, str | Struct, int], ...]:
    return (
        ("quaternion", "f4", 4),
        ("gyroscope", "f4", 3),
        ("accelerometer", "f4", 3),
        ("rpy", "f4", 3),
        ("temperature", temperature, 1),
    )


HG_MOTORS, GO_MOTORS = 35, 20
"""Slots for motors in a message; a robot uses the first of them."""

_hg = _package(
    "unitree_hg",
    MotorCmd_=_joint(1),
    IMUState_=_imu("i2"),
    MotorState_=(
        ("mode", "u1", 1),
        ("q", "f4", 1),
        ("dq", "f4", 1),
        ("ddq", "f4", 1),
        ("tau_est", "f4", 1),
        ("temperature", "i2", 2),
        ("vol", "f4", 1),
        ("sensor", "u4", 2),
        ("motorstate", "u4", 1),
        ("reserve", "u4", 4),
    ),
    BmsState_=(
        ("version_high", "u1", 1),
        ("version_low", "u1", 1),
        ("fn", "u1", 1),
        ("cell_vol", "u2", 40),
        ("bmsvoltage", "u4", 3),
        ("current", "i4", 1),
        ("soc", "u1", 1),
        ("soh", "u1", 1),
        ("temperature", "i2", 12),
        ("cycle", "u2", 1),
        ("manufacturer_date", "u2", 1),
        ("bmsstate", "u4", 5),
        ("reserve", "u4", 3),
    ),
)
_go = _package(
    "unitree_go",
    MotorCmd_=_joint(3),
    IMUState_=_imu("u1"),
    BmsCmd_=(("off", "u1", 1), ("reserve", "u1", 3)),
    MotorState_=(
        ("mode", "u1", 1),
        *tuple((name, "f4", 1) for name in ("q", "dq", "ddq", "tau_est", "q_raw", "dq_raw", "ddq_raw")),
        ("temperature", "u1", 1),
        ("lost", "u4", 1),
        ("reserve", "u4", 2),
    ),
    BmsState_=(
        ("version_high", "u1", 1),
        ("version_low", "u1", 1),
        ("status", "u1", 1),
        ("soc", "u1", 1),
        ("current", "i4", 1),
        ("cycle", "u2", 1),
        ("bq_ntc", "u1", 2),
        ("mcu_ntc", "u1", 2),
        ("cell_vol", "u2", 15),
    ),
)
_GO_HEAD: tuple[tuple[str, str | Struct, int], ...] = (
    ("head", "u1", 2),
    ("level_flag", "u1", 1),
    ("frame_reserve", "u1", 1),
    ("sn", "u4", 2),
    ("version", "u4", 2),
    ("bandwidth", "u2", 1),
)

HG_COMMAND = Struct(
    "unitree_hg.msg.dds_.LowCmd_",
    (
        ("mode_pr", "u1", 1),
        ("mode_machine", "u1", 1),
        ("motor_cmd", _hg["MotorCmd_"], HG_MOTORS),
        ("reserve", "u4", 4),
        ("crc", "u4", 1),
    ),
)
HG_STATE = Struct(
    "unitree_hg.msg.dds_.LowState_",
    (
        ("version", "u4", 2),
        ("mode_pr", "u1", 1),
        ("mode_machine", "u1", 1),
        ("tick", "u4", 1),
        ("imu_state", _hg["IMUState_"], 1),
        ("motor_state", _hg["MotorState_"], HG_MOTORS),
        ("wireless_remote", "u1", 40),
        ("reserve", "u4", 4),
        ("crc", "u4", 1),
    ),
)
HG_BATTERY = _hg["BmsState_"]
GO_COMMAND = Struct(
    "unitree_go.msg.dds_.LowCmd_",
    (
        *_GO_HEAD,
        ("motor_cmd", _go["MotorCmd_"], GO_MOTORS),
        ("bms_cmd", _go["BmsCmd_"], 1),
        ("wireless_remote", "u1", 40),
        ("led", "u1", 12),
        ("fan", "u1", 2),
        ("gpio", "u1", 1),
        ("reserve", "u4", 1),
        ("crc", "u4", 1),
    ),
)
GO_STATE = Struct(
    "unitree_go.msg.dds_.LowState_",
    (
        *_GO_HEAD,
        ("imu_state", _go["IMUState_"], 1),
        ("motor_state", _go["MotorState_"], GO_MOTORS),
        ("bms_state", _go["BmsState_"], 1),
        ("foot_force", "i2", 4),
        ("foot_force_est", "i2", 4),
        ("tick", "u4", 1),
        ("wireless_remote", "u1", 40),
        ("bit_flag", "u1", 1),
        ("adc_reel", "f4", 1),
        ("temperature_ntc1", "u1", 1),
        ("temperature_ntc2", "u1", 1),
        ("power_v", "f4", 1),
        ("power_a", "f4", 1),
        ("fan_frequency", "u2", 4),
        ("reserve", "u4", 1),
        ("crc", "u4", 1),
    ),
)


class Message:
    """One message of a type: its fields in memory, and its bytes on the wire. Hot path.

    Args:
        struct: type of the message.

    Attributes:
        struct: type of the message.
        fields: the fields, as a NumPy record that may be changed in place.
    """

    def __init__(self, struct: Struct) -> None:
        self.struct = struct
        layout = struct.memory()
        self._memory: NDArray[np.uint8] = np.zeros(layout.itemsize, dtype=np.uint8)
        self.fields: Any = self._memory.view(layout)[0]
        at, on_wire, length = _places(struct, layout, 0, 0)
        self._at = np.array(at, dtype=np.intp)
        self._on_wire = np.array(on_wire, dtype=np.intp) + len(HEADER)
        self._sent = np.zeros(len(HEADER) + length + -length % 4, dtype=np.uint8)
        self._sent[: len(HEADER)] = np.frombuffer(HEADER, dtype=np.uint8)
        self._least = len(HEADER) + length

    @property
    def memory(self) -> NDArray[np.uint8]:
        """The bytes in memory, with the padding of a C struct, over which the checksum is computed."""
        return self._memory

    def pack(self) -> bytes:
        """Returns the bytes on the wire, with the encapsulation header."""
        self._sent[self._on_wire] = self._memory[self._at]
        return self._sent.tobytes()

    def unpack(self, payload: bytes) -> bool:
        """Fills the fields from the bytes on the wire.

        Returns:
            False for bytes of another length or encapsulation; the fields are then left unchanged.
        """
        surplus = len(payload) - self._least
        if not 0 <= surplus <= MOST_PADDING or payload[:2] != HEADER[:2]:
            return False
        self._memory[self._at] = np.frombuffer(payload, dtype=np.uint8)[self._on_wire]
        return True


def _places(
    struct: Struct, layout: np.dtype[Any], offset: int, position: int
) -> tuple[list[int], list[int], int]:
    """Finds every byte of a struct in both layouts.

    Args:
        struct: the struct.
        layout: its layout in memory.
        offset: where it begins in memory.
        position: where it may begin on the wire, without the header.

    Returns:
        Offsets in memory and positions on the wire of its bytes, and the position after it.
    """
    at: list[int] = []
    on_wire: list[int] = []
    assert layout.fields is not None
    for name, kind, number in struct.members:
        part, start = layout.fields[name][:2]
        part = part.base
        for i in range(number):
            here = offset + start + i * part.itemsize
            if isinstance(kind, Struct):
                inner_at, inner_on_wire, position = _places(kind, part, here, position)
                at += inner_at
                on_wire += inner_on_wire
            else:
                position += -position % part.itemsize
                at += range(here, here + part.itemsize)
                on_wire += range(position, position + part.itemsize)
                position += part.itemsize
    return at, on_wire, position
