"""ZeroMQ's protocol on one accepted connection (ZMTP 3.0), without a thread and without a queue.

ZeroMQ's library reads its sockets in a thread of its own, and stores the parts of a message until the last
one arrives. A peer can then make it work, and grow, without limit, whatever the robot does. Here the robot's
own loop reads each connection, in steps of bounded length and into a buffer of fixed size. What a peer sends
faster than the loop reads stays in the kernel's buffer of this connection, and stops the peer.

Source: RFC 23/ZMTP 3.0 of the ZeroMQ project.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from typing import Protocol

from kilohertz.robots.wire import messages as wire

MORE, LONG, COMMAND = 1, 2, 4
GREETING_BYTES = 64
SHORTEST_LONG = 256
BUFFER_BYTES = 16_384
KERNEL_BUFFER_BYTES = 65_536
LONGEST_CONTEXT = 16

INCOMPLETE, STEP, MESSAGE = range(3)
"""Results of a step: bytes are missing or the connection has a fault; no message; a message."""


class Mechanism(Protocol):
    """Handshake and encryption of one connection.

    Attributes:
        name: name of the mechanism in the greeting.
        overhead: bytes by which a sealed message is longer than its payload.
        sealed: whether messages are encrypted.
        ready: whether the handshake is complete.
        fault: why the connection must be ended, as the end of a sentence; empty if it may go on.
    """

    name: bytes
    overhead: int
    sealed: bool
    ready: bool
    fault: str

    def answer(self, command: bytes) -> bytes:
        """Handles a command of the handshake; returns the command to send back, empty for none."""
        ...

    def open(self, body: bytes) -> bytes:
        """Decrypts a frame; returns its flags (one byte) and its payload, empty if it is not authentic."""
        ...

    def seal(self, flags: int, payload: bytes) -> bytes:
        """Encrypts flags and payload into a frame."""
        ...


def greeting(mechanism: bytes, *, server: bool) -> bytes:
    """Returns the 64 bytes with which each end of a connection begins.

    Args:
        mechanism: name of the mechanism, such as NULL.
        server: whether this end is the server of the mechanism.
    """
    signature = b"\xff" + bytes(8) + b"\x7f"
    return signature + b"\x03\x00" + mechanism.ljust(20, b"\0") + bytes([server]) + bytes(31)


def command_body(name: bytes, data: bytes) -> bytes:
    """Returns the body of a command frame: the length of its name, its name, and its data."""
    return bytes([len(name)]) + name + data


def metadata(**properties: bytes) -> bytes:
    """Returns properties of a connection as the handshake carries them; `_` in a name stands for `-`."""
    return b"".join(
        command_body(name.replace("_", "-").encode(), struct.pack(">I", len(value)) + value)
        for name, value in properties.items()
    )


def socket_type(data: bytes) -> bytes:
    """Returns the property Socket-Type of a peer's metadata; empty if there is none."""
    at = 0
    while at + 1 < len(data):
        name_end = at + 1 + data[at]
        name, length = data[at + 1 : name_end], data[name_end : name_end + 4]
        if len(length) < 4:
            return b""
        at = name_end + 4 + int.from_bytes(length, "big")
        if name.lower() == b"socket-type":
            return data[name_end + 4 : at]
    return b""


def wrong_socket(data: bytes) -> str:
    """Returns why a peer with these metadata cannot be a controller; empty if it can."""
    kind = socket_type(data)
    return "" if kind == b"DEALER" else f"its socket is of the type {kind[:20]!r}, not DEALER"


def frame(flags: int, body: bytes) -> bytes:
    """Returns a frame: flags, length and body."""
    if len(body) < SHORTEST_LONG:
        return bytes([flags, len(body)]) + body
    return bytes([flags | LONG]) + struct.pack(">Q", len(body)) + body


