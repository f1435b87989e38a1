"""The robot's socket: receives packets, sends the answers, and sends states to all peers.

Whatever peers send, and however many there are, a period takes in a bounded amount of it. The holder of the
lease comes first, then those peers that have sent least. A peer that breaks the protocol's form, or that
never pauses, is cut off. All of this happens in the thread that calls: there is no other thread, and no
queue, that a peer could fill.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import zmq.utils.z85

from kilohertz.robots.wire.endpoint import KeyPair, check_endpoint
from kilohertz.robots.wire.listener import Listener
from kilohertz.robots.wire.zmtp import INCOMPLETE, MESSAGE, Connection, Mechanism, NullMechanism

MOST_CONNECTIONS = 64
HOLDER_STEPS, PEER_STEPS, ALL_PEERS_STEPS = 32, 6, 64
"""Steps a period: of the holder of the lease, of each other peer, and of all other peers together."""
HOLDER_LEAST_STEPS = 4
"""Steps that the holder of the lease may take in a period on a computer however slow."""
MOST_ACCEPTS = 8
INTAKE_NS = 200_000
"""Time a period after which the holder of the lease, or all other peers together, have to wait [ns]."""
NEVER_NS = 2**63
GREEDY_PERIODS = 200
HANDSHAKE_NS = 2_000_000_000
TELL_NS = 1_000_000_000
CUT_OFF = "cut off"
"""Kind of the event that reports who was cut off."""


class PacketSide(Protocol):
    """What handles the packets of a port, such as `RobotSide`."""

    @property
    def peers(self) -> Mapping[bytes, Any]:
        """The peers whose handshake has succeeded, by routing id."""
        ...

    @property
    def lease_holder(self) -> bytes | None:
        """Routing id of the peer that holds the lease; None if no peer holds it."""
        ...

    def handle(self, peer: bytes, payload: bytes, now_ns: int) -> bytes | None:
        """Handles a packet of a peer, any bytes; returns the answer, or None for no answer."""
        ...

    def gone(self, peer: bytes) -> None:
        """Forgets a peer whose connection has ended."""
        ...


class RobotPort:
    """The socket of a `PacketSide`: of a robot, or of a running controller for those that command it.

    Call `take_in` once per period. It renews the amount that peers may send in the period, which `take_in`
    and `listen` share.

    Args:
        side: protocol state machine that handles the packets.
        endpoint: address to bind, `ipc://PATH` or `tcp://HOST:PORT`.
        key: the robot's key pair; needed if other computers can reach the endpoint.
        trusted: public keys of the controllers that may connect.
        holder_intake_ns: time a period after which the holder of the lease has to wait [ns].

    Attributes:
        cut_off: number of connections that were cut off.
        last_cut_off: who was cut off last and why, in one sentence; empty if nobody was.

    Raises:
        ConfigError: the endpoint cannot be used.
    """

    def __init__(
        self,
        side: PacketSide,
        endpoint: str,
        *,
        key: KeyPair | None = None,
        trusted: frozenset[str] = frozenset(),
        holder_intake_ns: int = INTAKE_NS,
    ) -> None:
        check_endpoint(endpoint, keys=key is not None, bind=True)
        self.cut_off = 0
        self.last_cut_off = ""
        self._side = side
        self._new_mechanism = _mechanisms(key, trusted)
        self._listener = Listener(endpoint, private=key is None)
        self._poller = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._by_peer: dict[bytes, Connection] = {}
        # Connections that may have more to give, and that are not polled until the next period.
        self._waiting: list[Connection] = []
        self._door = self._listener.fileno()
        self._door_is_shut = False
        self._poller.register(self._door, select.EPOLLIN)
        self._door_poll = select.poll()
        self._door_poll.register(self._door, select.POLLIN)
        self._named = 0
        self._packets = 0
        self._holder_intake_ns = holder_intake_ns
        self._steps = self._accepts = self._spent_ns = self._holder_ns = 0
        self._until_ns = NEVER_NS
        self._told, self._told_ns = 0, -TELL_NS

    def take_in(self) -> bool:
        """Begins a period: handles the packets that have been received, and sends the answers. Hot path.

        Returns:
            Whether any packet had been received.
        """
        self._packets = 0
        self._steps, self._accepts = ALL_PEERS_STEPS, MOST_ACCEPTS
        self._spent_ns = self._holder_ns = 0
        self._until_ns = NEVER_NS
        self._begin_period()
        if self._door_is_shut:
            self._door_is_shut = False
            self._poller.register(self._door, select.EPOLLIN)
        waiting, self._waiting = self._waiting, []
        for connection in waiting:
            connection.waits = False
            self._poller.register(connection, select.EPOLLIN)
        self._serve_events(waiting)
        return self._packets > 0

    def _begin_period(self) -> None:
        in_handshake = too_greedy = None
        for connection in self._connections.values():
            connection.renew()
            if not connection.ready:
                # The connections are in the order of their age.
                in_handshake = in_handshake or connection
            if connection.greedy >= GREEDY_PERIODS:
                too_greedy = connection
        if too_greedy is not None:
            self._cut(too_greedy, f"it sent without a pause for {GREEDY_PERIODS} periods")
        elif in_handshake and time.monotonic_ns() - in_handshake.opened_ns > HANDSHAKE_NS:
            self._cut(in_handshake, f"it did not complete its handshake within {HANDSHAKE_NS // 10**9} s")

    def wait(self, timeout_ms: float) -> None:
        """Waits until a packet is received, at most `timeout_ms`."""
        if not self._waiting:
            select.select([self._poller], [], [], 1e-3 * timeout_ms)

    def listen(self, until_ns: int, enough: Callable[[], bool] | None = None) -> None:
        """Handles packets as they are received. Hot path.

        Peers that have sent as much as they may in this period are not read, so that a flood lets the loop
        sleep. The kernel would otherwise stop a real-time loop for 50 ms in every second. It may return one
        packet of the holder of the lease, or one connection, later than asked.

        Args:
            until_ns: time of the monotonic clock at which to return [ns].
            enough: returns True if no more packets are awaited; None to use the whole time.
        """
        self._until_ns = until_ns
        while enough is None or not enough():
            remaining_ns = until_ns - time.monotonic_ns()
            if remaining_ns <= 0:
                return
            select.select([self._poller], [], [], remaining_ns * 1e-9)
            self._serve_events([])

    def _serve_events(self, ready: list[Connection]) -> None:
        """Serves those that have sent something, in the order of their rank. Hot path.

        Args:
            ready: connections to be served in any case.
        """
        for number, _ in self._poller.poll(0):
            if number == self._door:
                self._accept()
            elif number in self._connections:
                connection = self._connections[number]
                if connection not in ready:
                    ready.append(connection)
        if len(ready) > 1:
            ready.sort(key=_greed)
        holder = self._side.lease_holder
        for connection in ready:
            if connection.peer == holder:
                self._holder_ns = self._serve(connection, self._holder_ns)
        for connection in ready:
            if connection.peer == holder or connection.gone:
                continue
            if self._steps > 0 and self._spent_ns < INTAKE_NS and time.monotonic_ns() < self._until_ns:
                self._spent_ns = self._serve(connection, self._spent_ns)
            else:
                self._put_off(connection)

    def _serve(self, connection: Connection, spent_ns: int) -> int:
        """Takes the steps of one connection that it may take in this period. Hot path.

        Args:
            connection: the connection.
            spent_ns: time that was spent in this period on those that share its time [ns].

        Returns:
            That time, with this call added [ns].
        """
        start_ns = now_ns = time.monotonic_ns()
        least, most, intake_ns = 0, PEER_STEPS, INTAKE_NS
        if connection.peer == self._side.lease_holder:
            least, most, intake_ns = HOLDER_LEAST_STEPS, HOLDER_STEPS, self._holder_intake_ns
        first, received = connection.steps, False
        while True:
            result = connection.step()
            connection.steps += 1
            if result == INCOMPLETE:
                if received:
                    break
                connection.receive()
                received = True
                continue
            now_ns = time.monotonic_ns()
            if result == MESSAGE:
                self._packets += 1
                answer = self._side.handle(connection.peer, connection.payload, now_ns)
                if answer is not None:
                    connection.send(answer)
            in_time = spent_ns + now_ns - start_ns < intake_ns or connection.steps < least
            if connection.steps >= most or not in_time:
                break
        self._steps -= connection.steps - first
        if connection.fault:
            self._cut(connection, connection.fault)
        elif connection.gone:
            self._close(connection)
        elif result != INCOMPLETE or connection.steps >= most:
            connection.end_early()
            self._put_off(connection)
        return spent_ns + time.monotonic_ns() - start_ns

    def _put_off(self, connection: Connection) -> None:
        """Leaves a connection alone until the next period."""
        connection.waits = True
        self._poller.unregister(connection)
        self._waiting.append(connection)

    def _accept(self) -> None:
        """Accepts the connections that wait, as many as one period may have."""
        start_ns = time.monotonic_ns()
        until_ns = min(start_ns + INTAKE_NS, self._until_ns)
        while self._accepts and time.monotonic_ns() < until_ns:
            self._accepts -= 1
            stream = self._listener.accept()
            if stream is None:
                break
            if len(self._connections) >= MOST_CONNECTIONS:
                self._cut(self._least_wanted(), f"all {MOST_CONNECTIONS} connections are in use")
            self._named += 1
            peer = b"\0" + self._named.to_bytes(4, "big")
            connection = Connection(stream, peer, self._new_mechanism(), start_ns)
            self._connections[connection.fileno()] = self._by_peer[peer] = connection
            self._poller.register(connection, select.EPOLLIN)
            if not self._door_poll.poll(0):
                return
        # There were too many for one period, or this process has no file descriptor left.
        self._door_is_shut = True
        self._poller.unregister(self._door)

    def _least_wanted(self) -> Connection:
        """Returns the oldest connection without a handshake, else the oldest one that is no known peer."""
        peers = self._side.peers
        return min(self._connections.values(), key=lambda one: (one.peer in peers, one.ready, one.opened_ns))

    def _cut(self, connection: Connection, why: str) -> None:
        self.cut_off += 1
        self.last_cut_off = f"cut off {connection.address()}: {why}"
        self._close(connection)

    def _close(self, connection: Connection) -> None:
        connection.gone = True
        del self._connections[connection.fileno()], self._by_peer[connection.peer]
        if connection.waits:
            self._waiting.remove(connection)
        else:
            self._poller.unregister(connection)
        connection.close()
        self._side.gone(connection.peer)

    def news(self, now_ns: int) -> str:
        """Returns who was cut off since the last call, at most once per second; "" for nobody.

        Args:
            now_ns: time of the monotonic clock [ns].
        """
        more = self.cut_off - self._told
        if not more or now_ns - self._told_ns < TELL_NS:
            return ""
        self._told, self._told_ns = self.cut_off, now_ns
        return self.last_cut_off if more == 1 else f"{self.last_cut_off} ({more - 1} more were cut off)"

    def tell(self, payload: bytes) -> None:
        """Sends a packet to every peer that has completed the handshake."""
        for peer in self._side.peers:
            self.send(peer, payload)

    def send(self, peer: bytes, payload: bytes) -> None:
        """Sends a packet to one peer; drops it if the peer does not read, or has left."""
        connection = self._by_peer.get(peer)
        if connection is not None:
            connection.send(payload)

    def close(self) -> None:
        """Frees the endpoint; what was sent is still delivered."""
        self._listener.close()
        self._poller.close()
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        self._by_peer.clear()
        self._waiting.clear()


def _greed(connection: Connection) -> int:
    return connection.greedy


def _mechanisms(key: KeyPair | None, trusted: frozenset[str]) -> Callable[[], Mechanism]:
    """Returns a function that makes the mechanism of a new connection."""
    if key is None:
        return NullMechanism
    # The library for encryption takes its time to load, and a robot without keys does not need it.
    from kilohertz.robots.wire.curve import CurveMechanism

    decode = zmq.utils.z85.decode
    secret, public = decode(key.secret), decode(key.public)
    known = frozenset(decode(other) for other in trusted)
    return lambda: CurveMechanism(secret, public, known)
