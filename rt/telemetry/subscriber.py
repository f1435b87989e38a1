"""Receives the telemetry of a running controller."""

from __future__ import annotations

import math
import time
from typing import Any

import msgpack
import zmq

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire.endpoint import check_endpoint
from kilohertz.robots.wire.own_peer import require_own_peer
from kilohertz.robots.wire.sockets import new_context
from kilohertz.rt.telemetry.content import HELLO, STATE, VERSION
from kilohertz.rt.telemetry.publisher import telemetry_endpoint

LARGEST_MESSAGE = 1_000_000
_MS_PER_S = 1000.0


def endpoint_named(name: str) -> str:
    """Returns the endpoint that a user means: an endpoint as it is, or the default one of a robot's name.

    Raises:
        ConfigError: the folder of the default endpoints cannot be used.
    """
    return name if "://" in name else telemetry_endpoint(name)


class Subscriber:
    """Receives the messages of one endpoint, in order; a run may begin, end and begin again meanwhile.

    Args:
        endpoint: endpoint of the telemetry; nobody has to serve it yet.
        queued: messages that wait for `receive`; further ones are dropped. 1 keeps the newest.

    Attributes:
        endpoint: the endpoint.
        hello: the newest hello message; empty before the first.

    Raises:
        ConfigError: the endpoint cannot be used, or may be that of another user.
    """

    def __init__(self, endpoint: str, queued: int = 1000) -> None:
        if not endpoint.startswith("ipc://"):
            raise ConfigError(
                f"'{endpoint}' is not an endpoint of telemetry: write ipc://PATH, or a robot's name"
            )
        check_endpoint(endpoint, keys=False, bind=False)
        self.endpoint = endpoint
        self.hello: dict[str, Any] = {}
        self._context = new_context(realtime=False)
        socket = self._context.socket(zmq.SUB)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, queued)
        socket.setsockopt(zmq.MAXMSGSIZE, LARGEST_MESSAGE)
        socket.setsockopt(zmq.RECONNECT_IVL, 100)
        socket.setsockopt(zmq.SUBSCRIBE, b"")
        socket.connect(endpoint)
        self._socket = socket

    def receive(self, timeout_s: float) -> dict[str, Any] | None:
        """Waits for the next state message of a run whose hello message has arrived.

        Args:
            timeout_s: longest time to wait [s].

        Returns:
            The message; None if none arrives in time.

        Raises:
            ConfigError: the messages are of another version.
        """
        until_s = time.monotonic() + timeout_s
        while True:
            left_s = max(0.0, until_s - time.monotonic())
            if not self._socket.poll(math.ceil(left_s * _MS_PER_S)):
                return None
            kind, content = _unpacked(self._socket.recv())
            if kind == HELLO:
                self._greeted(content)
            elif kind == STATE and self.hello:
                return content

    def _greeted(self, hello: dict[str, Any]) -> None:
        # Now there is a peer, so that it can be told whose it is.
        require_own_peer(self.endpoint)
        if hello.get("telemetry_version") != VERSION:
            raise ConfigError(
                f"{self.endpoint}: telemetry of version {hello.get('telemetry_version')} cannot be read, "
                f"only version {VERSION}: use the same version of Kilohertz on both sides"
            )
        self.hello = hello

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()
        self._context.term()


def _unpacked(frame: bytes) -> tuple[str, dict[str, Any]]:
    """Returns kind and content of a message; ("", {}) for bytes that are no message."""
    try:
        kind, content = msgpack.unpackb(frame)
    except (ValueError, TypeError, msgpack.UnpackException):
        return "", {}
    return (kind, content) if isinstance(kind, str) and isinstance(content, dict) else ("", {})
