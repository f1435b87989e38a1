"""Whoever has no listed key, or replays what was sent, gets no message through."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings as box

from kilohertz.robots.wire.curve import CurveMechanism
from kilohertz.robots.wire.zmtp import command_body, metadata

pytestmark = pytest.mark.unit

ROBOT_PUBLIC, ROBOT_SECRET = box.crypto_box_keypair()
FRIEND_PUBLIC, FRIEND_SECRET = box.crypto_box_keypair()
STRANGER_PUBLIC, STRANGER_SECRET = box.crypto_box_keypair()


class Client:
    """The controller's end of the handshake."""

    def __init__(self, public: bytes = FRIEND_PUBLIC, secret: bytes = FRIEND_SECRET) -> None:
        self.public, self.secret = public, secret
        self.here, self.here_secret = box.crypto_box_keypair()
        self.count = 0

    def number(self) -> bytes:
        self.count += 1
        return self.count.to_bytes(8, "big")

    def hello(self) -> bytes:
        number = self.number()
        signature = box.crypto_box(bytes(64), b"CurveZMQHELLO---" + number, ROBOT_PUBLIC, self.here_secret)
        return command_body(b"HELLO", b"\x01\x00" + bytes(72) + self.here + number + signature)

    def initiate(self, welcome: bytes, kind: bytes = b"DEALER", vouched: bytes | None = None) -> bytes:
        plain = box.crypto_box_open(welcome[24:], b"WELCOME-" + welcome[8:24], ROBOT_PUBLIC, self.here_secret)
        self.there, cookie = plain[:32], plain[32:]
        self.shared = box.crypto_box_beforenm(self.there, self.here_secret)
        nonce, number = os.urandom(16), self.number()
        vouch = box.crypto_box(
            (self.here if vouched is None else vouched) + ROBOT_PUBLIC,
            b"VOUCH---" + nonce,
            self.there,
            self.secret,
        )
        content = self.public + nonce + vouch + metadata(Socket_Type=kind)
        sealed = box.crypto_box_afternm(content, b"CurveZMQINITIATE" + number, self.shared)
        return command_body(b"INITIATE", cookie + number + sealed)

    def message(self, payload: bytes, flags: int = 0) -> bytes:
        number = self.number()
        sealed = box.crypto_box_afternm(bytes([flags]) + payload, b"CurveZMQMESSAGEC" + number, self.shared)
        return command_body(b"MESSAGE", number + sealed)


def robot() -> CurveMechanism:
    return CurveMechanism(ROBOT_SECRET, ROBOT_PUBLIC, frozenset({FRIEND_PUBLIC}))


def joined() -> tuple[CurveMechanism, Client]:
    mechanism, client = robot(), Client()
    ready = mechanism.answer(client.initiate(mechanism.answer(client.hello())))
    assert mechanism.ready
    assert not mechanism.fault
    assert box.crypto_box_open_afternm(ready[14:], b"CurveZMQREADY---" + ready[6:14], client.shared)
    return mechanism, client


def test_who_has_a_listed_key_gets_in_and_both_ways_are_sealed() -> None:
    mechanism, client = joined()
    assert mechanism.open(client.message(b"up")) == b"\0up"
    first, second = mechanism.seal(0, b"down"), mechanism.seal(0, b"down")
    assert b"down" not in first
    assert first != second
    opened = box.crypto_box_open_afternm(first[16:], b"CurveZMQMESSAGES" + first[8:16], client.shared)
    assert opened == b"\0down"


def test_a_recorded_message_is_not_opened_again() -> None:
    mechanism, client = joined()
    old, new = client.message(b"one"), client.message(b"two")
    assert mechanism.open(new) == b"\0two"
    assert mechanism.open(new) == b""
    assert mechanism.open(old) == b""


@given(place=st.integers(0, 35), bit=st.integers(0, 7))
def test_a_changed_bit_is_noticed(place: int, bit: int) -> None:
    mechanism, client = joined()
    changed = bytearray(client.message(b"one"))
    changed[place] ^= 1 << bit
    assert mechanism.open(bytes(changed)) == b""


@pytest.mark.parametrize(
    ("client", "why"),
    [
        (Client(STRANGER_PUBLIC, STRANGER_SECRET), "not on the list"),
        (Client(FRIEND_PUBLIC, STRANGER_SECRET), "not sealed with its key"),
    ],
)
def test_a_stranger_stays_outside(client: Client, why: str) -> None:
    mechanism = robot()
    assert mechanism.answer(client.initiate(mechanism.answer(client.hello()))) == b""
    assert why in mechanism.fault
    assert not mechanism.ready


def test_a_vouch_for_another_connection_is_refused() -> None:
    mechanism, client = robot(), Client()
    mechanism.answer(client.initiate(mechanism.answer(client.hello()), vouched=bytes(32)))
    assert not mechanism.ready
    assert mechanism.fault


def test_a_recorded_handshake_is_refused() -> None:
    mechanism, client = robot(), Client()
    hello = client.hello()
    initiate = client.initiate(mechanism.answer(hello))
    again = robot()
    again.answer(hello)
    again.answer(initiate)
    assert not again.ready
    assert again.fault


def test_only_a_dealer_may_connect() -> None:
    mechanism, client = robot(), Client()
    mechanism.answer(client.initiate(mechanism.answer(client.hello()), kind=b"ROUTER"))
    assert not mechanism.ready
    assert "DEALER" in mechanism.fault


@given(first=st.binary(max_size=400), lead=st.sampled_from([b"", b"\x05HELLO\x01\x00", b"\x08INITIATE"]))
def test_any_command_is_answered_or_refused(first: bytes, lead: bytes) -> None:
    for mechanism in (robot(), _welcomed()):
        mechanism.answer((lead + first).ljust(257 if lead else 0, b"\0"))
        assert mechanism.fault
        assert not mechanism.ready


def _welcomed() -> Any:
    mechanism = robot()
    assert mechanism.answer(Client().hello())
    return mechanism
