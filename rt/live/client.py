"""A client of a running controller: sends requests, streams and stops over the command channel.

All methods run in the calling thread. A client that streams also keeps its lease; one that holds the lease
without streaming or asking calls `keep_alive` at least every 0.4 s, or loses it after 0.5 s.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire.endpoint import KeyPair, check_endpoint
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.own_peer import require_own_peer
from kilohertz.robots.wire.silence import Patience
from kilohertz.robots.wire.sockets import controller_socket, has_come, new_context, receive, send
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.client_clock import ClientClock
from kilohertz.rt.live.control_status import ControlEvent, ControlStatus, status_of
from kilohertz.rt.live.stream_targets import StreamTargets

HELLO_AGAIN_S = 0.1
ALIVE_S = 0.2
PING_S = 0.5
MOST_UNANSWERED = 4
"""Number of unanswered questions about the clock after which the controller counts as lost."""
FIRST_PINGS = 5
ANSWER_S = 5.0
LINGER_MS = 200
LEAST_STEP_S = 1e-5
"""Least time between the stamps of two samples [s]."""
QUEUED = 256
"""Number of messages that wait to be sent while the controller does not read."""
EVENTS_KEPT = ENDS_KEPT = 200


class ControlClient:
    """A connection to a running controller.

    Args:
        endpoint: control endpoint of the controller, `ipc://PATH` or `tcp://HOST:PORT`.
        name: name of this client, shown to others; the process id if left out.
        role: `person` or `program`; a person takes over from a program.
        key: key pair of this client; None for an endpoint on this computer without keys.
        controller_key: public key of the controller in Z85; None for one without keys.
        timeout_s: time to wait for a controller to answer [s].

    Attributes:
        endpoint: the endpoint.
        robot: name of the robot.
        joints, hands, contacts: names of the robot's joints, hands and contacts.
        behaviours: names of the behaviours that can be requested.
        streams: names of the streams.
        clock: the controller's clock.
        events: the latest events, oldest first; take them out with `popleft`.
        unsent: number of samples that could not be sent, because the controller does not read.

    Raises:
        ConfigError: the endpoint cannot be used, or the controller refuses this client.
        LinkLostError: no controller answers.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        name: str = "",
        role: str = wire.PROGRAM,
        key: KeyPair | None = None,
        controller_key: str | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        if role not in wire.ROLES:
            raise ConfigError(f"role should be {' or '.join(wire.ROLES)}, not {role!r}")
        self.endpoint = endpoint
        self.events: deque[ControlEvent] = deque(maxlen=EVENTS_KEPT)
        self.clock = ClientClock()
        self.unsent = 0
        self._has_keys = key is not None and controller_key is not None
        self._answers: dict[int, tuple[str, tuple[Any, ...]]] = {}
        self._ends: dict[int, str] = {}
        self._welcome: tuple[Any, ...] | None = None
        self._number = 0
        self._unanswered = 0
        self._pinged_s = self._sent_s = self._stamped_s = -math.inf
        self._lost = ""
        self._refusal = ""
        check_endpoint(endpoint, keys=self._has_keys, bind=False)
        self._context = new_context(realtime=False)
        try:
            self._socket = controller_socket(
                self._context,
                endpoint,
                key,
                controller_key,
                most_bytes=wire.MOST_ANSWER_BYTES,
                queued=QUEUED,
            )
        except BaseException:
            self._context.term()
            raise
        try:
            self._begin(name or f"process {os.getpid()}", role, timeout_s)
        except BaseException:
            self.close()
            raise

    def _begin(self, name: str, role: str, timeout_s: float) -> None:
        """Says hello until the controller answers, and learns its clock."""
        hello = wire.pack("hello", wire.sentence(name, wire.LONGEST_NAME), role)
        patience, again_s = Patience(timeout_s), -math.inf
        while self._welcome is None:
            if patience.is_over():
                raise LinkLostError(f"no controller answers at {self.endpoint} within {timeout_s:g} s")
            if time.monotonic() >= again_s and send(self._socket, hello):
                again_s = time.monotonic() + HELLO_AGAIN_S
            self._receive_one()
            if self._refusal:
                raise ConfigError(f"{self.endpoint}: {self._refusal}")
        if not self._has_keys:
            require_own_peer(self.endpoint)
        robot, joints, hands, contacts, behaviours, streams, _, _, rate, _ = self._welcome
        self.robot: str = robot
        self.joints: tuple[str, ...] = joints
        self.hands: tuple[str, ...] = hands
        self.contacts: tuple[str, ...] = contacts
        self.behaviours: tuple[str, ...] = behaviours
        self.streams: tuple[str, ...] = streams
        self.clock.rate = rate
        for _ in range(FIRST_PINGS):
            self._ping()
            patience = Patience(ANSWER_S)
            while self._unanswered and not patience.is_over():
                self._receive_one()
        if self._unanswered:
            raise self._no_answer()

    # Receiving

    def _receive_one(self) -> bool:
        """Waits up to 1 ms for a message and handles it; returns whether there was one."""
        payload = receive(self._socket)
        if payload is None:
            return False
        message = wire.unpack(payload, wire.MOST_ANSWER_BYTES)
        if message is None:
            raise ConfigError(
                f"{self.endpoint}: this is not the command channel of a controller of this version: "
                f"{wire.problem(payload, wire.MOST_ANSWER_BYTES)}"
            )
        self._handle(*message)
        return True

    def _handle(self, kind: str, values: tuple[Any, ...]) -> None:
        if kind == "welcome":
            self._welcome = values
        elif kind == "clocked":
            self._unanswered = 0
            asked_s, received_s, sent_s = values
            self.clock.learn(asked_s, received_s, sent_s, time.monotonic())
        elif kind == "event":
            self.events.append(ControlEvent(*values))
        elif kind in ("done", "abandoned"):
            self._ends[values[0]] = values[1] if kind == "abandoned" else ""
            if len(self._ends) > ENDS_KEPT:
                del self._ends[next(iter(self._ends))]
        elif kind == "refused" and self._welcome is not None and values[1] == wire.UNKNOWN:
            self._lost = (
                f"the controller at {self.endpoint} does not know this client any more: connect again"
            )
        elif kind == "refused" and values[0] == 0:
            self._refusal = values[1]
            self.events.append(ControlEvent(self.now_s(), "refused", values[1]))
        else:
            self._answers[values[0]] = (kind, values)

    def poll(self) -> None:
        """Handles all messages that have arrived, without waiting, and keeps the clock up to date.

        Raises:
            LinkLostError: the controller does not answer any more.
        """
        while has_come(self._socket):
            self._receive_one()
        if time.monotonic() - self._pinged_s > PING_S:
            if self._unanswered >= MOST_UNANSWERED:
                self._lost = self._lost or str(self._no_answer())
            self._ping()
        if self._lost:
            raise LinkLostError(self._lost)

    def _ping(self) -> None:
        self._pinged_s = time.monotonic()
        self._unanswered += 1
        self._send(wire.pack("clock", self._pinged_s))

    def _send(self, packet: bytes) -> bool:
        self._sent_s = time.monotonic()
        return send(self._socket, packet)

    def _no_answer(self) -> LinkLostError:
        return LinkLostError(
            f"the controller at {self.endpoint} does not answer: its run has ended, or its process for "
            "commands has; `khz stop --connect` stops a robot at its own endpoint"
        )

    def _ask(self, kind: str, *values: Any, timeout_s: float = ANSWER_S) -> tuple[str, tuple[Any, ...]]:
        """Sends a question and waits for its answer.

        Raises:
            LinkLostError: no answer comes in time.
        """
        self._number += 1
        number = self._number
        packet = wire.pack(kind, number, *values)
        patience, sent = Patience(timeout_s), False
        while number not in self._answers:
            sent = sent or self._send(packet)
            if patience.is_over():
                raise self._no_answer()
            self._receive_one()
            self._stay_alive()
            if self._lost:
                raise LinkLostError(self._lost)
        return self._answers.pop(number)

    def _stay_alive(self) -> None:
        if time.monotonic() - self._sent_s > ALIVE_S:
            self._send(wire.pack("keepalive"))

    def _accepted(self, kind: str, *values: Any, timeout_s: float = ANSWER_S) -> int:
        answer, fields = self._ask(kind, *values, timeout_s=timeout_s)
        if answer == "refused":
            raise ConfigError(fields[1])
        number: int = fields[0]
        return number

    # What a client can do

    def now_s(self) -> float:
        """Returns the present time on the controller's clock [s]."""
        return self.clock.time_s(time.monotonic())

    def command(
        self, behaviour: str, parameters: Mapping[str, Any] | None = None, *, timeout_s: float = ANSWER_S
    ) -> int:
        """Requests a behaviour.

        Args:
            behaviour: name of the behaviour, such as `walk`.
            parameters: its parameters, named as in a scenario.
            timeout_s: time to wait for the answer [s].

        Returns:
            Number of the accepted request, for `wait_done`.

        Raises:
            ConfigError: the request is refused; one sentence.
            LinkLostError: the controller does not answer.
        """
        text = _json(behaviour, parameters or {})
        if len(text) > wire.LONGEST_PARAMETERS:
            raise ConfigError(
                f"the parameters of '{behaviour}' are longer than {wire.LONGEST_PARAMETERS} characters: send "
                "them in several requests"
            )
        return self._accepted(
            "request", wire.sentence(behaviour, wire.LONGEST_NAME), text, timeout_s=timeout_s
        )

    def wait_done(self, number: int, timeout_s: float = math.inf) -> str:
        """Waits until a request has ended, and keeps the lease meanwhile.

        Most behaviours go on until another one is requested; `bow` and `footsteps` end by themselves.

        Args:
            number: number of the request, from `command`.
            timeout_s: longest time to wait [s].

        Returns:
            Why it ended before it was done, one sentence; "" if it is done.

        Raises:
            TimeoutError: the request has not ended in this time.
            LinkLostError: the controller does not answer.
        """
        patience = Patience(timeout_s)
        while number not in self._ends:
            if patience.is_over():
                raise TimeoutError(f"the request has not ended within {timeout_s:g} s")
            self._receive_one()
            self.poll()
            self._stay_alive()
        return self._ends.pop(number)

    def stream(self, targets: StreamTargets, t_s: float | None = None) -> None:
        """Sends one sample of any of the streams; does not wait.

        Args:
            targets: the sample.
            t_s: time of the sample on the controller's clock, see `now_s` [s]; None for the present time.

        Raises:
            ConfigError: a name is unknown or a value has the wrong length.
            LinkLostError: the controller does not answer.
        """
        # The clock's offset is corrected now and then; stamps rise all the same.
        stamp_s = max(self.now_s(), self._stamped_s + LEAST_STEP_S) if t_s is None else t_s
        self._stamped_s = stamp_s
        self.unsent += not self._send(wire.pack("stream", *targets.packed(stamp_s, self.joints)))
        self.poll()

    def release(self, *streams: str) -> None:
        """Takes streams out of use: the behaviour alone moves the robot again.

        Args:
            streams: names of the streams; all of them if left out.

        Raises:
            ConfigError: there is no such stream.
            LinkLostError: the controller does not answer.
        """
        for name in streams:
            if name not in self.streams:
                raise ConfigError(f"there is no stream '{name}'; there are {', '.join(self.streams)}")
        self._send(wire.pack("release", streams))
        self.poll()

    def take(self) -> None:
        """Takes the lease, also back from a program that took it over.

        Raises:
            ConfigError: another client holds it; one sentence.
            LinkLostError: the controller does not answer.
        """
        self._accepted("take")

    def give(self) -> None:
        """Gives the lease back; the streams end as if this client were silent.

        Raises:
            LinkLostError: the controller does not answer.
        """
        self._accepted("give")

    def stop(self, how: str = wire.SOFT, reason: str = "") -> None:
        """Stops the robot; needs no lease.

        Args:
            how: `soft`: the robot comes to rest first; `damp`: its joints are damped at once.
            reason: reason, for people.

        Raises:
            ConfigError: `how` is something else.
            LinkLostError: the controller does not answer.
        """
        if how not in wire.STOPS:
            raise ConfigError(f"how should be {' or '.join(wire.STOPS)}, not {how!r}")
        self._ask("stop", how, wire.sentence(reason))

    def status(self) -> ControlStatus:
        """Asks the controller what it does.

        Raises:
            LinkLostError: the controller does not answer.
        """
        _, fields = self._ask("ask")
        return status_of(fields)

    def describe(self, behaviour: str) -> dict[str, Any]:
        """Returns the JSON schema of the parameters of a behaviour; of `streams`, the limits of all streams.

        Raises:
            ConfigError: there is no such behaviour.
            LinkLostError: the controller does not answer.
        """
        answer, fields = self._ask("describe", wire.sentence(behaviour, wire.LONGEST_NAME))
        if answer == "refused":
            raise ConfigError(fields[1])
        schema: dict[str, Any] = json.loads(fields[2])
        return schema

    def keep_alive(self) -> None:
        """Keeps the lease and handles all messages that have arrived.

        Raises:
            LinkLostError: the controller does not answer any more.
        """
        self._send(wire.pack("keepalive"))
        self.poll()

    def close(self) -> None:
        """Ends the connection, and with it the lease."""
        if not self._socket.closed:
            self._socket.close(LINGER_MS)
            self._context.term()

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _json(behaviour: str, parameters: Mapping[str, Any]) -> str:
    try:
        return json.dumps(parameters, default=_plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the parameters of '{behaviour}' cannot be sent: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{value!r} is neither a number nor text, list or dict")


def stop_controller(
    endpoint: str,
    how: str,
    reason: str,
    *,
    key: KeyPair | None = None,
    controller_key: str | None = None,
    timeout_s: float = ANSWER_S,
) -> None:
    """Makes a running controller stop its robot; this needs neither lease nor handshake.

    Args:
        endpoint: control endpoint of the controller.
        how: `soft`: the robot comes to rest first; `damp`: its joints are damped at once.
        reason: reason, for people.
        key: key pair of this client; needed for a controller on another computer.
        controller_key: public key of the controller; needed for a controller on another computer.
        timeout_s: time to wait for the answer [s].

    Raises:
        ConfigError: the endpoint cannot be used.
        LinkLostError: no controller answers.
    """
    has_keys = key is not None and controller_key is not None
    check_endpoint(endpoint, keys=has_keys, bind=False)
    context = new_context(realtime=False)
    try:
        socket = controller_socket(context, endpoint, key, controller_key, most_bytes=wire.MOST_ANSWER_BYTES)
        try:
            patience, sent = Patience(timeout_s), False
            while True:
                sent = sent or send(socket, wire.pack("stop", 1, how, wire.sentence(reason)))
                payload = receive(socket)
                message = wire.unpack(payload, wire.MOST_ANSWER_BYTES) if payload is not None else None
                if message is not None and message[0] == "stopped":
                    break
                if patience.is_over():
                    raise LinkLostError(
                        f"no controller answers at {endpoint} within {timeout_s:g} s: it is not stopped; "
                        "`khz stop --connect` stops a robot at its own endpoint"
                    )
            if not has_keys:
                require_own_peer(endpoint)
        finally:
            socket.close(0)
    finally:
        context.term()
