"""The messages between a controller and a robot, as PROTOCOL.md describes them: packing and strict unpacking.

Whatever arrives, unpacking returns a message or None; it never raises and never builds more than the few
kilobytes that a message may have.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import msgpack

VERSION = 1
MAX_BYTES = 4096
MAX_JOINTS = 64
MAX_NAME = 80
MAX_TEXT = 500
UNITS = "rad rad/s Nm m/s2 N s"

STANDBY, ARMED, ACTIVE, DAMPING = range(4)
MODES = ("standby", "armed", "active", "damping")

Message = tuple[str, tuple[Any, ...]]
"""Kind of a message, and its fields."""


@dataclass(frozen=True)
class Identity:
    """What both ends of a link must agree on before anything moves.

    Attributes:
        robot: name.
        joints: names, in the order of all joint blocks.
        contacts: names, in the order of the contact force block.
        dt_s: period [s].
        model_sha256: of the model file, in hexadecimal.
        units: see `UNITS`.
    """

    robot: str
    joints: tuple[str, ...]
    contacts: tuple[str, ...]
    dt_s: float
    model_sha256: str
    units: str = UNITS

    def difference(self, other: Identity) -> tuple[str, str] | None:
        """The first field in which the other end differs, and how, in words; None where all agree.

        Args:
            other: what the controller says; this is what the robot says.
        """
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine != theirs:
                return field.name, _difference(mine, theirs)
        return None

    def packed(self) -> tuple[Any, ...]:
        """The fields as they stand in a message."""
        return tuple(getattr(self, field.name) for field in fields(self))


def _difference(mine: Any, theirs: Any) -> str:
    if not isinstance(mine, tuple):
        return f"the robot has {mine!r}, the controller {theirs!r}"[:MAX_TEXT]
    if len(mine) != len(theirs):
        missing = [name for name in mine if name not in theirs] or [
            name for name in theirs if name not in mine
        ]
        named = f"; only one of them has {missing[0]!r}" if missing else ""
        return f"the robot has {len(mine)}, the controller {len(theirs)}{named}"
    place = next(i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b)
    return f"number {place} is {mine[place]!r} on the robot and {theirs[place]!r} in the controller"


_Check = Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    # Exactly int: a bool is one too, and no number here.
    return type(value) is int and value >= 0


def _is_real(value: Any) -> bool:
    return type(value) is float and math.isfinite(value)


def _is_block(value: Any) -> bool:
    return type(value) is bytes and len(value) % 8 == 0


def _is_name(value: Any) -> bool:
    return type(value) is str and len(value) <= MAX_NAME and value.isprintable()


def _is_text(value: Any) -> bool:
    return type(value) is str and len(value) <= MAX_TEXT and value.isprintable()


def _is_names(value: Any) -> bool:
    return type(value) is tuple and len(value) <= MAX_JOINTS and all(map(_is_name, value))


def _is_mode(value: Any) -> bool:
    return type(value) is int and STANDBY <= value <= DAMPING


_IDENTITY: tuple[_Check, ...] = (_is_name, _is_names, _is_names, _is_real, _is_name, _is_name)
_FIELDS: dict[str, tuple[_Check, ...]] = {
    # client, identity, options
    "hello": (_is_name, *_IDENTITY, _is_names),
    # identity, mode, options
    "welcome": (*_IDENTITY, _is_mode, _is_names),
    # field, text
    "refused": (_is_name, _is_text),
    "heartbeat": (),
    "arm": (),
    # epoch
    "armed": (_is_number,),
    # epoch
    "disarm": (_is_number,),
    # accepted, refused, late, round trip [us]
    "disarmed": (_is_number, _is_number, _is_number, _is_block),
    # reason
    "stop": (_is_text,),
    "stopped": (),
    # epoch, seq, t_robot_s, t_host_ns, mode, flags,
    # q, v, tau, temperature_C, voltage_V, gyro, accel, contact_force_N
    "state": (_is_number, _is_number, _is_real, _is_number, _is_mode, _is_number, *(_is_block,) * 8),
    # epoch, seq, state_seq, deadline_us, q_des, v_des, kp, kd, tau_ff
    "command": (_is_number, _is_number, _is_number, _is_number, *(_is_block,) * 5),
    # seq of the state that follows, row
    "truth": (_is_number, _is_block),
    # t_robot_s, kind, text
    "event": (_is_real, _is_name, _is_text),
}
KINDS = tuple(_FIELDS)


def pack(kind: str, *values: Any) -> bytes:
    """A message as bytes.

    Args:
        kind: one of `KINDS`.
        values: its fields, in the order of PROTOCOL.md; blocks as bytes or contiguous float64 arrays.
    """
    packed: bytes = msgpack.packb((VERSION, kind, *values), use_bin_type=True)
    return packed


def unpack(payload: bytes) -> Message | None:
    """The message in a payload; None for anything that is not exactly one valid message of this version."""
    if not 0 < len(payload) <= MAX_BYTES:
        return None
    try:
        content = msgpack.unpackb(
            payload,
            use_list=False,
            raw=False,
            strict_map_key=True,
            max_str_len=MAX_TEXT,
            max_bin_len=MAX_BYTES,
            max_array_len=MAX_JOINTS,
            max_map_len=0,
            max_ext_len=0,
        )
    except Exception:  # Hostile bytes make the parser raise whatever they like, except out of here.
        return None
    if type(content) is not tuple or len(content) < 2:
        return None
    version, kind, *values = content
    if type(version) is not int or version != VERSION or type(kind) is not str:
        return None
    checks = _FIELDS.get(kind)
    if checks is None or len(checks) != len(values):
        return None
    for check, value in zip(checks, values, strict=True):
        if not check(value):
            return None
    return kind, tuple(values)


def foreign_version(payload: bytes) -> int | None:
    """The version of a message that is like ours in all but its version; None for all others."""
    if not 0 < len(payload) <= MAX_BYTES:
        return None
    try:
        # An array of up to 15 or up to 65535 elements; a small whole number is its own byte.
        start = {0x90: 1, 0xDC: 3}[payload[0] if payload[0] == 0xDC else payload[0] & 0xF0]
        version = payload[start]
    except (KeyError, IndexError):
        return None
    return version if version != VERSION and version < 0x80 else None


def identity_at(values: tuple[Any, ...], start: int) -> Identity:
    """The identity whose fields stand in a message's fields from `start` on."""
    return Identity(*values[start : start + len(_IDENTITY)])
