"""Messages of the command channel: what is packed is unpacked, all else is refused with the reason."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import msgpack
import pytest

from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.client import ALIVE_S, HELLO_AGAIN_S, MOST_UNANSWERED, PING_S
from kilohertz.rt.live.client_clock import SAMPLES

PAGE = (files("kilohertz.rt") / "COMMANDS.md").read_text()
B1, B2, B3, B4, B6 = (bytes(8 * n) for n in (1, 2, 3, 4, 6))
STREAM = (float("nan"), B3, (("left_hand", "base", B3, B4, B3, b""),), B2, B3, B1, B2, (("left_hand", B6),))
EXAMPLES: dict[str, tuple[Any, ...]] = {
    "hello": ("Ann", "person"),
    "clock": (1.5,),
    "keepalive": (),
    "request": (1, "walk", '{"velocity_m_s": [0.3, 0.0]}'),
    "stream": STREAM,
    "release": (("hands",),),
    "take": (1,),
    "give": (1,),
    "stop": (1, "damp", "it smokes"),
    "ask": (1,),
    "describe": (1, "walk"),
    "welcome": ("g1", ("knee",), ("left_hand",), (), ("walk",), wire.STREAMS, 1.0, 2, 1.0, ""),
    "clocked": (1.0, 2.0, 2.5),
    "accepted": (1,),
    "refused": (1, "no"),
    "done": (1,),
    "abandoned": (1, "replaced"),
    "stopped": (1,),
    "status": (
        1,
        1.0,
        2,
        "active",
        "walk",
        "running",
        B3,
        B3,
        "Ann",
        "person",
        5,
        2,
        1,
        "why",
        "why",
        "text",
    ),
    "described": (1, "walk", "{}"),
    "event": (1.0, "remark", "text"),
}


def test_every_kind_has_an_example() -> None:
    assert set(EXAMPLES) == set(wire.FIELDS)


@pytest.mark.parametrize("kind", wire.FIELDS)
def test_what_is_packed_is_unpacked(kind: str) -> None:
    packet = wire.pack(kind, *EXAMPLES[kind])
    message = wire.unpack(packet)
    assert message is not None
    assert repr(message) == repr((kind, EXAMPLES[kind]))
    assert wire.problem(packet) == ""


WRONG: tuple[Any, ...] = (
    *(None, True, -1, 2**64 - 1, 0.5, float("inf"), "", "x" * 14_001, "\n", b"", b"x", bytes(8), bytes(32)),
    *((), ("a",) * 65, ((),), (("left_hand", "base", B3, B4, B3),), (("left_hand", "sky", B3, B4, B3, B3),)),
    (("left_hand", "base", B3, B2, B3, B3),),
    (("left_hand", B6),) * 5,
)


@pytest.mark.parametrize("kind", wire.FIELDS)
def test_a_field_of_another_type_is_refused_with_its_name(kind: str) -> None:
    refused = 0
    for place, name in enumerate(wire.FIELDS[kind]):
        for wrong in WRONG:
            values = list(EXAMPLES[kind])
            values[place] = wrong
            packet = msgpack.packb([1, kind, *values])
            if len(packet) > wire.MOST_BYTES or wire.unpack(packet) is not None:
                continue
            refused += 1
            assert f"`{name}` of `{kind}` is" in wire.problem(packet) or "not msgpack" in wire.problem(packet)
    assert refused >= 10 * len(wire.FIELDS[kind])
    for values in (EXAMPLES[kind][1:], (*EXAMPLES[kind], 1)):
        if len(values) != len(EXAMPLES[kind]):
            assert wire.unpack(msgpack.packb([1, kind, *values])) is None
            assert "fields instead of" in wire.problem(msgpack.packb([1, kind, *values]))


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (b"", "empty"),
        (bytes(wire.MOST_BYTES + 1), "bytes; at most"),
        (b"\xc1", "not msgpack"),
        (msgpack.packb([1]), "not an array"),
        (msgpack.packb({"a": 1}), "not msgpack"),
        (msgpack.packb([1, "take", {}]), "is a dict"),
        (msgpack.packb([2, "take", 1]), "version 2, not 1"),
        (msgpack.packb([True, "take", 1]), "version True"),
        (msgpack.packb([1, "tske", 1]), "no message of the kind 'tske'"),
        (msgpack.packb([1, "take", msgpack.ExtType(1, b"x")]), "not msgpack"),
        (b"\x93\x01\xa4take" + b"\x91" * 2000, "not msgpack"),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(packet: bytes, why: str) -> None:
    assert wire.unpack(packet) is None
    assert why in wire.problem(packet)


def rows(heading: str) -> list[list[str]]:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\) \| ", line.strip("| "))] for line in lines]


@pytest.mark.parametrize("heading", ["Messages of a client", "Messages of the agent"])
def test_the_page_lists_every_message_with_its_fields(heading: str) -> None:
    first = heading == "Messages of a client"
    kinds = set(wire.FROM_CLIENT) if first else set(wire.FIELDS) - set(wire.FROM_CLIENT)
    told = {}
    for kind, fields, *_ in rows(heading):
        if kind.startswith("`"):
            told[kind.strip("`")] = re.findall(r"(\w+): ", fields)
    assert set(told) == kinds
    for kind, fields in told.items():
        if kind != "stream":
            assert fields == list(wire.FIELDS[kind]), kind
    assert [row[0] for row in rows("Streams")][1:9] == list(wire.FIELDS["stream"])


def test_the_examples_and_numbers_of_the_page_are_right() -> None:
    for message in (("keepalive",), ("take", 7)):
        assert wire.pack(*message).hex(" ") in PAGE.replace("\n", " ").replace("`", "")
    numbers = (wire.MOST_BYTES, wire.MOST_ANSWER_BYTES, wire.LONGEST_PARAMETERS, wire.LONGEST_DESCRIPTION)
    for number in (*numbers, wire.LONGEST_NAME, wire.LONGEST_TEXT, wire.MOST_NAMES):
        assert re.search(rf"\b{number}\b", PAGE), number
    assert f"{ALIVE_S:g} s in which the holder" in PAGE
    assert f"| {HELLO_AGAIN_S:g} s without an answer |" in PAGE
    assert f"every {PING_S:g} s. If {'four' if MOST_UNANSWERED == 4 else MOST_UNANSWERED}" in PAGE
    assert f"of the latest {SAMPLES}," in PAGE
