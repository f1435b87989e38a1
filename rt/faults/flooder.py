"""Peers that misbehave at a robot's endpoint, each in a process of its own: floods and idle connections.

They send the bytes of ZeroMQ's protocol themselves: its library never sends a part before the last one.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.zmtp import COMMAND, MORE, command_body, frame, greeting, metadata
from kilohertz.rt.faults.own_process import start_call

IDLE_CONNECTIONS = 2000
AT_ONCE = 64
AGAIN_S = 0.001
KINDS: dict[str, bytes] = {
    "junk": frame(0, b"\x93\x01\xa4junk\x00"),
    "valid heartbeats": frame(0, wire.pack("heartbeat")),
    "big messages": frame(0, b"\xdc\x0f\xf0" + b"\x01" * 4080),
    "messages that are too long": frame(0, bytes(10 * wire.MAX_BYTES)),
    "endless messages in parts": frame(MORE, bytes(4000)),
    "idle connections": b"",
}
"""What each kind of peer sends again and again."""
_OPENING = greeting(b"NULL", server=False) + frame(
    COMMAND, command_body(b"READY", metadata(Socket_Type=b"DEALER"))
)


def main(kind: str, path: str) -> None:
    """Misbehaves at the ipc endpoint with this path until the process is ended.

    Args:
        kind: one of `KINDS`.
        path: path of the endpoint.
    """
    print("ready", flush=True)
    if kind == "idle connections":
        _idle(path)
    while True:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as peer:
            peer.connect(path)
            peer.sendall(_OPENING)
            while True:
                peer.sendall(KINDS[kind] * AT_ONCE)
        time.sleep(AGAIN_S)


def _idle(path: str) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 2 * IDLE_CONNECTIONS), most))
    peers: list[socket.socket] = []
    while len(peers) < IDLE_CONNECTIONS:
        try:
            peer = socket.socket(socket.AF_UNIX)
            peer.connect(path)
            peers.append(peer)
        except OSError:
            time.sleep(AGAIN_S)
    while True:
        time.sleep(3600.0)


@contextmanager
def flooding(kind: str, path: str, peers: int) -> Iterator[None]:
    """Runs peers of one kind for the duration of a `with` block.

    Args:
        kind: one of `KINDS`.
        path: path of the robot's ipc endpoint.
        peers: number of processes.
    """
    with ExitStack() as stack:
        for _ in range(peers):
            process = start_call(__name__, f"main({kind!r}, {path!r})")
            stack.callback(process.communicate)
            stack.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
        yield
