"""The robot's end of the link as a socket: takes in packets, answers, and tells all peers."""

from __future__ import annotations

import select
import time
from collections.abc import Callable

import zmq

from kilohertz.robots.wire.endpoint import KeyPair, check_endpoint
from kilohertz.robots.wire.robot_side import RobotSide
from kilohertz.robots.wire.sockets import Doorkeeper, has_come, new_context, robot_socket

PACKETS_A_TICK = 64
GOODBYE_MS = 200


class RobotPort:
    """A socket for a `RobotSide`.

    Args:
        side: what the packets are for.
        endpoint: where to be reached.
        realtime: whether the I/O thread asks for real-time priority.
        core: of whoever calls us, for the I/O thread too; None for any.
        key: our key pair; needed where others can reach us.
        trusted: public keys of the controllers that may connect.

    Raises:
        ConfigError: the endpoint cannot be used.
    """

    def __init__(
        self,
        side: RobotSide,
        endpoint: str,
        *,
        realtime: bool = True,
        core: int | None = None,
        key: KeyPair | None = None,
        trusted: frozenset[str] = frozenset(),
    ) -> None:
        check_endpoint(endpoint, keys=key is not None, bind=True)
        self._side = side
        self._context = new_context(realtime=realtime, core=core)
        self._doorkeeper = Doorkeeper(self._context, trusted) if key is not None else None
        self._socket = robot_socket(self._context, endpoint, key)

    def take_in(self) -> bool:
        """Looks at what has come, and answers. Hot path.

        Returns:
            Whether anything had come.
        """
        if self._doorkeeper is not None:
            self._doorkeeper.answer()
        socket, handle = self._socket, self._side.handle
        for packets in range(PACKETS_A_TICK):
            if not has_come(socket):
                return packets > 0
            try:
                frames = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return packets > 0
            if len(frames) != 2:
                self._side.counts.refused += 1
                continue
            answer = handle(frames[0], frames[1], time.monotonic_ns())
            if answer is not None:
                self.send(frames[0], answer)
        return True

    def wait(self, timeout_ms: float) -> None:
        """Waits until something comes."""
        self._socket.poll(timeout_ms)

    def listen(self, until_ns: int, enough: Callable[[], bool] | None = None) -> None:
        """Takes in what comes, as it comes, until then or until it is enough. Hot path."""
        while enough is None or not enough():
            if self.take_in():
                continue
            remaining_ns = until_ns - time.monotonic_ns()
            if remaining_ns <= 0:
                return
            select.select([self._socket], [], [], remaining_ns * 1e-9)

    def tell(self, payload: bytes) -> None:
        """Sends to every peer."""
        for peer in self._side.peers:
            self.send(peer, payload)

    def send(self, peer: bytes, payload: bytes) -> None:
        """Sends to one peer; one that does not read loses what it does not read."""
        try:
            self._socket.send_multipart((peer, payload), zmq.NOBLOCK)
        except zmq.Again:
            return

    def close(self) -> None:
        """Frees the endpoint, once what was said last has gone out."""
        self._free(GOODBYE_MS)

    def abandon(self) -> None:
        """Frees the endpoint without a word, as if the process had died."""
        self._free(0)

    def _free(self, linger_ms: int) -> None:
        self._socket.close(linger_ms)
        if self._doorkeeper is not None:
            self._doorkeeper.close()
        self._context.term()
