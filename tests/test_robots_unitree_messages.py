"""Layouts of the messages, against formats that are written out here and the encoder of the DDS library."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.robots.unitree.checksum import checksum
from kilohertz.robots.unitree.messages import (
    GO_COMMAND,
    GO_MOTORS,
    GO_STATE,
    HEADER,
    HG_BATTERY,
    HG_COMMAND,
    HG_MOTORS,
    HG_STATE,
    Message,
    Struct,
)

STRUCTS = (HG_COMMAND, HG_STATE, HG_BATTERY, GO_COMMAND, GO_STATE)
# In memory, as C compilers lay the structs out; `x` is a byte of padding.
IN_MEMORY = {
    HG_COMMAND.name: "<2B2x" + HG_MOTORS * "B3x5fI" + "5I",
    HG_STATE.name: "<2I2B2xI13fh2x" + HG_MOTORS * "B3x4f2hf7I" + "40B5I",
    GO_COMMAND.name: "<4B4IH2x" + GO_MOTORS * "B3x5f3I" + "4B55Bx2I",
    GO_STATE.name: "<4B4IH2x13fB3x" + GO_MOTORS * "B3x7fB3x3I" + "4BiH4B15H8hI41B3xf2B2x2f4H2I",
}


def leaves(fields: Any, struct_: Struct) -> list[Any]:
    found = []
    for name, kind, number in struct_.members:
        values = fields[name]
        for value in values if number > 1 else [values]:
            found += leaves(value, kind) if isinstance(kind, Struct) else [value.item()]
    return found


def filled(struct_: Struct, seed: int = 0) -> Message:
    """A message of random, finite values."""
    message, rng = Message(struct_), np.random.default_rng(seed)
    message.unpack(HEADER + rng.integers(0, 100, len(message.pack()) - len(HEADER), np.uint8).tobytes())
    return message


@pytest.mark.parametrize("struct_", [s for s in STRUCTS if s.name in IN_MEMORY], ids=lambda s: s.name)
def test_in_memory_a_message_is_the_c_struct(struct_: Struct) -> None:
    message = filled(struct_)
    assert struct.pack(IN_MEMORY[struct_.name], *leaves(message.fields, struct_)) == message.memory.tobytes()


def plain_cdr(fields: Any, struct_: Struct, at: int) -> bytes:
    """The bytes of a struct on the wire from position `at` on: each number aligned to its own size."""
    data = b""
    for name, kind, number in struct_.members:
        for value in fields[name] if number > 1 else [fields[name]]:
            if isinstance(kind, Struct):
                data += plain_cdr(value, kind, at + len(data))
            else:
                raw = value.tobytes()
                data += bytes(-(at + len(data)) % len(raw)) + raw
    return data


@pytest.mark.parametrize("struct_", STRUCTS, ids=lambda s: s.name)
def test_on_the_wire_a_message_is_plain_cdr(struct_: Struct) -> None:
    message = filled(struct_)
    content = plain_cdr(message.fields, struct_, 0)
    sent = message.pack()
    assert sent[:4] == bytes((0, 1, 0, 0))
    assert sent[4 : 4 + len(content)] == content
    assert len(sent) % 4 == 0
    assert len(sent) - len(content) < 8


@pytest.mark.parametrize("struct_", STRUCTS, ids=lambda s: s.name)
def test_the_librarys_own_encoder_gives_the_same_bytes(struct_: Struct) -> None:
    idl = pytest.importorskip("cyclonedds.idl")
    types = pytest.importorskip("cyclonedds.idl.types")
    kinds = {"u1": "byte", "u2": "uint16", "u4": "uint32", "i2": "int16", "i4": "int32", "f4": "float32"}

    def declared(of: Struct) -> Any:
        fields = {}
        for name, kind, number in of.members:
            part = declared(kind) if isinstance(kind, Struct) else getattr(types, kinds[kind])
            fields[name] = types.array[part, number] if number > 1 else part
        return idl.make_idl_struct(of.name.rpartition(".")[2], of.name + "Twin", fields)

    def sample(of: Struct, kind: Any, record: Any) -> Any:
        values = {}
        for name, inner, number in of.members:
            one = kind.__annotations__[name]
            one = one.__args__[0] if number > 1 and isinstance(inner, Struct) else one
            if isinstance(inner, Struct):
                parts = [sample(inner, inners[inner.name], r) for r in np.atleast_1d(record[name])]
                values[name] = parts if number > 1 else parts[0]
            else:
                values[name] = record[name].tolist()
        return kind(**values)

    inners = {inner.name: declared(inner) for _, inner, _ in struct_.members if isinstance(inner, Struct)}
    message = filled(struct_)
    theirs = sample(struct_, declared(struct_), message.fields).serialize()
    ours = message.pack()
    assert ours[: len(theirs)] == theirs
    assert not any(ours[len(theirs) :])


@pytest.mark.parametrize("struct_", STRUCTS, ids=lambda s: s.name)
def test_what_is_packed_is_unpacked(struct_: Struct) -> None:
    message, other = filled(struct_, 3), Message(struct_)
    assert other.unpack(message.pack())
    assert leaves(other.fields, struct_) == leaves(message.fields, struct_)


@given(payload=st.binary(max_size=3000))
def test_any_bytes_are_a_message_or_refused(payload: bytes) -> None:
    message = Message(HG_STATE)
    before = message.memory.tobytes()
    if not message.unpack(payload):
        assert message.memory.tobytes() == before
    else:
        assert message.pack()[4:] == payload[4 : len(message.pack())]


def test_other_lengths_and_encodings_are_refused() -> None:
    message = filled(HG_COMMAND)
    sent = message.pack()
    for wrong in (sent[:-4], sent + bytes(4), b"\x00\x00" + sent[2:], b"\x00\x07" + sent[2:], b""):
        assert not Message(HG_COMMAND).unpack(wrong)
    assert Message(HG_COMMAND).unpack(sent + bytes(3))


def test_the_checksum_of_a_message_counts_every_word_but_its_own() -> None:
    message = filled(GO_COMMAND)
    first = checksum(message.memory)
    message.fields["crc"] = 7
    assert checksum(message.memory) == first
    message.fields["motor_cmd"]["kp"][11] += 1.0
    assert checksum(message.memory) != first
