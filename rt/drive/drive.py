"""Turns what is held on a keyboard or a gamepad into commands to a running controller."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.rt.drive.gamepad import Sticks, of_sticks
from kilohertz.rt.drive.held_keys import HeldKeys
from kilohertz.rt.drive.key_decoder import CTRL_C, CTRL_D, KeyEvent
from kilohertz.rt.drive.speeds import FASTEST_M_S, SLOWEST_M_S, STEP_M_S, STILL, Velocity, of_keys
from kilohertz.rt.live.control_messages import SOFT
from kilohertz.rt.live.control_status import ControlEvent, ControlStatus
from kilohertz.rt.live.stream_targets import StreamTargets

PERIOD_S = 0.02
"""Period of the stream while something is held [s]."""
TRAIL_S = 0.3
"""Time for which the velocity zero is streamed after a release [s]: one sample may be lost."""
KEEP_ALIVE_S = 0.2
STATUS_S = 0.1
TOLD = 4
"""Number of the latest events that are kept for the screen."""
SPEED_M_S = 0.4
Request = tuple[str, dict[str, float]]
_ONE_KEY: dict[str, dict[str, float]] = {
    "sway": {"amplitude_m": 0.02, "period_s": 2.0},
    "squat": {"depth_m": 0.05, "period_s": 2.0},
    "bow": {"angle_rad": 0.2, "period_s": 3.0},
    "sit": {},
}
"""Behaviours that one key requests, with parameters that suit a small robot as well."""
_NOT_BY_KEY = ("damp", "stand", "reach", "circle", "walk", "footsteps")


class Commander(Protocol):
    """The methods of a client that driving uses; see `kilohertz.rt.live.client.ControlClient`."""

    events: deque[ControlEvent]

    def stream(self, targets: StreamTargets, t_s: float | None = None) -> None:
        """Sends one sample of streams."""
        ...

    def command(self, behaviour: str, parameters: Mapping[str, Any] | None = None) -> int:
        """Requests a behaviour."""
        ...

    def stop(self, how: str, reason: str) -> None:
        """Stops the robot."""
        ...

    def give(self) -> None:
        """Gives the lease back."""
        ...

    def keep_alive(self) -> None:
        """Keeps the lease."""
        ...

    def status(self) -> ControlStatus:
        """Asks for the status."""
        ...

    def poll(self) -> None:
        """Handles the messages that have arrived."""
        ...


class Drive:
    """A person who drives the robot of a running controller.

    The robot moves only while a key, or a shoulder button of the gamepad, is held. The first command takes
    the lease, which is kept until `g` gives it back or the connection ends.

    Args:
        client: connection to the controller, in the role of a person.
        behaviours: behaviours that the keys 1 to 9 request, with their parameters.
        sticks: returns the positions of the gamepad, or None while none is connected; None without gamepad.
        speed_m_s: speed forward at the beginning [m/s].

    Attributes:
        keys: keys that are held.
        speed_m_s: speed forward [m/s].
        velocity: velocity that is being asked for.
        status: newest status of the controller; None before the first.
        told: the latest events, oldest first, as (time on the controller's clock [s], sentence).
        over: whether the run has ended because of the key `x`.
    """

    def __init__(
        self,
        client: Commander,
        behaviours: Sequence[Request] = (),
        sticks: Callable[[], Sticks | None] | None = None,
        speed_m_s: float = SPEED_M_S,
    ) -> None:
        self.keys = HeldKeys()
        self.speed_m_s = speed_m_s
        self.velocity = STILL
        self.status: ControlStatus | None = None
        self.told: deque[tuple[float, str]] = deque(maxlen=TOLD)
        self.over = False
        self._client, self._sticks = client, sticks
        self._behaviours = dict(zip("123456789", behaviours, strict=False))
        self._stopping = False
        self._moved_s = self._sent_s = self._asked_s = -math.inf

    def step(self, now_s: float, events: Iterable[KeyEvent]) -> None:
        """Handles what was pressed and released, and sends what follows from it; call it every PERIOD_S.

        Args:
            now_s: present time, of any steady clock [s].
            events: events of the keyboard since the last call.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed.
            LinkLostError: the controller does not answer any more.
        """
        try:
            for event in events:
                if self.keys.update(event, now_s):
                    self._pressed(event.key)
            self._drive(now_s)
            if now_s - self._asked_s >= STATUS_S:
                self._asked_s = now_s
                self.status = self._client.status()
        except LinkLostError:
            if not self._stopping:
                raise
            self.over = True
        while self._client.events:
            event_told = self._client.events.popleft()
            self.told.append((event_told.t_s, event_told.text))

    def _drive(self, now_s: float) -> None:
        sticks = self._sticks() if self._sticks is not None else None
        if sticks is not None and sticks.held:
            self.velocity = of_sticks(sticks, self.speed_m_s)
        else:
            self.velocity = of_keys(self.keys.held(now_s), self.speed_m_s)
        if self.velocity != STILL:
            self._moved_s = now_s
        if now_s - self._moved_s <= TRAIL_S:
            self._client.stream(targets(self.velocity))
            self._sent_s = now_s
        elif now_s - self._sent_s >= KEEP_ALIVE_S:
            self._client.keep_alive()
            self._sent_s = now_s
        else:
            self._client.poll()

    def _pressed(self, key: str) -> None:
        """Does what a key means that has just been pressed, unless it is one that drives."""
        client = self._client
        if key in (CTRL_C, CTRL_D):
            raise KeyboardInterrupt
        try:
            if key == " ":
                self.keys.clear()
                client.command("stand")
            elif key == "x":
                client.stop(SOFT, "khz drive")
                self._stopping = True
            elif key == "g":
                self.keys.clear()
                client.give()
            elif key in "+=":
                self.speed_m_s = round(min(self.speed_m_s + STEP_M_S, FASTEST_M_S), 3)
            elif key in "-_":
                self.speed_m_s = round(max(self.speed_m_s - STEP_M_S, SLOWEST_M_S), 3)
            elif key in self._behaviours:
                client.command(*self._behaviours[key])
        except ConfigError as error:
            self._tell(str(error))

    def _tell(self, text: str) -> None:
        self.told.append((self.status.t_s if self.status is not None else 0.0, text))


def targets(velocity: Velocity) -> StreamTargets:
    """Returns the sample of the stream of velocities.

    Args:
        velocity: velocity that is asked for.
    """
    return StreamTargets(
        velocity_m_s=(velocity.forward_m_s, velocity.left_m_s), yaw_rate_rad_s=velocity.turn_rad_s
    )


class Describing(Protocol):
    """The part of a client that lists behaviours."""

    behaviours: tuple[str, ...]

    def describe(self, behaviour: str) -> dict[str, Any]:
        """Returns the JSON schema of the parameters of a behaviour."""
        ...


def behaviours_by_key(client: Describing) -> list[Request]:
    """Returns the behaviours that one key requests: some of the package, and those that need no parameters.

    Args:
        client: connection to the controller.

    Raises:
        LinkLostError: the controller does not answer.
    """
    known = [(name, values) for name, values in _ONE_KEY.items() if name in client.behaviours]
    others = [name for name in client.behaviours if name not in (*_ONE_KEY, *_NOT_BY_KEY)]
    return known + [(name, {}) for name in others if not client.describe(name).get("required")]
