"""ZeroMQ contexts and sockets with the settings that a 1 kHz link needs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import zmq

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.endpoint import KeyPair
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.silence import Patience

IO_PRIORITY = 85
QUEUED_STATES = 64
QUEUED_COMMANDS = 8
POLL_MS = 1
RETRY_MS = 50
MOST_PARTS = 64
ASK_AGAIN_S = 0.1


class Context(zmq.Context):  # type: ignore[type-arg]
    """A ZeroMQ context that may be collected as garbage together with its sockets.

    pyzmq's own ends itself when it is collected, and waits for its sockets to be closed. In a cycle, which
    every exception makes that holds them in its traceback, the context may come first. It then waits for ever
    for sockets that only the collection which it holds up would close.
    """

    def __del__(self) -> None:
        """Leaves the end to the deallocation, which comes after the finalisers of all sockets."""


def new_context(*, realtime: bool, core: int | None = None) -> Any:
    """Makes a context whose I/O thread runs at real-time priority if the host permits it.

    The thread inherits its scheduling policy when the first socket is made. If the policy is set later, or
    left at the default, the link's p99 latency is twenty times as large on a busy host.

    Args:
        realtime: whether to ask for real-time priority; a link in lockstep, which is always busy, must not.
        core: CPU core for a real-time I/O thread: that of the loop which it serves. Neither then wakes the
            other on a sleeping core, and an isolated core keeps other programs away from the link too. None
            for any.
    """
    context = Context()
    # libzmq aborts the whole process if the host refuses one of these settings.
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


def controller_socket(
    context: Any,
    endpoint: str,
    key: KeyPair | None,
    robot_key: str | None,
    *,
    retry_ms: int = RETRY_MS,
    most_bytes: int = wire.MAX_BYTES,
    queued: int = QUEUED_COMMANDS,
    received: int = QUEUED_STATES,
) -> Any:
    """Makes and connects the controller's socket; a message that cannot be sent at once is dropped.

    Args:
        context: ZeroMQ context.
        endpoint: address of the robot.
        key: the controller's key pair; None for a link without keys.
        robot_key: the robot's public key in Z85; None for a link without keys.
        retry_ms: time after which a connection that failed or ended is tried again [ms].
        most_bytes: longest message that is received; a longer one ends the connection.
        queued: number of messages that wait to be sent, after which further ones are dropped.
        received: number of received messages that wait to be read.

    Raises:
        ConfigError: the endpoint is not valid.
    """
    dealer = context.socket(zmq.DEALER)
    dealer.set(zmq.LINGER, 0)
    dealer.set(zmq.MAXMSGSIZE, most_bytes)
    dealer.set(zmq.IMMEDIATE, 1)
    dealer.set(zmq.SNDHWM, queued)
    dealer.set(zmq.RCVHWM, received)
    dealer.set(zmq.RECONNECT_IVL, retry_ms)
    dealer.set(zmq.RCVTIMEO, POLL_MS)
    if key is not None and robot_key is not None:
        dealer.set(zmq.CURVE_SERVERKEY, robot_key.encode())
        dealer.set(zmq.CURVE_SECRETKEY, key.secret.encode())
        dealer.set(zmq.CURVE_PUBLICKEY, key.public.encode())
    try:
        dealer.connect(endpoint)
    except zmq.ZMQError as error:
        dealer.close(0)
        raise ConfigError(f"the link cannot connect to {endpoint}: {error.strerror}") from None
    return dealer


def send(dealer: Any, payload: bytes) -> bool:
    """Sends a message without waiting; returns False if it could not be sent and was dropped."""
    try:
        dealer.send(payload, zmq.NOBLOCK)
    except zmq.Again:
        return False
    return True


def has_come(socket: Any) -> bool:
    """Checks whether a message can be received; this is faster than the exception of a failed receive."""
    return bool(socket.get(zmq.EVENTS) & zmq.POLLIN)


def receive(dealer: Any, flags: int = 0) -> bytes | None:
    """Receives one payload; waits at most `POLL_MS`, and not at all if `flags` contains NOBLOCK.

    Returns:
        The payload; None if none was received, and empty bytes for a message of several parts.
    """
    if flags & zmq.NOBLOCK and not has_come(dealer):
        return None
    try:
        payload: bytes = dealer.recv(flags)
    except zmq.Again:
        return None
    if dealer.getsockopt(zmq.RCVMORE):
        # No message of the protocol has several parts: they are dropped, an endless number of them in turns.
        for _ in range(MOST_PARTS):
            dealer.recv(zmq.NOBLOCK)
            if not dealer.getsockopt(zmq.RCVMORE):
                break
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
    """Repeats a request until the robot answers.

    Args:
        dealer: the controller's socket.
        endpoint: endpoint of the robot, for error messages.
        question: request, a packed message.
        answer: kind of the message that answers the request.
        timeout_s: time to wait for the answer [s].
        between: called repeatedly while waiting.

    Returns:
        The fields of the answer.

    Raises:
        ConfigError: the robot refuses, uses another version of the protocol, or sends messages that are not
            valid instead of an answer.
        LinkLostError: no robot answers in time.
    """
    patience = Patience(timeout_s)
    again_s = 0.0
    refused, why = 0, ""
    while not patience.is_over():
        now_s = time.monotonic()
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
                    f"{endpoint}: wrong robot: protocol: the robot uses protocol version {version}, "
                    f"the controller uses version {wire.VERSION}"
                )
            refused, why = refused + 1, wire.problem(payload)
            continue
        kind, values = message
        if kind == answer:
            return values
        if kind == "refused":
            what = "not armed" if values[0] in ("lease", "self-test") else "wrong robot"
            raise ConfigError(f"{endpoint}: {what}: {values[0]}: {values[1]}")
    if refused:
        raise ConfigError(f"{endpoint}: {refused} messages of the robot were refused: {why}")
    raise LinkLostError(f"{endpoint}: no robot answers at this endpoint within {timeout_s:g} s")
