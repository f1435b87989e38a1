"""Packing and strict unpacking of the messages between a client and a running controller (see COMMANDS.md).

For any bytes, `unpack` returns a message or None. It never raises an exception and never allocates more than
the few kilobytes that a message may have.
"""

from __future__ import annotations

import math
from typing import Any

import msgpack

from kilohertz.robots.wire.strict_message import Check, Limits, Message, content_of, decoded, described

VERSION = 1
MOST_BYTES = 4096
"""Longest message of a client [bytes]."""
MOST_ANSWER_BYTES = 16_384
"""Longest message to a client [bytes]."""
MOST_NAMES = 64
MOST_PARTS = 4
"""Largest number of hands in a stream message."""
LONGEST_NAME = 80
LONGEST_TEXT = 500
LONGEST_PARAMETERS = 3500
LONGEST_DESCRIPTION = 14_000

PERSON, PROGRAM = "person", "program"
ROLES = (PERSON, PROGRAM)
SOFT, DAMP = "soft", "damp"
STOPS = (SOFT, DAMP)
BASE, WORLD = "base", "world"
FRAMES = (BASE, WORLD)
STREAMS = ("velocity", "hands", "gaze", "com", "lean", "posture", "wrench")
"""Names of the streams, in the order of their fields in a `stream` message."""

UNKNOWN = "this client is unknown: begin with hello"
"""Text of the answer to a client that has not said hello, or was forgotten."""


_LIMITS = Limits(text=LONGEST_DESCRIPTION, block=MOST_BYTES, array=MOST_NAMES)


def _is_number(value: Any) -> bool:
    # In Python a bool is an int too; in a message it is not a valid number.
    return type(value) is int and value >= 0


def _is_real(value: Any) -> bool:
    return type(value) is float and math.isfinite(value)


def _is_stamp(value: Any) -> bool:
    return type(value) is float and not math.isinf(value)


def _is_str(longest: int) -> Check:
    def check(value: Any) -> bool:
        return type(value) is str and len(value) <= longest and value.isprintable()

    return check


def _is_one_of(words: tuple[str, ...]) -> Check:
    return lambda value: type(value) is str and value in words


_is_name, _is_text = _is_str(LONGEST_NAME), _is_str(LONGEST_TEXT)


def _is_long_text(value: Any) -> bool:
    return type(value) is str and len(value) <= LONGEST_DESCRIPTION


def _is_parameters(value: Any) -> bool:
    return type(value) is str and len(value) <= LONGEST_PARAMETERS


def _is_names(value: Any) -> bool:
    return type(value) is tuple and len(value) <= MOST_NAMES and all(map(_is_name, value))


def _is_block(*lengths: int) -> Check:
    sizes = tuple(8 * length for length in lengths)
    return lambda value: type(value) is bytes and len(value) in sizes


def _is_joints(value: Any) -> bool:
    return type(value) is bytes and len(value) % 8 == 0 and len(value) <= 8 * MOST_NAMES


def _is_table(*checks: Check) -> Check:
    def check(value: Any) -> bool:
        return (
            type(value) is tuple
            and len(value) <= MOST_PARTS
            and all(type(row) is tuple and len(row) == len(checks) for row in value)
            and all(test(cell) for row in value for test, cell in zip(checks, row, strict=True))
        )

    return check


_NUMBER = (_is_number, "an integer that is not negative")
_REAL = (_is_real, "a finite 64-bit float")
_STAMP = (_is_stamp, "a 64-bit float that is not infinite")
_NAME = (_is_name, f"a printable str of at most {LONGEST_NAME} characters")
_TEXT = (_is_text, f"a printable str of at most {LONGEST_TEXT} characters")
_NAMES = (_is_names, f"an array of at most {MOST_NAMES} names")
_ROLE = (_is_one_of(ROLES), f"{' or '.join(ROLES)}")
_STOP = (_is_one_of(STOPS), f"{' or '.join(STOPS)}")
_PARAMETERS = (_is_parameters, f"a str of at most {LONGEST_PARAMETERS} characters")
_DESCRIPTION = (_is_long_text, f"a str of at most {LONGEST_DESCRIPTION} characters")
_HANDS = (
    _is_table(
        _is_name, _is_one_of(FRAMES), _is_block(3), _is_block(0, 3, 4), _is_block(0, 3), _is_block(0, 3)
    ),
    f"an array of at most {MOST_PARTS} arrays of name, frame and four blocks",
)
_WRENCHES = (
    _is_table(_is_name, _is_block(6)),
    f"an array of at most {MOST_PARTS} arrays of name and block[6]",
)
_JOINTS = (_is_joints, "a bin of 8 bytes per joint, or an empty one")


def _block(*lengths: int) -> tuple[Check, str]:
    words = " or ".join(str(8 * length) for length in lengths)
    return _is_block(*lengths), f"a bin of {words} bytes"


