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
    "watched": (2, 450.5, *[BLOCK] * 5),
    "wrist": (3, BLOCK),
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
@settings(max_examples=150, deadline=None)
@example(b"\xdd\x7f\xff\xff\xff")
@example(b"\x91" * 3000)
@example(b"\xc7\xff\x01" + b"a" * 255)
@example(b"\xc1")
def test_no_bytes_make_the_decoder_raise(payload):
    assert wire.unpack(payload) is None
    wire.foreign_version(payload)


@given(st.sampled_from(wire.KINDS), st.lists(plain, max_size=16))
@settings(max_examples=150, deadline=None)
def test_what_is_accepted_is_what_the_protocol_says(kind, values):
    message = wire.unpack(msgpack.packb([wire.VERSION, kind, *values]))
    if message is not None:
        # Packed again it is the same message: nothing was guessed, cut or turned into something else.
        assert wire.unpack(wire.pack(*message[:1], *message[1])) == message
        assert len(message[1]) == len(MESSAGES[kind])


@given(st.sampled_from(wire.KINDS), st.data())
@settings(max_examples=150, deadline=None)
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


@pytest.mark.parametrize(
    ("longest", "longer"),
    [
        (("refused", "a" * 80, ""), ("refused", "a" * 81, "")),
        (("refused", "", "a" * 500), ("refused", "", "a" * 501)),
        (("stop", "a" * 500), ("stop", "a" * 501)),
        (
            ("hello", "me", *replace(GOOD, joints=("j",) * 64).packed(), ()),
            ("hello", "me", *replace(GOOD, joints=("j",) * 65).packed(), ()),
        ),
        (
            ("hello", "me", *replace(GOOD, contacts=("c" * 80,)).packed(), ()),
            ("hello", "me", *replace(GOOD, contacts=("c" * 81,)).packed(), ()),
        ),
        (("truth", 1, bytes(4080)), ("truth", 1, bytes(4088))),
        (("armed", 0), ("armed", -1)),
        (("event", 0.0, "a", ""), ("event", 0.0, "a\n", "")),
        (("event", 0.0, "a", ""), ("event", 0.0, "a", "\x1b[2J")),
        (("event", 1e308, "a", ""), ("event", float("inf"), "a", "")),
    ],
)
def test_a_field_is_taken_up_to_its_longest(longest, longer):
    assert wire.unpack(wire.pack(*longest)) == (longest[0], longest[1:])
    assert wire.unpack(wire.pack(*longer)) is None


@pytest.mark.parametrize(("mode", "fits"), [(-1, False), (0, True), (3, True), (4, False), (True, False)])
def test_a_mode_is_one_of_four(mode, fits):
    for kind, at in (("welcome", 6), ("state", 4)):
        values = list(MESSAGES[kind])
        values[at] = mode
        assert (wire.unpack(wire.pack(kind, *values)) is not None) == fits


@pytest.mark.parametrize(("size", "fits"), [(0, True), (7, False), (8, True), (9, False), (16, True)])
def test_a_block_is_of_whole_numbers(size, fits):
    assert (wire.unpack(wire.pack("truth", 1, bytes(size))) is not None) == fits


@pytest.mark.parametrize(
    ("size", "fields", "fits"),
    [(4096, (2**31, 2**15, 200, bytes(4072)), True), (4097, (1, 1, 1, bytes(4080)), False)],
)
def test_a_payload_may_have_4096_bytes(size, fields, fits):
    payload = wire.pack("disarmed", *fields)
    assert len(payload) == size
    assert (wire.unpack(payload) is not None) == fits


def test_nothing_but_a_list_of_version_kind_and_fields_is_a_message():
    assert wire.unpack(b"") is None
    for content in ([], [1], ["arm"], [1.0, "arm"], [True, "arm"], [1, b"arm"], [1, "rest"], {}, "arm", 1):
        assert wire.unpack(msgpack.packb(content)) is None
    assert wire.unpack(msgpack.packb([1, "arm"])) == ("arm", ())


def test_a_foreign_version_is_read_from_short_and_long_lists_and_from_nothing_else():
    fields = [0] * 20
    for version, told in ((0, 0), (1, None), (2, 2), (127, 127), (128, None), (-1, None)):
        assert wire.foreign_version(msgpack.packb([version, "arm"])) == told
        assert wire.foreign_version(msgpack.packb([version, "arm", *fields])) == told
    for payload in (
        b"",
        b"\x92",
        b"\xdc\x00",
        msgpack.packb({2: 1}),
        msgpack.packb([{}, "arm"]),
        msgpack.packb("arm"),
        b"\x92\x02" * 2049,
    ):
        assert wire.foreign_version(payload) is None
    assert wire.foreign_version(b"\x92\x02" * 2048) == 2


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        (
            "joints",
            ("hip", "knee", "toe"),
            "the robot has 2 entries, the controller has 3; only one of them has 'toe'",
        ),
        ("joints", ("knee",), "the robot has 2 entries, the controller has 1; only one of them has 'hip'"),
        ("joints", ("hip", "knee", "knee"), "the robot has 2 entries, the controller has 3"),
        ("joints", ("hip", "toe"), "entry 1 is 'knee' on the robot and 'toe' in the controller"),
        ("robot", "g1", "the robot has 'toy', the controller has 'g1'"),
    ],
)
def test_a_difference_is_one_sentence(field, value, told):
    assert GOOD.difference(replace(GOOD, **{field: value})) == (field, told)


def test_a_long_difference_still_fits_into_a_message():
    field, text = replace(GOOD, units="r" * 400).difference(replace(GOOD, units="s" * 400))
    assert len(text) == 500
    assert wire.unpack(wire.pack("refused", field, text)) is not None


def test_an_identity_is_found_anywhere_in_a_message():
    for kind, at in (("hello", 1), ("welcome", 0)):
        assert wire.identity_at(MESSAGES[kind], at) == GOOD
