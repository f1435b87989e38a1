"""Bytes are decoded to exactly one valid message, or to None, whatever they are."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.robots.wire.strict_message import Limits, decoded, described

VERSION = 3
KINDS = {"count": (lambda value: type(value) is int,), "empty": ()}
LIMITS = Limits(text=8, block=16, array=4)


def decode(payload: bytes) -> Any:
    return decoded(payload, 64, LIMITS, VERSION, KINDS)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([3, "count", 7], ("count", (7,))),
        ([3, "empty"], ("empty", ())),
        ([2, "count", 7], None),
        ([True, "empty"], None),
        ([3, "count"], None),
        ([3, "count", True], None),
        ([3, "count", 7, 8], None),
        ([3, "unknown"], None),
        ([3], None),
        ({"3": "empty"}, None),
        ([3, "count", "longer than 8"], None),
        ([3, "count", b"x" * 17], None),
        ([3, "count", 1, 2, 3], None),
        ("empty", None),
    ],
)
def test_only_a_message_of_the_protocol_is_decoded(content: Any, expected: Any) -> None:
    assert decode(msgpack.packb(content)) == expected


def test_a_payload_that_is_empty_or_too_long_or_goes_on_is_none() -> None:
    whole = msgpack.packb([3, "empty"])
    assert decode(b"") is None
    assert decode(whole + b"\0") is None
    assert decoded(whole, len(whole) - 1, LIMITS, VERSION, KINDS) is None


@given(st.binary(max_size=80))
def test_no_bytes_raise_an_exception(payload: bytes) -> None:
    message = decode(payload)
    assert message is None or message[0] in KINDS


def test_a_field_is_described_without_its_content_where_that_is_long() -> None:
    assert described(b"abc", 5) == "a bin of 3 bytes"
    assert described((1, 2), 5) == "an array of 2 entries"
    assert described("abcdefgh", 5) == "'abcd"
    assert described(None, 5) == "a NoneType"
