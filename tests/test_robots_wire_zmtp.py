"""One accepted connection takes any bytes in bounded steps, and says why it must be ended."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.zmtp import (
    BUFFER_BYTES,
    COMMAND,
    INCOMPLETE,
    LONG,
    MESSAGE,
    MORE,
    Connection,
    NullMechanism,
    command_body,
    frame,
    greeting,
    metadata,
    socket_type,
)

pytestmark = pytest.mark.unit

GREETING = greeting(b"NULL", server=False)
READY = frame(COMMAND, command_body(b"READY", metadata(Socket_Type=b"DEALER", Identity=b"")))


class Pair:
    """A connection and the other end of its stream."""

    def __init__(self) -> None:
        self.peer, stream = socket.socketpair()
        stream.setblocking(False)
        self.peer.setblocking(False)
        self.connection = Connection(stream, b"peer", NullMechanism(), 0)

    def close(self) -> None:
        self.connection.close()
        self.peer.close()

    def messages(self, *chunks: bytes) -> list[bytes]:
        """Sends bytes and returns the messages that the connection finds."""
        found = []
        for chunk in chunks:
            self.peer.sendall(chunk)
            self.connection.receive()
            while (result := self.connection.step()) != INCOMPLETE:
                if result == MESSAGE:
                    found.append(self.connection.payload)
        return found


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()


def test_messages_come_out_as_they_were_sent(pair: Pair) -> None:
    sent = [b"", b"a", b"b" * 255, b"c" * 256, b"d" * wire.MAX_BYTES]
    assert pair.messages(GREETING + READY, *[frame(0, payload) for payload in sent]) == sent
    assert pair.connection.ready
    assert not pair.connection.fault
    assert pair.peer.recv(200)[:64] == greeting(b"NULL", server=False)


@given(cuts=st.lists(st.integers(1, 700), max_size=20))
def test_it_does_not_matter_where_the_bytes_are_cut(cuts: list[int]) -> None:
    sent = [b"x" * length for length in (0, 1, 255, 256, 900)]
    stream = GREETING + READY + b"".join(frame(0, payload) for payload in sent)
    at = sorted({0, len(stream), *(min(sum(cuts[:n]), len(stream)) for n in range(len(cuts)))})
    pair = Pair()
    assert pair.messages(*[stream[a:b] for a, b in pairwise(at)]) == sent
    pair.close()


@given(head=st.sampled_from([b"", GREETING, GREETING + READY]), junk=st.binary(max_size=3000))
def test_any_bytes_leave_a_connection_or_a_sentence(head: bytes, junk: bytes) -> None:
    pair = Pair()
    for payload in pair.messages(head + junk):
        assert len(payload) <= wire.MAX_BYTES
    assert isinstance(pair.connection.fault, str)
    assert pair.connection.step() == INCOMPLETE
    pair.close()


@pytest.mark.parametrize(
    ("bytes_", "why"),
    [
        (GREETING + READY + frame(MORE, b"part"), "several parts"),
        (GREETING + READY + bytes([LONG | MORE]) + struct.pack(">Q", 4000), "several parts"),
        (GREETING + READY + bytes([LONG]) + struct.pack(">Q", 4097), "4097 bytes, and at most 4096"),
        (GREETING + READY + bytes([LONG]) + b"\xff" * 8, "bytes, and at most 4096"),
        (GREETING + READY + b"\x80\x01x", "unknown flags"),
        (GREETING + frame(0, b"early"), "before the handshake"),
        (GREETING + frame(COMMAND, b"\x05HELLO"), "not that of ZeroMQ"),
        (GREETING + READY.replace(b"DEALER", b"REQREQ"), "type b'REQREQ', not DEALER"),
        (GREETING + frame(COMMAND, b"\x05READY\xff"), "type b'', not DEALER"),
        (greeting(b"CURVE", server=False), "mechanism b'CURVE', but this robot uses NULL"),
        (GREETING.replace(b"\x7f\x03", b"\x7f\x01"), "ZMTP 3"),
        (b"GET / HTTP/1.1\r\n\r\n", "does not speak"),
    ],
)
def test_what_breaks_the_form_is_a_fault_before_its_body_has_come(
    pair: Pair, bytes_: bytes, why: str
) -> None:
    assert pair.messages(bytes_) == []
    assert why in pair.connection.fault


def test_nothing_after_a_fault_is_a_message(pair: Pair) -> None:
    wrong = greeting(b"PLAIN", server=False)
    assert pair.messages(wrong + READY + frame(0, b"stop")) == []


def test_a_refused_handshake_is_not_tried_again(pair: Pair) -> None:
    assert pair.messages(GREETING + READY.replace(b"DEALER", b"ROUTER") + READY + frame(0, b"stop")) == []
    assert "DEALER" in pair.connection.fault


def test_a_ping_is_answered_with_its_context(pair: Pair) -> None:
    pair.messages(GREETING + READY)
    pair.peer.recv(1000)
    pair.messages(frame(COMMAND, b"\x04PING\x00\x0acontext"))
    assert pair.peer.recv(1000) == frame(COMMAND, b"\x04PONGcontext")


def test_whoever_does_not_read_loses_messages_and_costs_no_memory(pair: Pair) -> None:
    pair.messages(GREETING + READY)
    sent = [pair.connection.send(os.urandom(1000)) for _ in range(5000)]
    assert sent[0]
    assert not any(sent[-100:])
    assert len(pair.connection._unsent) <= 1009
    # What it does receive is whole: every frame has its length.
    got = b""
    while True:
        try:
            got += pair.peer.recv(1 << 20)
        except BlockingIOError:
            if not pair.connection.send(b"the last one"):
                continue
            break
    got += pair.peer.recv(1 << 20)
    assert got.endswith(frame(0, b"the last one"))
    assert (len(got) - len(GREETING) - len(frame(0, b"the last one"))) % 1009 == len(
        READY.replace(b"DEALER", b"ROUTER")
    )


def test_a_peer_that_has_left_is_gone(pair: Pair) -> None:
    pair.messages(GREETING + READY)
    pair.peer.close()
    pair.connection.receive()
    assert pair.connection.gone
    assert not pair.connection.send(b"anyone?")


def test_the_buffer_has_room_for_the_longest_message_at_any_time(pair: Pair) -> None:
    pair.messages(GREETING + READY)
    stream = frame(0, b"m" * wire.MAX_BYTES) * 12
    found = 0
    for at in range(0, len(stream), BUFFER_BYTES // 3):
        found += len(pair.messages(stream[at : at + BUFFER_BYTES // 3]))
    assert found == 12


def test_its_process_is_named(pair: Pair) -> None:
    assert pair.connection.address() == f"process {os.getpid()} of user {os.getuid()}"


@given(data=st.binary(max_size=60))
def test_any_metadata_give_a_type_or_none(data: bytes) -> None:
    assert socket_type(data) in data


def test_the_type_is_found_among_others() -> None:
    assert socket_type(metadata(Identity=b"me", Socket_Type=b"DEALER")) == b"DEALER"
