"""The controller's end of the command channel: clients, the lease, requests, streams and stops.

This module uses no socket and no clock: `handle` maps a packet to its answer, and `advance` is called once
per cycle of the agent.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kilohertz.controller.behaviours.registry import behaviours_of
from kilohertz.controller.gains.schema import StreamGains
from kilohertz.controller.supervision.request import behaviour_id
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.agent.controller_clock import ControllerClock
from kilohertz.rt.live.agent.descriptions import described
from kilohertz.rt.live.agent.lease import Lease
from kilohertz.rt.live.agent.requests import Requests, not_ready
from kilohertz.rt.live.agent.stream_intake import StreamIntake
from kilohertz.rt.live.agent.stream_limits import StreamLimits
from kilohertz.rt.live.command_mailbox import DAMP, SOFT_STOP, CommandMailbox, Status
from kilohertz.rt.loop.trace import STATES

MOST_CLIENTS = 16
IDLE_CLIENT_NS = 2_000_000_000
"""Time without a message after which a client may be replaced by a new one if there are too many [ns]."""
TELL_NS = 1_000_000_000
"""Shortest time between two events about dropped samples to the same client [ns]."""
STREAMS = "streams"
"""Name by which the limits of the streams are asked for."""
PHASES = ("waiting", "running", "done")

Send = Callable[[bytes, bytes], None]
"""Sends a packet to the client with a routing id; drops it if the client does not read, or has left."""


@dataclass
class Client:
    """A client whose handshake has succeeded.

    Attributes:
        name, role: name and role that it gave in its `hello`.
        heard_ns: monotonic time of its last message [ns].
        told_ns: monotonic time of the last event about a dropped sample [ns].
    """

    name: str
    role: str
    heard_ns: int
    told_ns: int = -TELL_NS


class ControlSide:
    """State of the command channel: what clients send becomes requests, streams and stops in the mailbox.

    Args:
        robot: the robot.
        mailbox: shared memory to the loop.
        send: sends a packet to a client that did not ask for it.
        slow_motion: factor by which the controller's clock is slower than that of the computer.
        gains: gains of the streams, which contain their limits.

    Attributes:
        peers: clients whose handshake has succeeded, by routing id.
        lease: the lease.
        streams: intake of streams.
        malformed: number of packets that were no valid messages.
    """

    def __init__(
        self,
        robot: RobotModel,
        mailbox: CommandMailbox,
        send: Send,
        slow_motion: int = 1,
        gains: StreamGains | None = None,
    ) -> None:
        self.peers: dict[bytes, Client] = {}
        self.lease = Lease()
        self._limits = StreamLimits(robot, gains if gains is not None else StreamGains())
        self.streams = StreamIntake(robot, self._limits)
        self.malformed = 0
        self._robot, self._mailbox, self._send = robot, mailbox, send
        self._requests = Requests(robot, mailbox, send)
        self._clock = ControllerClock(slow_motion)
        self._status: Status | None = None
        self._text = ""
        self._streams_changed = False
        self._behaviours = {
            behaviour_id(name): name
            for name, kind in behaviours_of(robot).items()
            if (robot.floating or kind.fixed_base)
            and len(robot.hands) >= kind.least_hands
            and (robot.wrists or not kind.feels)
        }
        self._handlers = {
            "hello": self._hello,
            "clock": self._clock_question,
            "keepalive": self._keepalive,
            "request": self._request,
            "stream": self._stream,
            "release": self._release,
            "take": self._take,
            "give": self._give,
            "ask": self._ask,
            "describe": self._describe,
        }

    @property
    def lease_holder(self) -> bytes | None:
        """Routing id of the client that holds the lease; None if no client holds it."""
        return self.lease.holder

    def handle(self, peer: bytes, payload: bytes, now_ns: int) -> bytes | None:
        """Handles a packet.

        Args:
            peer: routing id of the client.
            payload: the packet, any bytes.
            now_ns: time on CLOCK_MONOTONIC [ns].

        Returns:
            The answer to this client; None for no answer.
        """
        message = wire.unpack(payload)
        if message is None:
            return self._refuse_malformed(payload)
        kind, values = message
        if kind == "stop":
            self._mailbox.post_stop(DAMP if values[1] == wire.DAMP else SOFT_STOP)
            return wire.pack("stopped", values[0])
        handler = self._handlers.get(kind)
        if handler is None:
            return self._refuse_malformed(payload)
        client = self.peers.get(peer)
        if client is not None:
            client.heard_ns = now_ns
            self.lease.heard(peer, now_ns)
        elif kind != "hello":
            return wire.pack("refused", _id_of(kind, values), wire.UNKNOWN)
        return handler(peer, values, now_ns)

    def _refuse_malformed(self, payload: bytes) -> bytes:
        self.malformed += 1
        why = wire.problem(payload) or "only the controller sends messages of this kind"
        return wire.pack("refused", 0, wire.sentence(why))

    def gone(self, peer: bytes) -> None:
        """Forgets a client whose connection has ended, and ends its lease."""
        self.peers.pop(peer, None)
        self._requests.gone(peer)
        if self.lease.gone(peer):
            self._lease_changed("nobody holds the lease: its holder has left")

    def advance(self, now_ns: int) -> None:
        """Ends a silent lease, passes on streams and requests, and tells clients what the loop reports.

        Args:
            now_ns: time on CLOCK_MONOTONIC [ns].
        """
        if self._streams_changed:
            self._mailbox.post_streams(self.streams.row)
            self._streams_changed = False
        status = self._mailbox.read_status()
        if status is not None:
            self._status = status
            self._clock.report(status.t_s, status.mono_ns)
            if status.text != self._text:
                self._text = status.text
                if status.text:
                    self.tell("remark", status.text)
        if self.lease.is_silent(now_ns):
            name = self.lease.name
            self.lease.end()
            self._lease_changed(f"nobody holds the lease: '{name}' was silent")
        if self._status is not None:
            self._requests.advance(self._status)

    @property
    def is_busy(self) -> bool:
        """Whether a request waits to be checked, or to be taken by the loop."""
        return self._requests.is_busy

    def tell(self, kind: str, text: str) -> None:
        """Tells all clients of an event.

        Args:
            kind: kind of the event, such as "remark".
            text: one sentence.
        """
        if self._status is None:
            return
        packet = wire.pack("event", self._status.t_s, kind, wire.sentence(text))
        for peer in self.peers:
            self._send(peer, packet)

    def _lease_changed(self, text: str) -> None:
        self.streams.restart()
        self._requests.refuse_others(self.lease.holder, wire.sentence(text))
        self.tell("lease", text)

    def _lease_problem(self, peer: bytes, now_ns: int, *, expressly: bool) -> str:
        """Gives the lease to a client; returns why it does not get it, one sentence, or ""."""
        client, before = self.peers[peer], self.lease.holder
        why = self.lease.take(peer, client.name, client.role, now_ns, expressly=expressly)
        if self.lease.holder != before:
            self._lease_changed(f"the {client.role} '{client.name}' holds the lease")
        return why

    # One method for each kind of message: it returns the answer, or None

    def _hello(self, peer: bytes, values: tuple[Any, ...], now_ns: int) -> bytes | None:
        name, role = values
        if self._status is None:
            return None  # the client asks again
        if peer == self.lease.holder and (name, role) != (self.lease.name, self.lease.role):
            self.lease.end()
            self._lease_changed("nobody holds the lease: its holder has begun anew")
        if peer not in self.peers and len(self.peers) >= MOST_CLIENTS and not self._make_room(now_ns):
            return wire.pack("refused", 0, f"{MOST_CLIENTS} clients are connected already: close one first")
        self.peers[peer] = Client(name, role, now_ns)
        robot = self._robot
        return wire.pack(
            "welcome",
            robot.name,
            robot.joint_names,
            robot.hand_names,
            robot.contact_names,
            tuple(self._behaviours.values()),
            wire.STREAMS,
            self._clock.now_s(now_ns),
            now_ns,
            self._clock.rate,
            self.lease.name,
        )

    def _make_room(self, now_ns: int) -> bool:
        """Forgets the client that has been silent for longest, if it does not hold the lease."""
        others = [peer for peer in self.peers if peer != self.lease.holder]
        oldest = min(others, key=lambda peer: self.peers[peer].heard_ns)
        if now_ns - self.peers[oldest].heard_ns < IDLE_CLIENT_NS:
            return False
        del self.peers[oldest]
        self._requests.gone(oldest)
        return True

    def _clock_question(self, peer: bytes, values: tuple[Any, ...], now_ns: int) -> bytes | None:
        now_s = self._clock.now_s(now_ns)
        return wire.pack("clocked", values[0], now_s, now_s)

    def _keepalive(self, peer: bytes, values: tuple[Any, ...], now_ns: int) -> bytes | None:
        return None

    def _request(self, peer: bytes, values: tuple[Any, ...], now_ns: int) -> bytes | None:
        why = self._lease_problem(peer, now_ns, expressly=True) or self._requests.add(
            peer, self.peers[peer].name, values
        )
        return wire.pack("refused", values[0], wire.sentence(why)) if why else None

    def _stream(self, peer: bytes, values: tuple[Any, ...], now_ns: int) -> bytes | None:
        status, client = self._status, self.peers[peer]
        why = not_ready(status) if status is not None else ""
        why = why or self._lease_problem(peer, now_ns, expressly=False)
        if why:
            self.streams.drop(why)
        else:
            why = self.streams.take(values, self._clock.now_s(now_ns))
            self._streams_changed |= not why
        if not why or status is None or now_ns - client.told_ns < TELL_NS:
            return None
        client.told_ns = now_ns
        return wire.pack("event", status.t_s, "dropped", wire.sentence(why))

    def _release(self, peer: bytes, values: tuple[Any, ...], now_ns: int) -> bytes | None:
        why = self._lease_problem(peer, now_ns, expressly=True) or self.streams.release(values[0])
        if why:
            return wire.pack("refused", 0, wire.sentence(why))
        self._streams_changed = True
        return None

    def _take(self, peer: bytes, values: tuple[Any, ...], now_ns: int) -> bytes | None:
        why = self._lease_problem(peer, now_ns, expressly=True)
        return (
            wire.pack("refused", values[0], wire.sentence(why)) if why else wire.pack("accepted", values[0])
        )

    def _give(self, peer: bytes, values: tuple[Any, ...], now_ns: int) -> bytes | None:
        if peer == self.lease.holder:
            self.lease.end()
            self._lease_changed(f"nobody holds the lease: '{self.peers[peer].name}' gave it back")
        return wire.pack("accepted", values[0])

    def _ask(self, peer: bytes, values: tuple[Any, ...], now_ns: int) -> bytes | None:
        status = self._status
        if status is None:
            return None
        streams = self.streams
        return wire.pack(
            "status",
            values[0],
            self._clock.now_s(now_ns),
            now_ns,
            STATES[status.state],
            self._behaviours.get(status.behaviour, ""),
            PHASES[status.behaviour_state],
            _block(*status.p_WB, status.yaw_rad),
            _block(*status.velocity),
            self.lease.name,
            self.lease.role,
            streams.received,
            streams.limited,
            streams.dropped,
            wire.sentence(streams.why_limited),
            wire.sentence(streams.why_dropped),
            wire.sentence(status.text),
        )

    def _describe(self, peer: bytes, values: tuple[Any, ...], now_ns: int) -> bytes | None:
        number, name = values
        text = json.dumps(self._limits.content()) if name == STREAMS else described(self._robot, name)
        if text is None:
            return wire.pack("refused", number, wire.sentence(f"there is no behaviour '{name}'"))
        return wire.pack("described", number, name, text)


def _block(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}d", *numbers)


def _id_of(kind: str, values: tuple[Any, ...]) -> int:
    """Returns the number of a client's question; 0 for a message without a number."""
    return int(values[0]) if "id" in wire.FIELDS[kind] else 0
