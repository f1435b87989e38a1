"""ZeroMQ contexts and sockets as a 1 kHz link wants them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import zmq
import zmq.utils.z85

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.endpoint import KeyPair
from kilohertz.robots.wire.link import LinkLostError

IO_PRIORITY = 85
QUEUED_STATES = 64
QUEUED_COMMANDS = 8
POLL_MS = 1
ASK_AGAIN_S = 0.1
ZAP_ENDPOINT = "inproc://zeromq.zap.01"


def new_context(*, realtime: bool, core: int | None = None) -> Any:
    """A context whose I/O thread runs at real-time priority where the host lets it.

    The thread inherits its policy when the first socket is made. Set later, or left ordinary, the link's p99
    grows twenty-fold on a busy host.

    Args:
        realtime: whether to ask for it; a link in lockstep, which is always busy, must not.
        core: where to keep the thread in real time: on the core of the loop that it serves, so that neither
            wakes the other on a core that sleeps, and an isolated core keeps the link, too, from the crowd.
    """
    context = zmq.Context()
    # libzmq ends the whole process where the host refuses what it was told to set.
    if realtime and _may_be_realtime(IO_PRIORITY):
        context.set(zmq.THREAD_SCHED_POLICY, os.SCHED_FIFO)
        context.set(zmq.THREAD_PRIORITY, IO_PRIORITY)
        if core is not None and _may_run_on(core):
            context.set(zmq.THREAD_AFFINITY_CPU_ADD, core)
    return context


def _may_be_realtime(priority: int) -> bool:
    policy, before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError:
        return False
    os.sched_setscheduler(0, policy, before)
    return True


def _may_run_on(core: int) -> bool:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {core})
    except OSError:
        return False
    os.sched_setaffinity(0, before)
    return True


def robot_socket(context: Any, endpoint: str, key: KeyPair | None) -> Any:
    """The robot's end: bound, and full for nobody but the peer that does not read.

    Raises:
        ConfigError: it cannot be bound.
    """
    router = context.socket(zmq.ROUTER)
    router.set(zmq.LINGER, 200)
    router.set(zmq.MAXMSGSIZE, wire.MAX_BYTES)
    router.set(zmq.SNDHWM, QUEUED_STATES)
    router.set(zmq.RCVHWM, QUEUED_STATES)
    if key is not None:
        router.set(zmq.CURVE_SERVER, 1)
        router.set(zmq.CURVE_SECRETKEY, key.secret.encode())
        router.set(zmq.CURVE_PUBLICKEY, key.public.encode())
    try:
        router.bind(endpoint)
    except zmq.ZMQError as error:
        router.close(0)
        raise ConfigError(f"{endpoint} cannot be opened: {error.strerror}") from None
    return router


def controller_socket(context: Any, endpoint: str, key: KeyPair | None, robot_key: str | None) -> Any:
    """The controller's end; what cannot be sent now is not sent at all.

    Raises:
        ConfigError: the endpoint is none.
    """
    dealer = context.socket(zmq.DEALER)
    dealer.set(zmq.LINGER, 0)
    dealer.set(zmq.MAXMSGSIZE, wire.MAX_BYTES)
    dealer.set(zmq.IMMEDIATE, 1)
    dealer.set(zmq.SNDHWM, QUEUED_COMMANDS)
    dealer.set(zmq.RCVHWM, QUEUED_STATES)
    dealer.set(zmq.RECONNECT_IVL, 50)
    dealer.set(zmq.RCVTIMEO, POLL_MS)
    if key is not None and robot_key is not None:
        dealer.set(zmq.CURVE_SERVERKEY, robot_key.encode())
        dealer.set(zmq.CURVE_SECRETKEY, key.secret.encode())
        dealer.set(zmq.CURVE_PUBLICKEY, key.public.encode())
    try:
        dealer.connect(endpoint)
    except zmq.ZMQError as error:
        dealer.close(0)
        raise ConfigError(f"{endpoint} cannot be connected to: {error.strerror}") from None
    return dealer


def send(dealer: Any, payload: bytes) -> bool:
    """Sends now, or not at all: False."""
    try:
        dealer.send(payload, zmq.NOBLOCK)
    except zmq.Again:
        return False
    return True


def has_come(socket: Any) -> bool:
    """Whether there is something to receive; asked first it spares an exception, which takes longer."""
    return bool(socket.get(zmq.EVENTS) & zmq.POLLIN)


def receive(dealer: Any, flags: int = 0) -> bytes | None:
    """One payload; waits for at most POLL_MS, and not at all with NOBLOCK."""
    if flags & zmq.NOBLOCK and not has_come(dealer):
        return None
    try:
        payload: bytes = dealer.recv(flags)
    except zmq.Again:
        return None
    if dealer.getsockopt(zmq.RCVMORE):
        # No message of ours has parts: not even its last one is worth a look.
        while dealer.getsockopt(zmq.RCVMORE):
            dealer.recv(zmq.NOBLOCK)
        return b""
    return payload


def ask(
    dealer: Any,
    endpoint: str,
    question: bytes,
    answer: str,
    timeout_s: float,
    between: Callable[[], None] | None = None,
) -> tuple[Any, ...]:
    """Asks until the robot answers; returns the fields of the answer.

    Args:
        dealer: the socket.
        endpoint: its endpoint, for the sentence.
        question: a message.
        answer: kind of the message that answers it.
        timeout_s: patience [s].
        between: called while waiting.

    Raises:
        ConfigError: it refuses, or speaks another version of the protocol.
        LinkLostError: nobody answers in time.
    """
    until_s = time.monotonic() + timeout_s
    again_s = 0.0
    while (now_s := time.monotonic()) < until_s:
        if now_s > again_s and send(dealer, question):
            again_s = now_s + ASK_AGAIN_S
        if between is not None:
            between()
        payload = receive(dealer)
        if payload is None:
            continue
        message = wire.unpack(payload)
        if message is None:
            version = wire.foreign_version(payload)
            if version is not None:
                raise ConfigError(
                    f"{endpoint}: wrong robot: protocol: the robot speaks version {version}, "
                    f"the controller version {wire.VERSION}"
                )
            continue
        kind, values = message
        if kind == answer:
            return values
        if kind == "refused":
            what = "not armed" if values[0] in ("lease", "self-test") else "wrong robot"
            raise ConfigError(f"{endpoint}: {what}: {values[0]}: {values[1]}")
    raise LinkLostError(f"{endpoint}: no robot answers there within {timeout_s:g} s")


class Doorkeeper:
    """Lets in the peers whose public keys are listed; asked by libzmq at each new connection, through ZAP.

    Args:
        context: that of the robot's socket, which must not have been made yet.
        trusted: public keys in Z85.

    Attributes:
        turned_away: how many were not let in.
    """

    def __init__(self, context: Any, trusted: frozenset[str]) -> None:
        self._trusted = trusted
        self._socket = context.socket(zmq.ROUTER)
        self._socket.set(zmq.LINGER, 0)
        self._socket.bind(ZAP_ENDPOINT)
        self.turned_away = 0

    def answer(self) -> None:
        """Answers one question, if there is one; never waits."""
        if not has_come(self._socket):
            return
        try:
            frames = self._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        # peer, empty, version, request, domain, address, identity, mechanism, credentials
        if len(frames) != 9 or frames[2] != b"1.0":
            return
        known = frames[7] == b"CURVE" and zmq.utils.z85.encode(frames[8]).decode() in self._trusted
        status = (b"200", b"OK") if known else (b"400", b"not on the list of trusted keys")
        self.turned_away += not known
        self._socket.send_multipart([frames[0], b"", b"1.0", frames[3], *status, b"", b""])

    def close(self) -> None:
        """Lets nobody in any more."""
        self._socket.close(0)