FIELDS: dict[str, dict[str, tuple[Check, str]]] = {
    "hello": {"client": _NAME, "role": _ROLE},
    "clock": {"client_s": _REAL},
    "keepalive": {},
    "request": {"id": _NUMBER, "behaviour": _NAME, "parameters": _PARAMETERS},
    "stream": {
        "stamp_s": _STAMP,
        "velocity": _block(0, 3),
        "hands": _HANDS,
        "gaze": _block(0, 2),
        "com": _block(0, 3),
        "lean": _block(0, 1),
        "posture": _JOINTS,
        "wrench": _WRENCHES,
    },
    "release": {"streams": _NAMES},
    "take": {"id": _NUMBER},
    "give": {"id": _NUMBER},
    "stop": {"id": _NUMBER, "how": _STOP, "reason": _TEXT},
    "ask": {"id": _NUMBER},
    "describe": {"id": _NUMBER, "name": _NAME},
    "welcome": {
        "robot": _NAME,
        "joints": _NAMES,
        "hands": _NAMES,
        "contacts": _NAMES,
        "behaviours": _NAMES,
        "streams": _NAMES,
        "t_s": _REAL,
        "mono_ns": _NUMBER,
        "rate": _REAL,
        "holder": _NAME,
    },
    "clocked": {"client_s": _REAL, "received_s": _REAL, "sent_s": _REAL},
    "accepted": {"id": _NUMBER},
    "refused": {"id": _NUMBER, "text": _TEXT},
    "done": {"id": _NUMBER},
    "abandoned": {"id": _NUMBER, "text": _TEXT},
    "stopped": {"id": _NUMBER},
    "status": {
        "id": _NUMBER,
        "t_s": _REAL,
        "mono_ns": _NUMBER,
        "state": _NAME,
        "behaviour": _NAME,
        "phase": _NAME,
        "base": _block(3),
        "velocity": _block(3),
        "holder": _NAME,
        "role": _NAME,
        "received": _NUMBER,
        "limited": _NUMBER,
        "dropped": _NUMBER,
        "why_limited": _TEXT,
        "why_dropped": _TEXT,
        "text": _TEXT,
    },
    "described": {"id": _NUMBER, "name": _NAME, "description": _DESCRIPTION},
    "event": {"t_s": _REAL, "kind": _NAME, "text": _TEXT},
}
"""Name, check and description of each field of each kind of message, in the order of the fields."""
FROM_CLIENT = tuple(FIELDS)[: tuple(FIELDS).index("welcome")]
"""Kinds of the messages that a client sends."""
_CHECKS = {kind: tuple(check for check, _ in fields.values()) for kind, fields in FIELDS.items()}


def pack(kind: str, *values: Any) -> bytes:
    """Packs a message into bytes.

    Args:
        kind: kind of the message, one of `FIELDS`.
        values: fields of the message in the order of `FIELDS`; a block is bytes.
    """
    packed: bytes = msgpack.packb((VERSION, kind, *values), use_bin_type=True)
    return packed


def sentence(text: str, longest: int = LONGEST_TEXT) -> str:
    """Returns a text as a message may contain it: on one line, printable, and not too long."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))[:longest]


def unpack(payload: bytes, most_bytes: int = MOST_BYTES) -> Message | None:
    """Decodes a payload; returns None unless it is exactly one valid message of this protocol version.

    Args:
        payload: the received bytes.
        most_bytes: longest payload that is decoded.
    """
    return decoded(payload, most_bytes, _LIMITS, VERSION, _CHECKS)


def problem(payload: bytes, most_bytes: int = MOST_BYTES) -> str:
    """Returns why `unpack` returns None for a payload, as the end of a sentence; "" for a valid message."""
    if not payload:
        return "the message is empty"
    if len(payload) > most_bytes:
        return f"the message has {len(payload)} bytes; at most {most_bytes} are allowed"
    try:
        content = content_of(payload, _LIMITS)
    except Exception as error:  # see `unpack`
        return f"the message is not msgpack as the protocol allows it ({type(error).__name__})"
    if type(content) is not tuple or len(content) < 2 or type(content[1]) is not str:
        return "the message is not an array of version, kind and fields"
    version, kind, *values = content
    if type(version) is not int or version != VERSION:
        return sentence(f"the message has protocol version {version!r}, not {VERSION}")
    fields = FIELDS.get(kind)
    if fields is None:
        return sentence(f"the protocol has no message of the kind {kind!r}")
    if len(values) != len(fields):
        return f"`{kind}` has {len(values)} fields instead of {len(fields)}"
    for (name, (check, wanted)), value in zip(fields.items(), values, strict=True):
        if not check(value):
            return sentence(f"`{name}` of `{kind}` is {described(value, LONGEST_NAME)}, not {wanted}")
    return ""
