"""Packing and strict unpacking of the messages between a controller and a robot (see PROTOCOL.md).

For any bytes, `unpack` returns a message or None. It never raises an exception and never allocates more than
the few kilobytes that a message may have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import msgpack

from kilohertz.robots.wire.strict_message import Check, Limits, Message, content_of, decoded, described

VERSION = 1
MAX_BYTES = 4096
MAX_JOINTS = 64
MAX_NAME = 80
MAX_TEXT = 500
UNITS = "rad rad/s Nm m/s2 N s"

STANDBY, ARMED, ACTIVE, DAMPING = range(4)
MODES = ("standby", "armed", "active", "damping")


@dataclass(frozen=True)
class Identity:
    """Robot, joint order, period, model and units, which both ends of a link must agree on before motion.

    Attributes:
        robot: name of the robot.
        joints: names of the joints, in the order of all joint blocks.
        contacts: names of the contacts, in the order of the contact force block.
        dt_s: control period [s].
        model_sha256: SHA-256 of the files of the model (see PROTOCOL.md), in lower-case hexadecimal.
        units: units of all blocks, as in `UNITS`.
    """

    robot: str
    joints: tuple[str, ...]
    contacts: tuple[str, ...]
    dt_s: float
    model_sha256: str
    units: str = UNITS

    def difference(self, other: Identity) -> tuple[str, str] | None:
        """Compares the robot's identity (this one) with the controller's.

        Args:
            other: the identity that the controller expects.

        Returns:
            The name of the first field that differs and a sentence with both values; None if all fields
            agree.
        """
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine != theirs:
                return field.name, _difference(mine, theirs)
        return None

    def packed(self) -> tuple[Any, ...]:
        """Returns the fields in the order in which a message carries them."""
        return tuple(getattr(self, field.name) for field in fields(self))


def _difference(mine: Any, theirs: Any) -> str:
    if not isinstance(mine, tuple):
        return f"the robot has {mine!r}, the controller has {theirs!r}"[:MAX_TEXT]
    if len(mine) != len(theirs):
        missing = [name for name in mine if name not in theirs] or [
            name for name in theirs if name not in mine
        ]
        named = f"; only one of them has {missing[0]!r}" if missing else ""
        return f"the robot has {len(mine)} entries, the controller has {len(theirs)}{named}"
    place = next(i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b)
    return f"entry {place} is {mine[place]!r} on the robot and {theirs[place]!r} in the controller"


_LIMITS = Limits(text=MAX_TEXT, block=MAX_BYTES, array=MAX_JOINTS)


def _is_number(value: Any) -> bool:
    # In Python a bool is an int too; in a message it is not a valid number.
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


_IDENTITY: tuple[Check, ...] = (_is_name, _is_names, _is_names, _is_real, _is_name, _is_name)
_FIELDS: dict[str, tuple[Check, ...]] = {
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
    # accepted, refused, late, round trip percentiles [us]
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
    # seq of the state that follows, force and moment of each wrist sensor
    "wrist": (_is_number, _is_block),
    # t_robot_s, kind, text
    "event": (_is_real, _is_name, _is_text),
    # state_seq, round trip [us], q_des, v_des, kp, kd, tau_ff
    "watched": (_is_number, _is_real, *(_is_block,) * 5),
}
KINDS = tuple(_FIELDS)
STATE_FIELDS = (
    *("epoch", "seq", "t_robot_s", "t_host_ns", "mode", "flags", "q", "v", "tau"),
    *("temperature_C", "voltage_V", "gyro", "accel", "contact_force_N"),
)
"""Names of the fields of a state, in their order."""
_WANTED: dict[Check, str] = {
    _is_number: "an integer that is not negative",
    _is_real: "a finite 64-bit float",
    _is_block: "a bin of 8 bytes per number",
    _is_name: f"a printable str of at most {MAX_NAME} bytes",
    _is_text: f"a printable str of at most {MAX_TEXT} bytes",
    _is_names: f"an array of at most {MAX_JOINTS} names",
    _is_mode: f"a mode from {STANDBY} to {DAMPING}",
}


def pack(kind: str, *values: Any) -> bytes:
    """Packs a message into bytes.

    Args:
        kind: kind of the message, one of `KINDS`.
        values: fields of the message in the order of PROTOCOL.md; a block is bytes or a contiguous float64
            array.
    """
    packed: bytes = msgpack.packb((VERSION, kind, *values), use_bin_type=True)
    return packed


def unpack(payload: bytes) -> Message | None:
    """Decodes a payload; returns None unless it is exactly one valid message of this protocol version."""
    return decoded(payload, MAX_BYTES, _LIMITS, VERSION, _FIELDS)


def problem(payload: bytes) -> str:
    """Returns why `unpack` returns None for a payload, as the end of a sentence; "" for a valid message."""
    if not payload:
        return "the message is empty, or has several frames"
    if len(payload) > MAX_BYTES:
        return f"the message has {len(payload)} bytes; at most {MAX_BYTES} are allowed"
    try:
        content = content_of(payload, _LIMITS)
    except Exception as error:  # see `unpack`
        return f"the message is not msgpack as the protocol allows it ({type(error).__name__})"
    if type(content) is not tuple or len(content) < 2 or type(content[1]) is not str:
        return "the message is not an array of version, kind and fields"
    version, kind, *values = content
    if type(version) is not int or version != VERSION:
        return f"the message has protocol version {version!r}, not {VERSION}"
    checks = _FIELDS.get(kind)
    if checks is None:
        return f"the protocol has no message of the kind {kind!r}"[:MAX_TEXT]
    if len(values) != len(checks):
        return f"`{kind}` has {len(values)} fields instead of {len(checks)}"
    for i, (check, value) in enumerate(zip(checks, values, strict=True)):
        if not check(value):
            name = f"`{STATE_FIELDS[i]}`" if kind == "state" else f"field {i + 1} of `{kind}`"
            return f"{name} is {described(value, MAX_NAME)}, not {_WANTED[check]}"
    return ""


def foreign_version(payload: bytes) -> int | None:
    """Returns the version of a message of another protocol version; None for any other payload."""
    if not 0 < len(payload) <= MAX_BYTES:
        return None
    try:
        # msgpack arrays of up to 15 elements begin with 0x9n, those of up to 65535 with 0xDC and two bytes of
        # length. An integer below 128 is encoded as one byte.
        start = {0x90: 1, 0xDC: 3}[payload[0] if payload[0] == 0xDC else payload[0] & 0xF0]
        version = payload[start]
    except (KeyError, IndexError):
        return None
    return version if version != VERSION and version < 0x80 else None


def identity_at(values: tuple[Any, ...], start: int) -> Identity:
    """Builds the identity whose six fields begin at index `start` of a message's fields."""
    return Identity(*values[start : start + len(_IDENTITY)])
