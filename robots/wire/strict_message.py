"""Strict decoding of msgpack arrays of version, kind and fields, for the wire and for the command channel.

For any bytes, `decoded` returns a message or None. It never raises an exception, and it never allocates more
than the caller's limits allow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgpack

Message = tuple[str, tuple[Any, ...]]
"""The kind of a message and the tuple of its fields."""
Check = Callable[[Any], bool]


class Limits(NamedTuple):
    """Limits on what a message may contain.

    Attributes:
        text: longest text [bytes].
        block: longest bin [bytes].
        array: largest number of entries of an array.
    """

    text: int
    block: int
    array: int


def content_of(payload: bytes, limits: Limits) -> Any:
    """Returns what a payload holds, with tuples for arrays; raises any exception for malformed bytes."""
    return msgpack.unpackb(
        payload,
        use_list=False,
        raw=False,
        strict_map_key=True,
        max_str_len=limits.text,
        max_bin_len=limits.block,
        max_array_len=limits.array,
        max_map_len=0,
        max_ext_len=0,
    )


def decoded(
    payload: bytes,
    most_bytes: int,
    limits: Limits,
    version: int,
    kinds: Mapping[str, tuple[Check, ...]],
) -> Message | None:
    """Decodes a payload; returns None unless it is exactly one valid message of this protocol version.

    Args:
        payload: the received bytes.
        most_bytes: longest payload that is decoded.
        limits: limits on its content.
        version: protocol version.
        kinds: checks of the fields of each kind of message, in the order of the fields.
    """
    if not 0 < len(payload) <= most_bytes:
        return None
    try:
        content = content_of(payload, limits)
    except Exception:  # malformed bytes can make the parser raise any exception; none may leave this function
        return None
    if type(content) is not tuple or len(content) < 2:
        return None
    spoken, kind, *values = content
    if type(spoken) is not int or spoken != version or type(kind) is not str:
        return None
    checks = kinds.get(kind)
    if checks is None or len(checks) != len(values):
        return None
    for check, value in zip(checks, values, strict=True):
        if not check(value):
            return None
    return kind, tuple(values)


def described(value: Any, longest: int) -> str:
    """Returns a field in words, for the reason why a message is refused.

    Args:
        value: the field.
        longest: largest number of characters for a number or a text.
    """
    if type(value) is bytes:
        return f"a bin of {len(value)} bytes"
    if type(value) is tuple:
        return f"an array of {len(value)} entries"
    return f"{value!r}"[:longest] if type(value) in (int, float, str) else f"a {type(value).__name__}"
