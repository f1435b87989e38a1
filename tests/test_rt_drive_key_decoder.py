"""What terminals send becomes key events, however it is split; what is pasted becomes none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.rt.drive.key_decoder import (
    ALIVE,
    CTRL_C,
    CTRL_D,
    FOCUS_OUT,
    PRESS,
    RELEASE,
    REPEAT,
    REPORTS_RELEASES,
    KeyDecoder,
    KeyEvent,
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"w", [(PRESS, "w")]),
        (b"W+ 1", [(PRESS, "w"), (PRESS, "+"), (PRESS, " "), (PRESS, "1")]),
        (b"\x03\x04", [(PRESS, CTRL_C), (PRESS, CTRL_D)]),
        (b"\x1b[A\x1b[D\x1bOB\x1bOC", [(PRESS, "up"), (PRESS, "left"), (PRESS, "down"), (PRESS, "right")]),
        # kitty: code, modifiers (1 + bits), kind; 64 and 128 are caps lock and num lock.
        (b"\x1b[119u", [(PRESS, "w")]),
        (b"\x1b[119;1:1u\x1b[119;1:2u", [(PRESS, "w"), (REPEAT, "w")]),
        (b"\x1b[119;1:3u", [(RELEASE, "w")]),
        (b"\x1b[119;193:3u", [(RELEASE, "w")]),
        (b"\x1b[119;2u", [(PRESS, "w")]),
        (b"\x1b[119:87;2:2;87u", [(REPEAT, "w")]),
        (b"\x1b[99;5u\x1b[99;133u", [(PRESS, CTRL_C), (PRESS, CTRL_C)]),
        (b"\x1b[99;5:3u", [(RELEASE, CTRL_C)]),
        (b"\x1b[1;1:3A\x1b[1;1:2B", [(RELEASE, "up"), (REPEAT, "down")]),
        (b"\x1b[119;3u\x1b[119;5u\x1b[1;5A", []),  # with Alt or Ctrl
        (b"\x1bw", []),  # Alt and w
        (b"\x1b[57441;2:1u", []),  # a shift key by itself
        (b"\x1b[?0u", [(REPORTS_RELEASES, "")]),
        (b"\x1b[O\x1b[I", [(FOCUS_OUT, "")]),
        (b"\x1b[0n", [(ALIVE, "")]),
        (b"\x1b[200~drive w 123 \x1b[A\x1b[201~d", [(PRESS, "d")]),
        (b"\x00\x1a\xff\x80", []),
        (b"\x1b[999999999999999999u\x1b[119;1:7u\x1b[55296u", []),
        (b"\x1b[15~\x1b[1;2R", []),
    ],
)
def test_bytes_become_events(data: bytes, expected: list[tuple[str, str]]) -> None:
    events = [KeyEvent(*pair) for pair in expected]
    assert KeyDecoder().feed(data) == events
    decoder = KeyDecoder()
    assert [event for i in range(len(data)) for event in decoder.feed(data[i : i + 1])] == events


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_no_bytes_raise_or_are_kept_without_bound(chunks: list[bytes]) -> None:
    decoder = KeyDecoder()
    for chunk in chunks:
        for event in decoder.feed(chunk):
            assert event.key == "" or event.key.isprintable()
        assert len(decoder._rest) <= 64


def test_an_endless_sequence_is_dropped() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b[" + b"1;" * 200) == []
    assert decoder.feed(b"w") == [KeyEvent(PRESS, "w")]
