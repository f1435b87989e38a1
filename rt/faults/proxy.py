"""Forwards packets between controllers and a robot, and injects link faults on the way."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import zmq

from kilohertz.robots.wire.sockets import new_context

Delivery = tuple[float, bytes]
"""Delay after which a payload is forwarded [s], and the payload."""
Rule = Callable[[bytes], Iterable[Delivery]]
"""Fault rule: maps a payload to no, one or several deliveries."""

_WAIT_MS = 1


def forward(payload: bytes) -> Iterable[Delivery]:
    """Forwards a payload unchanged (no fault)."""
    return ((0.0, payload),)


def drop(payload: bytes) -> Iterable[Delivery]:
    """Drops a payload, like a cut cable."""
    return ()


class Duplicate:
    """Delivers a share of the packets twice; the copy is delayed, and so arrives out of order.

    Args:
        share: share of the packets that are duplicated, 0 to 1.
        delay_s: longest delay of a copy [s].
        seed: random seed.

    Attributes:
        copies: number of packets that were duplicated.
    """

    def __init__(self, share: float, delay_s: float, seed: int = 0) -> None:
        self._share, self._delay_s = share, delay_s
        self._rng = np.random.default_rng(seed)
        self.copies = 0

    def __call__(self, payload: bytes) -> Iterable[Delivery]:
        """Delivers the payload now, and a share of them once more later."""
        if self._rng.random() >= self._share:
            return ((0.0, payload),)
        self.copies += 1
        return ((0.0, payload), (self._delay_s * self._rng.random(), payload))


class Swap:
    """Swaps a share of the packets with the next one.

    Args:
        share: share of the packets that are held back, 0 to 1.
        seed: random seed.

    Attributes:
        swaps: number of packets that were held back.
    """

    def __init__(self, share: float, seed: int = 0) -> None:
        self._share = share
        self._rng = np.random.default_rng(seed)
        self._held: bytes | None = None
        self.swaps = 0

    def __call__(self, payload: bytes) -> Iterable[Delivery]:
        """Holds the payload back until the next one, or delivers it followed by the one held back."""
        if self._held is not None:
            held, self._held = self._held, None
            return ((0.0, payload), (0.0, held))
        if self._rng.random() >= self._share:
            return ((0.0, payload),)
        self.swaps += 1
        self._held = payload
        return ()

    @property
    def holds(self) -> bool:
        """Whether a packet is held back now."""
        return self._held is not None


class Edit:
    """Changes a given number of packets.

    Args:
        change: function that returns the changed payload.

    Attributes:
        left: number of packets that are still to be changed.
        changed: number of packets that were changed.
    """

    def __init__(self, change: Callable[[bytes], bytes]) -> None:
        self._change = change
        self.left = 0
        self.changed = 0

    def __call__(self, payload: bytes) -> Iterable[Delivery]:
        """Changes the payload if `left` is not 0, and delivers it."""
        if self.left:
            edited = self._change(payload)
            if edited != payload:
                self.left -= 1
                self.changed += 1
            return ((0.0, edited),)
        return ((0.0, payload),)


class Record:
    """Forwards packets and stores them for a replay.

    Args:
        most: number of packets to store; later ones are only forwarded.

    Attributes:
        seen: stored payloads.
    """

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self.seen: list[bytes] = []

    def __call__(self, payload: bytes) -> Iterable[Delivery]:
        """Stores the payload if there is room, and delivers it."""
        if len(self.seen) < self._most:
            self.seen.append(payload)
        return ((0.0, payload),)


class FaultProxy:
    """Forwards packets between a robot and its controllers in a separate thread; a context manager.

    Args:
        front: endpoint for the controllers.
        back: endpoint of the robot.

    Attributes:
        up: fault rule for packets from controllers to the robot.
        down: fault rule for packets from the robot to controllers.
    """

    def __init__(self, front: str, back: str) -> None:
        self.front = front
        self.up: Rule = forward
        self.down: Rule = forward
        self._back = back
        self._context = new_context(realtime=False)
        self._router = self._context.socket(zmq.ROUTER)
        self._router.bind(front)
        self._poller = zmq.Poller()
        self._poller.register(self._router, zmq.POLLIN)
        self._dealers: dict[bytes, Any] = {}
        self._peers: dict[Any, bytes] = {}
        self._waiting: list[tuple[float, int, Any, bytes]] = []
        self._count = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fault-proxy", daemon=True)

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        for socket in (self._router, *self._dealers.values()):
            socket.close(0)
        self._context.term()

    def _run(self) -> None:
        while not self._stopped.is_set():
            for socket, _ in self._poller.poll(_WAIT_MS):
                if socket is self._router:
                    self._forward_up()
                else:
                    self._forward_down(socket)
            now_s = time.monotonic()
            while self._waiting and self._waiting[0][0] <= now_s:
                _, _, target, payload = heapq.heappop(self._waiting)
                self._send(target, payload)

    def _forward_up(self) -> None:
        frames = self._router.recv_multipart()
        if len(frames) != 2:
            return
        peer, payload = frames
        if peer not in self._dealers:
            dealer = self._context.socket(zmq.DEALER)
            dealer.connect(self._back)
            self._poller.register(dealer, zmq.POLLIN)
            self._dealers[peer], self._peers[dealer] = dealer, peer
        self._deliver(self._dealers[peer], self.up(payload))

    def _forward_down(self, dealer: Any) -> None:
        payload = dealer.recv()
        self._deliver(self._peers[dealer], self.down(payload))

    def _deliver(self, target: Any, deliveries: Iterable[Delivery]) -> None:
        for delay_s, payload in deliveries:
            if delay_s <= 0.0:
                self._send(target, payload)
            else:
                self._count += 1
                heapq.heappush(self._waiting, (time.monotonic() + delay_s, self._count, target, payload))

    def _send(self, target: Any, payload: bytes) -> None:
        try:
            if isinstance(target, bytes):
                self._router.send_multipart((target, payload), zmq.NOBLOCK)
            else:
                target.send(payload, zmq.NOBLOCK)
        except zmq.Again:
            return
