"""Passes what the user of the cockpit does to the command channel of the controller, in its own thread.

While a button is held, the page says so many times per second. The velocity is streamed only as long as it
does, and does so regularly (see `kilohertz.rt.view.hold_watch`): if the browser, the page or its connection
is gone or starved, the stream ends, and the controller stops the walk.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.rt.view.hold_watch import HoldWatch

STREAM_S = 0.02
CONNECT_AGAIN_S = 1.0
MESSAGES_KEPT = 6
SOFT, DAMP = "soft", "damp"
SLOW_PAGE = "the page was too slow to tell that the button is held: release it and press it again"
NO_CHANNEL = "no command channel: only `khz stop` stops the robot"

Velocity = tuple[float, float, float]
Pose = Mapping[str, Any]


class Control(Protocol):
    """What the cockpit uses of a connection to a controller; see `kilohertz.rt.view.control_link`."""

    def command(self, behaviour: str, parameters: Mapping[str, Any]) -> None:
        """Requests a behaviour; raises ConfigError if it is refused."""

    def stream(self, velocity: Velocity | None, hands: Mapping[str, Pose]) -> None:
        """Sends a velocity (forward, left, turn) [m/s, rad/s], if there is one, and targets of hands."""

    def stop(self, how: str) -> None:
        """Stops the robot: `soft`, or `damp` at once."""

    def news(self) -> list[str]:
        """Handles what has arrived, and returns it as sentences."""

    def close(self) -> None:
        """Ends the connection."""


@dataclass(frozen=True)
class _Request:
    """Something to do once, by the thread."""

    what: str
    act: Callable[[Control], None]


class Operator:
    """The user's connection to the controller; its methods can be called from any thread and do not wait.

    Args:
        connect: makes the connection, and raises LinkLostError or ConfigError if there is no controller.
    """

    def __init__(self, connect: Callable[[], Control]) -> None:
        self._connect = connect
        self._requests: queue.SimpleQueue[_Request] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._velocity: Velocity = (0.0, 0.0, 0.0)
        self._watch, self._warned = HoldWatch(), False
        self._hands: dict[str, Pose] = {}
        self._messages: deque[str] = deque(maxlen=MESSAGES_KEPT)
        self._connected = False
        self._ends = threading.Event()
        self._walks = False
        self._thread = threading.Thread(target=self._run, name="operator", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        """Whether the controller can be commanded."""
        return self._connected

    @property
    def messages(self) -> list[str]:
        """The latest messages, oldest first."""
        return list(self._messages)

    def request(self, behaviour: str, parameters: Mapping[str, Any]) -> None:
        """Requests a behaviour.

        Args:
            behaviour: its name.
            parameters: its parameters, named as in a scenario.
        """
        self._ask(behaviour, lambda control: control.command(behaviour, parameters))

    def stop(self, how: str = SOFT) -> None:
        """Stops the robot; what is held is let go.

        Args:
            how: SOFT to come to rest first, DAMP to damp the joints at once.
        """
        with self._lock:
            self._watch.release()
            self._hands.clear()
        self._ask("stop", lambda control: control.stop(how))

    def _ask(self, what: str, act: Callable[[Control], None]) -> None:
        if self._connected:
            self._requests.put(_Request(what, act))
        else:
            self._say(f"{what}: {NO_CHANNEL}")

    def hold(self, forward_m_s: float, left_m_s: float, turn_rad_s: float) -> None:
        """Walks with this velocity as long as this is called regularly; a single call moves nothing."""
        with self._lock:
            self._velocity = (forward_m_s, left_m_s, turn_rad_s)
            self._watch.keep_alive(time.monotonic())
            warned, self._warned = self._warned, self._watch.ended_late
            if self._warned and not warned:
                self._say(SLOW_PAGE)

    def hold_hand(self, name: str, target: Pose) -> None:
        """Moves a hand to a target, and keeps it there until `release_hands`.

        Args:
            name: name of the hand.
            target: target as in a stream, such as `p_WH_m` and `quaternion_WH`.
        """
        with self._lock:
            self._hands[name] = dict(target)

    def release_hands(self) -> None:
        """Moves the hands no further: they stay where they are."""
        with self._lock:
            self._hands.clear()

    def close(self) -> None:
        """Ends the connection and the thread."""
        self._ends.set()
        self._thread.join()

    def _say(self, text: str) -> None:
        self._messages.append(text)

    def _run(self) -> None:
        while not self._ends.is_set():
            try:
                control = self._connect()
            except (LinkLostError, ConfigError):
                self._ends.wait(CONNECT_AGAIN_S)
                continue
            self._connected = True
            try:
                self._serve(control)
            except LinkLostError as error:
                self._say(str(error))
            finally:
                self._connected = False
                control.close()

    def _serve(self, control: Control) -> None:
        while not self._ends.is_set():
            due_s = time.monotonic() + STREAM_S
            self._fulfil(control)
            velocity, hands = self._held()
            if velocity is not None or hands:
                control.stream(velocity, hands)
            for text in control.news():
                self._say(text)
            # A request is not kept waiting until the next sample is due.
            try:
                request = self._requests.get(timeout=max(0.0, due_s - time.monotonic()))
            except queue.Empty:
                continue
            self._do(request, control)

    def _held(self) -> tuple[Velocity | None, dict[str, Pose]]:
        """Returns what to stream now; after the last velocity comes one zero."""
        with self._lock:
            holds, velocity, hands = self._watch.holds(time.monotonic()), self._velocity, dict(self._hands)
        walked, self._walks = self._walks, holds
        return (velocity if holds else (0.0, 0.0, 0.0) if walked else None), hands

    def _fulfil(self, control: Control) -> None:
        while not self._requests.empty():
            self._do(self._requests.get(), control)

    def _do(self, request: _Request, control: Control) -> None:
        try:
            request.act(control)
        except ConfigError as error:
            self._say(f"{request.what} refused: {error}")
        else:
            self._say(f"{request.what} accepted")
