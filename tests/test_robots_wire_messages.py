from __future__ import annotations

from dataclasses import replace

import msgpack
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kilohertz.robots.wire import messages as wire

GOOD = wire.Identity("toy", ("hip", "knee"), ("foot",), 0.001, "ab" * 32)
BLOCK = np.array([1.0, -2.5]).tobytes()
MESSAGES = {
    "hello": ("me", *GOOD.packed(), ("truth",)),
    "welcome": (*GOOD.packed(), 0, ()),
    "refused": ("joints", "number 1 is another one"),
    "heartbeat": (),
    "arm": (),
    "armed": (2**61,),
    "disarm": (2**64 - 1,),
    "disarmed": (1, 2, 3, b""),
    "stop": ("because",),
    "stopped": (),
    "state": (1, 2, 0.5, 3, 1, 0, BLOCK, BLOCK, BLOCK, b"", b"", b"", b"", BLOCK[:8]),
    "command": (1, 2, 3, 4000, *[BLOCK] * 5),
    "truth": (1, BLOCK),
    "event": (0.5, "push", "from the left"),
}

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=64),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=30,
)


@pytest.mark.parametrize("kind", wire.KINDS)
def test_a_message_comes_out_as_it_went_in(kind):
    assert wire.unpack(wire.pack(kind, *MESSAGES[kind])) == (kind, MESSAGES[kind])


@pytest.mark.parametrize("kind", wire.KINDS)
def test_every_shortened_or_lengthened_message_is_refused(kind):
    payload = wire.pack(kind, *MESSAGES[kind])
    assert all(wire.unpack(payload[:end]) is None for end in range(len(payload)))
    assert wire.unpack(payload + b"\x00") is None
    assert wire.unpack(wire.pack(kind, *MESSAGES[kind], 0)) is None


@pytest.mark.parametrize("kind", [kind for kind in wire.KINDS if MESSAGES[kind]])
def test_no_field_may_have_another_type(kind):
    values = MESSAGES[kind]
    for i in range(len(values)):
        for other in (None, True, -1, [None], {}, float("nan")):
            changed = wire.pack(kind, *values[:i], other, *values[i + 1 :])
            assert wire.unpack(changed) is None, (kind, i, other)


@given(st.binary(max_size=300))
@settings(max_examples=500, deadline=None)
@example(b"\xdd\x7f\xff\xff\xff")
@example(b"\x91" * 3000)
@example(b"\xc7\xff\x01" + b"a" * 255)
@example(b"\xc1")
def test_no_bytes_make_the_decoder_raise(payload):
    assert wire.unpack(payload) is None
    wire.foreign_version(payload)


@given(st.sampled_from(wire.KINDS), st.lists(plain, max_size=16))
@settings(max_examples=500, deadline=None)
def test_what_is_accepted_is_what_the_protocol_says(kind, values):
    message = wire.unpack(msgpack.packb([wire.VERSION, kind, *values]))
    if message is not None:
        # Packed again it is the same message: nothing was guessed, cut or turned into something else.
        assert wire.unpack(wire.pack(*message[:1], *message[1])) == message
        assert len(message[1]) == len(MESSAGES[kind])


@given(st.sampled_from(wire.KINDS), st.data())
@settings(max_examples=500, deadline=None)
def test_a_flipped_bit_is_refused_or_still_a_message(kind, data):
    payload = bytearray(wire.pack(kind, *MESSAGES[kind]))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    message = wire.unpack(bytes(payload))
    assert message is None or message[0] in wire.KINDS


def test_a_message_over_4_kilobytes_is_not_looked_at():
    assert wire.unpack(wire.pack("truth", 1, bytes(4000))) is not None
    assert wire.unpack(wire.pack("truth", 1, bytes(4096))) is None


@pytest.mark.parametrize("version", [0, 2, 100])
def test_another_version_is_recognised_and_refused(version):
    payload = msgpack.packb((version, "hello", *MESSAGES["hello"]))
    assert wire.unpack(payload) is None
    assert wire.foreign_version(payload) == version
    assert wire.foreign_version(wire.pack("arm")) is None


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("robot", "g1", "'g1'"),
        ("joints", ("knee", "hip"), "entry 0 is 'hip' on the robot"),
        ("joints", ("hip",), "'knee'"),
        ("contacts", (), "'foot'"),
        ("dt_s", 0.002, "0.002"),
        ("model_sha256", "cd" * 32, "cdcd"),
        ("units", "deg", "'deg'"),
    ],
)
def test_the_first_field_that_differs_is_named_with_both_values(field, value, told):
    name, text = GOOD.difference(replace(GOOD, **{field: value}))
    assert name == field
    assert told in text
    assert GOOD.difference(replace(GOOD)) is None


def test_the_examples_of_the_protocol_are_right():
    assert wire.pack("armed", 4660).hex(" ") == "93 01 a5 61 72 6d 65 64 cd 12 34"
    block = wire.pack("truth", 0, np.array([0.5]).data)[-10:]
    assert block.hex(" ") == "c4 08 00 00 00 00 00 00 e0 3f"