class NullMechanism:
    """The mechanism without keys: see `Mechanism`."""

    name = b"NULL"
    overhead = 0
    sealed = False

    def __init__(self) -> None:
        self.ready = False
        self.fault = ""

    def answer(self, command: bytes) -> bytes:
        """Handles the peer's READY, which is the whole handshake."""
        if not command.startswith(b"\x05READY"):
            self.fault = "its handshake is not that of ZeroMQ"
            return b""
        self.fault = wrong_socket(command[6:])
        self.ready = not self.fault
        return command_body(b"READY", metadata(Socket_Type=b"ROUTER", Identity=b""))

    def open(self, body: bytes) -> bytes:
        """Returns the payload with empty flags."""
        return b"\0" + body

    def seal(self, flags: int, payload: bytes) -> bytes:
        """Returns the payload."""
        return payload


class Connection:
    """One accepted connection; never waits and never stores more than one buffer in each direction.

    Args:
        stream: connected socket, which this object owns from now on.
        peer: routing id by which the robot knows this connection.
        mechanism: handshake and encryption of this connection.
        now_ns: time of the monotonic clock [ns].

    Attributes:
        peer: the routing id.
        payload: the message of the last step with the result `MESSAGE`.
        opened_ns: time at which the connection was accepted [ns].
        gone: whether the connection has ended.
        steps: steps that were taken in this period, by whoever reads the connection.
        has_more: whether more had come in this period than was read.
        waits: whether it is not polled until the next period.
        greedy: number of periods in a row in which it was read and there was more.
    """

    def __init__(self, stream: socket.socket, peer: bytes, mechanism: Mechanism, now_ns: int) -> None:
        self.peer = peer
        self.payload = b""
        self.opened_ns = now_ns
        self.gone = False
        self.steps = self.greedy = 0
        self.has_more = self.waits = False
        self._stream = stream
        self._mechanism = mechanism
        self._greeted = False
        self._fault = ""
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        self._in_kernel = bytearray(struct.calcsize("i"))
        self._unsent = b""
        self._put(greeting(mechanism.name, server=mechanism.sealed))

    def fileno(self) -> int:
        """Returns the file descriptor, for a poller."""
        return self._stream.fileno()

    @property
    def ready(self) -> bool:
        """Whether the handshake is complete."""
        return self._mechanism.ready

    @property
    def fault(self) -> str:
        """Why the connection must be ended, as the end of a sentence; empty if it may go on."""
        return self._fault or self._mechanism.fault

    def renew(self) -> None:
        """Begins a period. Hot path."""
        if self.has_more:
            self.greedy += 1
        elif not self.waits:
            self.greedy = 0
        self.has_more = False
        self.steps = 0

    def end_early(self) -> None:
        """Notes whether anything that had come is left for the next period. Hot path.

        On a slow computer one packet may use up the time of a period; its sender has paused all the same.
        """
        fcntl.ioctl(self._stream, termios.FIONREAD, self._in_kernel)
        self.has_more = self._start < self._end or any(self._in_kernel)
        if not self.has_more:
            self.greedy = 0

    def receive(self) -> None:
        """Reads once what the kernel holds, as far as the buffer has room. Hot path."""
        if self._start:
            left = self._end - self._start
            self._view[:left] = self._view[self._start : self._end]
            self._start, self._end = 0, left
        try:
            count = self._stream.recv_into(self._view[self._end :])
        except BlockingIOError:
            return
        except OSError:
            count = 0
        self.gone = count == 0
        self._end += count

    def step(self) -> int:
        """Handles the greeting, one command or one message of the buffer. Hot path.

        Returns:
            INCOMPLETE, STEP or MESSAGE.
        """
        if self._fault or self._mechanism.fault:
            return INCOMPLETE
        if not self._greeted:
            return self._greet()
        buffer, start = self._buffer, self._start
        have = self._end - start
        if have < 2:
            return INCOMPLETE
        flags, size, head = buffer[start], buffer[start + 1], 2
        if flags & LONG:
            if have < 9:
                return INCOMPLETE
            size, head = int.from_bytes(buffer[start + 1 : start + 9], "big"), 9
        if not self._may_come(flags, size):
            return INCOMPLETE
        if have < head + size:
            return INCOMPLETE
        body = bytes(self._view[start + head : start + head + size])
        self._start += head + size
        if not self._mechanism.ready:
            self._shake_hands(flags, body)
            return STEP
        return self._take(flags, body)

    def _greet(self) -> int:
        if self._end < GREETING_BYTES:
            if self._end and (self._buffer[0] != 0xFF or (self._end > 9 and self._buffer[9] != 0x7F)):
                self._fault = "it does not speak ZeroMQ's protocol"
            return INCOMPLETE
        head = bytes(self._view[:GREETING_BYTES])
        self._start, self._greeted = GREETING_BYTES, True
        mechanism = head[12:32].rstrip(b"\0")
        if head[0] != 0xFF or head[9] != 0x7F or head[10] < 3:
            self._fault = "it does not speak ZeroMQ's protocol ZMTP 3"
        elif mechanism != self._mechanism.name:
            needed = self._mechanism.name.decode()
            self._fault = f"it uses the security mechanism {mechanism!r}, but this robot uses {needed}"
        return STEP

    def _may_come(self, flags: int, size: int) -> bool:
        """Checks the head of a frame, before its body is received."""
        most = wire.MAX_BYTES + self._mechanism.overhead
        if size > most:
            self._fault = f"it sent a message of {size} bytes, and at most {most} are allowed"
        elif flags & MORE:
            self._fault = "it sent a message in several parts"
        elif flags & ~(LONG | COMMAND):
            self._fault = "it sent a frame with unknown flags"
        return not self._fault

    def _shake_hands(self, flags: int, body: bytes) -> None:
        if not flags & COMMAND:
            self._fault = "it sent a message before the handshake was complete"
            return
        answer = self._mechanism.answer(body)
        if self.fault:
            reason = self.fault.encode()[:200]
            answer = command_body(b"ERROR", bytes([len(reason)]) + reason)
        if answer:
            self._put(frame(COMMAND, answer))

    def _take(self, flags: int, body: bytes) -> int:
        if self._mechanism.sealed:
            plain = self._mechanism.open(body)
            if not plain or flags & COMMAND:
                self._fault = "it sent a message that its key has not sealed"
                return INCOMPLETE
            # Inside an encrypted frame the bit 2 marks a command.
            body, flags = plain[1:], plain[0] & MORE | (plain[0] & LONG) << 1
            if not self._may_come(flags, len(body)):
                return INCOMPLETE
        if not flags & COMMAND:
            self.payload = body
            return MESSAGE
        if body.startswith(b"\x04PING"):
            self._send(COMMAND, command_body(b"PONG", body[7 : 7 + LONGEST_CONTEXT]))
        return STEP

    def send(self, payload: bytes) -> bool:
        """Sends a message at once; drops it if the peer does not read. Hot path.

        Returns:
            Whether the message was sent, as a whole or in part; the rest follows with the next one.
        """
        return self._mechanism.ready and self._send(0, payload)

    def _send(self, flags: int, body: bytes) -> bool:
        if self._unsent and not self._put(b""):
            return False
        if self._mechanism.sealed:
            body, flags = self._mechanism.seal(flags >> 1, body), 0
        return self._put(frame(flags, body))

    def _put(self, data: bytes) -> bool:
        """Hands bytes to the kernel, after those that it has not taken before; drops all or none."""
        waiting = self._unsent + data
        try:
            sent = self._stream.send(waiting)
        except BlockingIOError:
            return False
        except OSError:
            self.gone = True
            return False
        self._unsent = waiting[sent:]
        return not self._unsent or sent > len(waiting) - len(data)

    def close(self) -> None:
        """Ends the connection; what the kernel holds is still delivered."""
        self._view.release()
        self._stream.close()

    def address(self) -> str:
        """Returns who is at the other end: process and user on this computer, else network address."""
        try:
            if self._stream.family == socket.AF_UNIX:
                size = struct.calcsize("3i")
                credentials = self._stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
                process, user, _ = struct.unpack("3i", credentials)
                return f"process {process} of user {user}"
            host, port = self._stream.getpeername()[:2]
        except OSError:
            return "a peer that has left"
        return f"{host}:{port}"
