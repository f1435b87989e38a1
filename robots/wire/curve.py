"""The robot's end of CURVE, ZeroMQ's encryption: who has no listed key cannot send a message.

Source: RFC 26/CurveZMQ of the ZeroMQ project.
"""

from __future__ import annotations

import hmac
import secrets

from nacl import bindings as box
from nacl.exceptions import CryptoError

from kilohertz.robots.wire.zmtp import command_body, metadata, wrong_socket

KEY_BYTES = 32
COOKIE_BYTES = 96
VOUCH_BYTES = 96
HELLO_BYTES, SHORTEST_INITIATE = 200, 257
NOT_CURVE = "its handshake is not that of CURVE"
NOT_ITS_KEY = "its handshake is not sealed with its key"


class CurveMechanism:
    """The mechanism with keys of one connection: see `kilohertz.robots.wire.zmtp.Mechanism`.

    Both ends make a pair of keys for this connection only. The numbers of messages must rise, so that no
    recorded message is accepted again.

    Args:
        secret, public: (32,) bytes of the robot's key pair.
        trusted: public keys of the controllers that may connect, of 32 bytes each.
    """

    name = b"CURVE"
    overhead = 33
    sealed = True

    def __init__(self, secret: bytes, public: bytes, trusted: frozenset[bytes]) -> None:
        self.ready = False
        self.fault = ""
        self._secret, self._public, self._trusted = secret, public, trusted
        self._their_key = b""
        self._cookie = b""
        self._shared = b""
        self._my_secret = b""
        self._received = 0
        self._sent = 0

    def answer(self, command: bytes) -> bytes:
        """Handles HELLO, then INITIATE."""
        try:
            return self._initiate(command) if self._cookie else self._hello(command)
        except (CryptoError, ValueError, TypeError):
            self.fault = NOT_ITS_KEY
            return b""

    def _hello(self, command: bytes) -> bytes:
        if len(command) != HELLO_BYTES or not command.startswith(b"\x05HELLO\x01\x00"):
            self.fault = NOT_CURVE
            return b""
        self._their_key, number, signature = command[80:112], command[112:120], command[120:]
        shared = box.crypto_box_beforenm(self._their_key, self._secret)
        box.crypto_box_open_afternm(signature, b"CurveZMQHELLO---" + number, shared)
        self._received = int.from_bytes(number, "big")
        my_key, self._my_secret = box.crypto_box_keypair()
        # The cookie serves those who forget the peer until it comes back; here it is only compared.
        self._cookie = secrets.token_bytes(COOKIE_BYTES)
        nonce = secrets.token_bytes(16)
        sealed = box.crypto_box_afternm(my_key + self._cookie, b"WELCOME-" + nonce, shared)
        return command_body(b"WELCOME", nonce + sealed)

    def _initiate(self, command: bytes) -> bytes:
        if len(command) < SHORTEST_INITIATE or not command.startswith(b"\x08INITIATE"):
            self.fault = NOT_CURVE
            return b""
        cookie, number, sealed = command[9:105], command[105:113], command[113:]
        if not hmac.compare_digest(cookie, self._cookie) or not self._rises(number):
            self.fault = NOT_CURVE
            return b""
        self._shared = box.crypto_box_beforenm(self._their_key, self._my_secret)
        plain = box.crypto_box_open_afternm(sealed, b"CurveZMQINITIATE" + number, self._shared)
        known, vouch = plain[:KEY_BYTES], plain[KEY_BYTES : KEY_BYTES + VOUCH_BYTES]
        if known not in self._trusted:
            self.fault = "its key is not on the list of trusted keys"
            return b""
        vouched = box.crypto_box_open(vouch[16:], b"VOUCH---" + vouch[:16], known, self._my_secret)
        if not hmac.compare_digest(vouched, self._their_key + self._public):
            self.fault = NOT_ITS_KEY
            return b""
        self.fault = wrong_socket(plain[KEY_BYTES + VOUCH_BYTES :])
        self.ready = not self.fault
        mine = metadata(Socket_Type=b"ROUTER", Identity=b"")
        return command_body(b"READY", self._sealed(b"CurveZMQREADY---", mine))

    def _rises(self, number: bytes) -> bool:
        count = int.from_bytes(number, "big")
        rises = count > self._received
        self._received = max(count, self._received)
        return rises

    def _sealed(self, prefix: bytes, plain: bytes) -> bytes:
        self._sent += 1
        number = self._sent.to_bytes(8, "big")
        sealed: bytes = box.crypto_box_afternm(plain, prefix + number, self._shared)
        return number + sealed

    def open(self, body: bytes) -> bytes:
        """Decrypts a message; returns its flags and its payload, empty if it is not authentic or not new."""
        number = body[8:16]
        if not body.startswith(b"\x07MESSAGE") or len(body) < self.overhead or not self._rises(number):
            return b""
        try:
            plain: bytes = box.crypto_box_open_afternm(body[16:], b"CurveZMQMESSAGEC" + number, self._shared)
        except (CryptoError, ValueError, TypeError):
            return b""
        return plain

    def seal(self, flags: int, payload: bytes) -> bytes:
        """Encrypts flags and payload into a message."""
        return command_body(b"MESSAGE", self._sealed(b"CurveZMQMESSAGES", bytes([flags]) + payload))
