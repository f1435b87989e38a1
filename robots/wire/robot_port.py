"""The robot's socket: receives packets, sends the answers, and sends states to all peers."""

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
    """The socket of a `RobotSide`.

    Args:
        side: protocol state machine that handles the packets.
        endpoint: address to bind, `ipc://PATH` or `tcp://HOST:PORT`.
        realtime: whether the I/O thread asks for real-time priority.
        core: CPU core of the calling thread, used for the I/O thread too; None for any core.
        key: the robot's key pair; needed if other computers can reach the endpoint.
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
        self._gone: list[bytes] = []

    def take_in(self) -> bool:
        """Handles the packets that have been received, at most 64, and sends the answers. Hot path.

        Returns:
            Whether any packet had been received.
        """
        if self._doorkeeper is not None:
            self._doorkeeper.answer()
        if self._gone:
            self._forget_gone()
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
        """Waits until a packet is received, at most `timeout_ms`."""
        self._socket.poll(timeout_ms)

    def listen(self, until_ns: int, enough: Callable[[], bool] | None = None) -> None:
        """Handles packets as they are received. Hot path.

        The time is compared after every 64 packets, so that no number of packets can hold up the period.

        Args:
            until_ns: time of the monotonic clock at which to return [ns].
            enough: returns True if no more packets are awaited; None to use the whole time.
        """
        while enough is None or not enough():
            more = self.take_in()
            remaining_ns = until_ns - time.monotonic_ns()
            if remaining_ns <= 0:
                return
            if not more:
                select.select([self._socket], [], [], remaining_ns * 1e-9)

    def tell(self, payload: bytes) -> None:
        """Sends a packet to every peer that has completed the handshake."""
        for peer in self._side.peers:
            self.send(peer, payload)

    def send(self, peer: bytes, payload: bytes) -> None:
        """Sends a packet to one peer; drops it if the peer's queue is full or the peer has disconnected."""
        try:
            self._socket.send_multipart((peer, payload), zmq.NOBLOCK)
        except zmq.Again:
            return
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._gone.append(peer)

    def _forget_gone(self) -> None:
        for peer in self._gone:
            self._side.gone(peer)
        self._gone.clear()

    def close(self) -> None:
        """Frees the endpoint after the last packets have been sent."""
        self._free(GOODBYE_MS)

    def abandon(self) -> None:
        """Frees the endpoint at once and sends nothing, as if the process had been killed."""
        self._free(0)

    def _free(self, linger_ms: int) -> None:
        self._socket.close(linger_ms)
        if self._doorkeeper is not None:
            self._doorkeeper.close()
        self._context.term()
