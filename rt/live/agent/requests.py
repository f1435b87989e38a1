"""Requests of clients: checked, handed to the loop one after the other, and followed until they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kilohertz.controller.behaviours.base import BehaviourError
from kilohertz.controller.supervision.request import RequestRow, make_request
from kilohertz.controller.supervision.supervisor import ACTIVE, ARMED
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.command_mailbox import CommandMailbox, Status
from kilohertz.rt.loop.trace import STATES

DONE = 2
_READY = (STATES.index(ARMED), STATES.index(ACTIVE))
MOST_WAITING = 4
UNCHECKED = "cannot be checked"
"""What is said of a request whose check fails."""

Send = Callable[[bytes, bytes], None]
"""Sends a packet to the client with a routing id."""


class RefusedRequestError(Exception):
    """Raised for a request that cannot be carried out; the message is one sentence."""


def not_ready(status: Status) -> str:
    """Returns why the controller takes no commands, one sentence; "" if it takes them."""
    if status.state in _READY:
        return ""
    reason = f": {status.text}" if status.text else ""
    return wire.sentence(f"the controller takes no commands, its state is {STATES[status.state]}{reason}")


def parsed(text: str) -> dict[str, Any]:
    """Returns the parameters of a request.

    Args:
        text: a JSON object; "" for no parameters.

    Raises:
        RefusedRequestError: the text is something else.
    """
    if not text:
        return {}
    try:
        value = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise RefusedRequestError(f"the parameters are not JSON: {error}") from None
    if type(value) is not dict:
        raise RefusedRequestError("the parameters are not a JSON object of names and values")
    return value


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name is there twice")
    return content


@dataclass(frozen=True)
class _Waiting:
    """A request that was not checked yet: its client, its number there, the behaviour and its parameters."""

    peer: bytes
    id: int
    client: str
    behaviour: str
    parameters: str


@dataclass
class _Posted:
    """A request that was handed to the loop.

    Attributes:
        number: its number for the loop.
        request: the request as the client sent it.
        behaviour: number of the behaviour.
        taken_s: time of the first report in which the loop had taken it [s]; None before.
    """

    number: int
    request: _Waiting
    behaviour: int
    taken_s: float | None = None


class Requests:
    """The requests of all clients, and what became of them.

    Args:
        robot: the robot.
        mailbox: shared memory to the loop.
        send: sends answers to the clients.
    """

    def __init__(self, robot: RobotModel, mailbox: CommandMailbox, send: Send) -> None:
        self._robot, self._mailbox, self._send = robot, mailbox, send
        self._waiting: list[_Waiting] = []
        self._posted: _Posted | None = None
        self._running: _Posted | None = None
        self._number = 0

    def add(self, peer: bytes, client: str, values: tuple[Any, ...]) -> str:
        """Stores a request until it is checked.

        Args:
            peer: routing id of the client, which holds the lease.
            client: name of the client.
            values: number, behaviour and parameters of the request.

        Returns:
            Why the request is refused, one sentence; "" if it is stored.
        """
        if len(self._waiting) >= MOST_WAITING:
            return f"{MOST_WAITING} requests already wait to be checked: wait for their answers first"
        self._waiting.append(_Waiting(peer, values[0], client, values[1], values[2]))
        return ""

    @property
    def is_busy(self) -> bool:
        """Whether a request waits to be checked, or to be taken by the loop."""
        return self._posted is not None or bool(self._waiting)

    def gone(self, peer: bytes) -> None:
        """Forgets what was not handed to the loop yet of a client that has left."""
        self._waiting = [one for one in self._waiting if one.peer != peer]

    def refuse_others(self, holder: bytes | None, why: str) -> None:
        """Refuses the requests that wait of all clients but one.

        Args:
            holder: routing id of that client, which holds the lease.
            why: the reason, one sentence.
        """
        for one in [one for one in self._waiting if one.peer != holder]:
            self._waiting.remove(one)
            self._send(one.peer, wire.pack("refused", one.id, why))

    def advance(self, status: Status) -> None:
        """Tells the clients what became of their requests, and hands the next one to the loop.

        At most one request is checked in a call: that may take 10 ms, or 100 ms to plan a motion of an arm.
        """
        posted = self._posted
        if posted is not None and status.taken >= posted.number:
            self._posted = None
            if self._running is not None:
                request = posted.request
                self._end(f"replaced by '{request.behaviour}' of '{request.client}'")
            self._running, posted.taken_s = posted, status.t_s
            self._send(posted.request.peer, wire.pack("accepted", posted.request.id))
        self._follow(status)
        if self._posted is None and self._waiting:
            self._check_next(status)

    def _follow(self, status: Status) -> None:
        running = self._running
        if running is None or running.taken_s is None:
            return
        if status.abandoned >= running.number:
            self._end(status.text or "another command replaced it")
        elif status.state not in _READY:
            self._end(not_ready(status))
        # The report of the tick that takes a request may still be that of the behaviour before it.
        elif (
            status.behaviour_state == DONE
            and status.behaviour == running.behaviour
            and status.t_s > running.taken_s
        ):
            self._send(running.request.peer, wire.pack("done", running.request.id))
            self._running = None

    def _end(self, why: str) -> None:
        running, self._running = self._running, None
        if running is not None:
            request = running.request
            self._send(request.peer, wire.pack("abandoned", request.id, wire.sentence(why)))

    def _check_next(self, status: Status) -> None:
        request = self._waiting.pop(0)
        try:
            row = self._checked(request, status)
        except RefusedRequestError as error:
            self._send(request.peer, wire.pack("refused", request.id, wire.sentence(str(error))))
            return
        # An agent before this one may have sent requests too.
        self._number = max(self._number, status.taken) + 1
        self._posted = _Posted(self._number, request, int(row.behaviour[0]))
        self._mailbox.post_request(self._number, row)

    def _checked(self, request: _Waiting, status: Status) -> RequestRow:
        why = not_ready(status)
        if why:
            raise RefusedRequestError(why)
        parameters = parsed(request.parameters)
        try:
            # A target that is absurdly far away is refused in the end, with no warning on the way.
            with np.errstate(all="ignore"):
                return make_request(
                    self._robot, request.behaviour, parameters, status.t_s, start=status.joints
                )
        except (BehaviourError, ConfigError) as error:
            raise RefusedRequestError(str(error)) from None
        except Exception as error:  # a behaviour of another distribution may raise any exception
            what = f"{type(error).__name__}: {error}"
            raise RefusedRequestError(f"'{request.behaviour}' {UNCHECKED}: {what}") from None
