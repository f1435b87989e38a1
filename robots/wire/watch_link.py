"""Link of a controller that only watches: it receives the robot's states and never sends a command."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import zmq

from kilohertz.robots.model.rows import CommandRow, SensorRow
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.robot_side import WATCH
from kilohertz.robots.wire.row_messages import CommandCodec
from kilohertz.robots.wire.zmq_link import HEARTBEAT_S, POLL_S, Between, ZmqLink

COMMANDER_S = 60.0
"""Time for which a watching controller waits for one that commands the robot [s]."""
SILENT_MS = 1000
"""Time without a state after which the link is lost [ms]: nothing depends on a controller that watches."""

Watched = Callable[[int, float, CommandRow], None]


class WatchLink(ZmqLink):
    """Receives the states of a robot that another controller commands.

    The handshake asks for the option `watch`. A robot that grants it never lets this peer arm it, and sends
    it a copy of each command that it accepts from the controller that commands it. Another robot ignores the
    option; it sends the states all the same, and no copies. In both cases this end sends nothing but `hello`
    and heartbeats.

    Args:
        arguments: arguments of `ZmqLink`.
        watched: called with the number of the answered state, the round trip from this state to the command
            [us] and the command, for each command that the robot accepts. The row is overwritten by the next.
        options: further arguments of `ZmqLink`.

    Attributes:
        waits: whether it waits for a controller that commands the robot.
        over: whether the robot is no longer commanded: its controller has left, or it damps.
    """

    # In lockstep the robot does not wait for one that watches, so that its states have to.
    _queue = 20_000

    def __init__(self, *arguments: Any, watched: Watched, **options: Any) -> None:
        self.waits = self.over = False
        super().__init__(*arguments, silent_ms=options.pop("silent_ms", SILENT_MS), **options)
        self._options += (WATCH,)
        self._in_order = not self._predicts
        self._watched = watched
        self._copied = CommandCodec(self.robot)
        self._command = self.robot.new_command_row()
        self._beat_s = 0.0

    def arm(self, timeout_s: float = COMMANDER_S, between: Between | None = None) -> None:
        """Waits until another controller commands the robot; asks for nothing.

        Args:
            timeout_s: time to wait for it [s].
            between: called repeatedly while waiting.

        Raises:
            LinkLostError: nobody commands the robot within `timeout_s`, or no robot answers.
        """
        self.connect(between=between)
        self._taken_t_s = np.nan
        self.waits = True
        try:
            self._wait(lambda: self._mode in (wire.ARMED, wire.ACTIVE), timeout_s, "", between)
        except LinkLostError:
            raise LinkLostError(
                f"{self.endpoint}: nobody commands the robot: none armed it within {timeout_s:g} s"
            ) from None
        finally:
            self.waits = False

    def read(self, sensors: SensorRow) -> bool:
        """Waits for a new state and fills the row. Hot path.

        In lockstep each state is read, in order; else the newest one. No sample is predicted.

        Returns:
            False if no state was received for `silent_ms`, or three states in a row were refused; the
            attribute `lost_because` says which.
        """
        if not self._taken_seq:
            self._silence.start()
        while True:
            if self._state_seq > self._taken_seq:
                self._taken_seq = self._state_seq
                self._silence.broken()
                self.over = self._mode not in (wire.ARMED, wire.ACTIVE)
                if self.over or self._is_news(float(self._row.t_s[0])):
                    sensors.data[:] = self._row.data
                    sensors.seq[0] = self._state_seq
                    return True
            if self.refused.in_a_row >= 3:
                return self._lost("")
            self._beat()
            if not self._receive_next() and self._silence.goes_on():
                return self._lost(f"no state was received from the robot for {self._silence.limit_ms} ms")

    def _receive_next(self) -> bool:
        """Handles the next payload, or outside lockstep all that were received; returns False for none."""
        payload = self._receive()
        if payload is None:
            return False
        until_s = time.monotonic() + POLL_S
        while payload is not None:
            self.take_in(payload)
            if self._in_order or time.monotonic() >= until_s:
                return True
            payload = self._receive(zmq.NOBLOCK)
        return True

    def _beat(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._beat_s:
            self._beat_s = now_s + HEARTBEAT_S
            self._send(wire.pack("heartbeat"))

    def take_in(self, payload: bytes) -> None:
        """Handles one received payload, also the copy of a command. Hot path."""
        message = wire.unpack(payload)
        if message is None or message[0] != "watched":
            super().take_in(payload)
            return
        values = message[1]
        # A command that is converted to the driver's motors is not comparable with one for the joints.
        if self._driver is None and self._copied.read((0, 0, *values), self._command):
            self._watched(values[0], values[1], self._command)

    def write(self, command: CommandRow) -> None:
        """Does nothing: the command of a controller that only watches is not sent."""
