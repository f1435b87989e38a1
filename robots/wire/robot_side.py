"""The robot's end of the wire protocol: leases, checks of commands, and the watchdog that damps the robot.

This module uses no socket, clock or simulator: `handle` maps a packet to its answer, and `tick` is called
once per period. A driver written in Python connects this class to a socket and to the motors.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, SensorRow, Vector
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.envelope import (
    DAMPING_MARGIN_RAD,
    OLDEST_STATE_TICKS,
    Envelope,
    envelope_numbers,
)
from kilohertz.robots.wire.position_envelope import PositionEnvelope, position_numbers
from kilohertz.robots.wire.row_messages import CommandCodec, StateCodec, TruthRow

HOLD_TICKS, WATCHDOG_TICKS, ARMED_TICKS = 3, 20, 5000
"""Periods of one millisecond; a longer period counts as several."""
MOST_PEERS = 8
SILENT_PEER_NS = 2_000_000_000
STATES_REMEMBERED = 64
ROUND_TRIPS_KEPT = 100_000
TRIP_PERCENTILES = (50.0, 99.0, 99.9)
TRUTH, WATCH, WRIST = "truth", "watch", "wrist"
MOST_WATCHERS = 2
STOPPED = "stopped"

TakeCommand = Callable[[CommandRow, int], None]
TestSelf = Callable[[], str | None]
Send = Callable[[bytes, bytes], None]


@dataclass
class Peer:
    """A controller whose handshake has succeeded.

    Attributes:
        name: name that the controller gave in its `hello`.
        wants_truth: whether the controller is sent the true state of a simulated robot.
        heard_ns: monotonic time of its last packet [ns].
        watches: whether the controller only watches: it gets no lease, and a copy of each accepted command.
        wants_wrist: whether the controller is sent the values of the wrist sensors.
    """

    name: str
    wants_truth: bool
    heard_ns: int
    watches: bool = False
    wants_wrist: bool = False


@dataclass
class Counts:
    """Counts of the packets received since the last lease was granted.

    Attributes:
        accepted: commands that were accepted.
        refused: packets that were not valid messages, and commands from a peer without the lease, with
            another epoch, or with values out of range.
        stale: commands whose number was not above that of the last command, or that answer no recent state.
        late: commands that were received after their deadline.
    """

    accepted: int = 0
    refused: int = 0
    stale: int = 0
    late: int = 0


class RobotSide:
    """State machine, leases and watchdog of a robot.

    Modes: standby (no controller holds the lease), armed (a lease is granted and its first command is
    awaited), active, and damping. Damping is latched: only a new `arm` that passes the self-test ends it. A
    lease is identified by a number, its epoch, which increases with every grant and every damping. A
    controller that was suspended and resumes therefore sends an old epoch, and its commands are refused.

    Args:
        robot: model with the sizes and limits.
        identity: identity that every controller must agree with.
        take: called with each accepted command and the number of the state that it answers; the row is
            overwritten by the next command.
        test_self: returns the reason why the robot must not be armed, or None.
        options: optional features that a controller may request.
        cycle_s: time from one torque of the motors to the next [s]; by default the control period.

    Attributes:
        envelope: limits of commands and torques, which no controller can leave.
        mode: `wire.STANDBY`, `wire.ARMED`, `wire.ACTIVE` or `wire.DAMPING`.
        epoch: epoch of the current lease, or of the last one.
        counts: counts of received packets.
        silent_ticks: periods since the last accepted command.
        peers: controllers whose handshake has succeeded, by routing id.
        reason: why the mode last changed to standby or damping; empty while armed or active.
        send: sends a payload to a peer by its routing id; needed for copies of commands, to those that watch.
        reason_kind: `STOPPED` if a controller commanded the stop, else `damping`.
    """

    def __init__(
        self,
        robot: RobotModel,
        identity: wire.Identity,
        take: TakeCommand,
        test_self: TestSelf,
        options: tuple[str, ...] = (),
        cycle_s: float | None = None,
    ) -> None:
        period_s = cycle_s or identity.dt_s
        self.envelope: Envelope | PositionEnvelope
        if robot.servo is None:
            self.envelope = Envelope(envelope_numbers(robot, period_s))
        else:
            self.envelope = PositionEnvelope(position_numbers(robot, period_s))
        self.mode = wire.STANDBY
        # Random, so that packets recorded before a restart do not carry a valid epoch. It fits a signed
        # 64-bit integer with enough room for 2^15 centuries of leases.
        self.epoch = secrets.randbits(62) | 1 << 61
        self.counts = Counts()
        self.silent_ticks = 0
        self.reason = ""
        self.reason_kind = ""
        self.peers: dict[bytes, Peer] = {}
        self.send: Send | None = None
        self._identity = identity
        self._take = take
        self._test_self = test_self
        self._options = options
        self._holder: bytes | None = None
        self._last_seq = 0
        self._state_seq = 0
        self._tick = 0
        self._tick_of = [0] * STATES_REMEMBERED
        self._sent_ns = [0] * STATES_REMEMBERED
        self._trip_us = np.zeros(ROUND_TRIPS_KEPT)
        self._trips = 0
        self._period_us = identity.dt_s * 1e6
        self._period_ms = max(1, round(1e-3 * self._period_us))
        self._states = StateCodec(robot)
        self._commands = CommandCodec(robot)
        self._row = robot.new_command_row()
        self._fresh = False

    @property
    def holder(self) -> str:
        """Name of the controller that holds the lease; empty if no controller holds it."""
        return self.peers[self._holder].name if self._holder is not None else ""

    @property
    def lease_holder(self) -> bytes | None:
        """Routing id of the controller that holds the lease; None if no controller holds it."""
        return self._holder

    @property
    def held_share(self) -> float:
        """Weight of the last command: 1 until 3 periods of silence, then linearly to 0 at 20 periods."""
        fading = (self.silent_ticks * self._period_ms - HOLD_TICKS) / (WATCHDOG_TICKS - HOLD_TICKS)
        return min(1.0, max(0.0, 1.0 - fading))

    def handle(self, peer: bytes, payload: bytes, now_ns: int) -> bytes | None:
        """Handles one received packet; hot path for commands.

        Args:
            peer: routing id of the sender.
            payload: received bytes, valid or not.
            now_ns: time of the robot's monotonic clock [ns].

        Returns:
            The answer to send to the peer; None if the packet needs no answer.
        """
        message = wire.unpack(payload)
        if message is None:
            self.counts.refused += 1
            version = wire.foreign_version(payload)
            if version is None:
                return None
            text = f"the robot uses protocol version {wire.VERSION}, the controller uses version {version}"
            return wire.pack("refused", "protocol", text)
        kind, values = message
        known = self.peers.get(peer)
        if known is not None:
            known.heard_ns = now_ns
        if kind == "command":
            self._command(peer, values, now_ns)
            return None
        if kind == "hello":
            return self._hello(peer, values, now_ns)
        if kind == "stop":
            # Any peer that the transport lets in may stop the robot; a stop needs no lease.
            self.damp(f"stopped by {values[0]}" if values[0] else "stopped by a peer without a name", STOPPED)
            return wire.pack("stopped")
        if known is None or kind not in ("arm", "disarm", "heartbeat"):
            self.counts.refused += 1
            if kind != "arm":
                return None
            return wire.pack("refused", "hello", "the handshake is missing: send `hello` before `arm`")
        if kind == "arm":
            return self._arm(peer)
        if kind == "disarm":
            return self._disarm(peer, values[0])
        return None

    def _command(self, peer: bytes, values: tuple[int, ...], now_ns: int) -> None:
        epoch, seq, state_seq, deadline_us = values[:4]
        counts = self.counts
        if peer != self._holder or epoch != self.epoch or self.mode not in (wire.ARMED, wire.ACTIVE):
            counts.refused += 1
            return
        age = self._state_seq - state_seq
        if seq <= self._last_seq or not 0 <= age < STATES_REMEMBERED:
            counts.stale += 1
            return
        slot = state_seq % STATES_REMEMBERED
        ticks = self._tick - self._tick_of[slot]
        if ticks * self._period_ms > OLDEST_STATE_TICKS or ticks * self._period_us > deadline_us:
            counts.late += 1
            return
        if not self._commands.read(values, self._row):
            counts.refused += 1
            return
        if not self.envelope.admit(self._row):
            counts.refused += 1
            self.damp(self.envelope.reason)
            return
        self._last_seq = seq
        self._fresh = True
        self.mode = wire.ACTIVE
        counts.accepted += 1
        trip_us = (now_ns - self._sent_ns[slot]) * 1e-3
        self._trip_us[self._trips % ROUND_TRIPS_KEPT] = trip_us
        self._trips += 1
        if self.send is not None:
            for name, known in self.peers.items():
                if known.watches:
                    self.send(name, wire.pack("watched", state_seq, trip_us, *values[4:9]))
        self._take(self._row, state_seq)

    def _hello(self, peer: bytes, values: tuple[object, ...], now_ns: int) -> bytes:
        difference = self._identity.difference(wire.identity_at(values, 1))
        if difference is not None:
            return wire.pack("refused", *difference)
        options = values[7]
        assert isinstance(options, tuple)
        watches = WATCH in options
        if peer == self._holder and (self.mode == wire.ACTIVE or values[0] != self.holder or watches):
            # The holder greeted before it armed: this is another peer, to which ZeroMQ gave its routing id.
            self._lose_holder()
        if watches and self._no_room_to_watch(peer):
            return wire.pack("refused", WATCH, "too many peers of this robot watch or command already")
        if peer not in self.peers and len(self.peers) >= MOST_PEERS:
            # Forget the peer that has been silent for longest, but never the holder of the lease.
            others = (name for name in self.peers if name != self._holder)
            del self.peers[min(others, key=lambda name: self.peers[name].heard_ns)]
        granted = tuple(option for option in options if option in (*self._options, WATCH))
        self.peers[peer] = Peer(str(values[0]), TRUTH in granted, now_ns, watches, WRIST in granted)
        return wire.pack("welcome", *self._identity.packed(), self.mode, granted)

    def _no_room_to_watch(self, peer: bytes) -> bool:
        """Checks whether a peer must not watch: one that watches never displaces another peer."""
        others = [known for name, known in self.peers.items() if name != peer]
        return len(others) >= MOST_PEERS or sum(known.watches for known in others) >= MOST_WATCHERS

    def _arm(self, peer: bytes) -> bytes:
        if self.peers[peer].watches:
            return wire.pack(
                "refused", "lease", "this peer asked to watch only: greet without `watch` to arm"
            )
        if peer == self._holder and self.mode == wire.ARMED:
            # The holder repeated its request before it received the first answer. A new epoch would make its
            # first command invalid.
            return wire.pack("armed", self.epoch)
        if self.mode in (wire.ARMED, wire.ACTIVE):
            name = self.holder or "a controller that has disconnected"
            return wire.pack("refused", "lease", f"'{name}' already commands this robot")
        problem = self._test_self()
        if problem is not None:
            return wire.pack("refused", "self-test", problem[: wire.MAX_TEXT])
        self.epoch += 1
        self._holder = peer
        self._last_seq = 0
        self.silent_ticks = 0
        self.mode = wire.ARMED
        self.envelope.enter()
        self.reason = ""
        self.counts = Counts()
        self._trips = 0
        return wire.pack("armed", self.epoch)

    def _disarm(self, peer: bytes, epoch: int) -> bytes | None:
        if peer != self._holder or epoch != self.epoch:
            self.counts.refused += 1
            return None
        self._release(wire.STANDBY, "the controller gave the lease back")
        counts = self.counts
        trip = self.round_trip_us()
        return wire.pack(
            "disarmed", counts.accepted, counts.refused, counts.stale + counts.late, trip.tobytes()
        )

    def round_trip_us(self) -> Vector:
        """Percentiles of the time from sending a state to accepting its command.

        Returns:
            (3,) p50, p99 and p99.9 [us]; an empty array before the first command.
        """
        taken = min(self._trips, ROUND_TRIPS_KEPT)
        return np.percentile(self._trip_us[:taken], TRIP_PERCENTILES) if taken else np.zeros(0)

    def damp(self, reason: str, kind: str = "damping") -> None:
        """Starts damping, which lasts until the next successful `arm`, and revokes the lease.

        Args:
            reason: reason for the damping, as text for people.
            kind: `STOPPED` if a controller commanded the stop, else `damping`.
        """
        if self.mode != wire.DAMPING:
            self.reason_kind = kind
            self._release(wire.DAMPING, reason)

    def limit(self, tau: Vector, q: Vector, v: Vector) -> None:
        """Brings the torques of one cycle of the motors into the envelope, in place; hot path.

        For position servos see `limit_positions`.

        While the robot is active, torques that only a wrong controller demands start damping.

        Args:
            tau: (na,) torques that the motors would apply, gravity included [Nm].
            q: (na,) measured positions of the joints [rad].
            v: (na,) measured velocities of the joints [rad/s].
        """
        envelope = self.envelope
        assert isinstance(envelope, Envelope)
        if self.mode == wire.ACTIVE:
            envelope.limit(tau, q, v, self._row)
            if envelope.reason:
                self.damp(envelope.reason)
        else:
            envelope.limit(tau, q, v, None, DAMPING_MARGIN_RAD if self.mode == wire.DAMPING else 0.0)

    def limit_positions(self, q_des: Vector, q: Vector) -> None:
        """Brings the positions of one cycle of position servos into the envelope, in place; hot path.

        While the robot is active, positions that only a wrong controller demands start damping, which for
        servos means to hold.

        Args:
            q_des: (na,) positions that the servos would be sent [rad].
            q: (na,) measured positions of the joints [rad].
        """
        envelope = self.envelope
        assert isinstance(envelope, PositionEnvelope)
        envelope.limit_positions(q_des, q, self.mode == wire.ACTIVE)
        if envelope.reason and self.mode == wire.ACTIVE:
            self.damp(envelope.reason)

    def stand_by(self, reason: str) -> None:
        """Revokes the lease and returns to standby, as after the robot has been put back on its feet."""
        self._release(wire.STANDBY, reason)

    def gone(self, peer: bytes) -> None:
        """Forgets a peer that has disconnected; no later peer with its routing id has its lease.

        Args:
            peer: routing id of the peer, known or not.
        """
        self.peers.pop(peer, None)
        if peer == self._holder:
            self._lose_holder()

    def _lose_holder(self) -> None:
        if self.mode == wire.ARMED:
            self._release(wire.STANDBY, "the controller disconnected before its first command")
        # While active, the watchdog damps the robot as smoothly as after any other silence.
        self._holder = None

    def _release(self, mode: int, reason: str) -> None:
        self.mode = mode
        self.reason = reason
        self.epoch += 1
        self._holder = None

    def tick(self, missed: int = 0) -> None:
        """Advances the watchdog by one period, after the packets of the period were handled. Hot path.

        Args:
            missed: number of periods before this one in which the robot's loop did not run. The last
                command acts in them too, so that the watchdog counts them.
        """
        self._tick += 1
        self.silent_ticks = 0 if self._fresh else self.silent_ticks + 1 + missed
        self._fresh = False
        if self.mode == wire.ACTIVE and self.silent_ticks * self._period_ms >= WATCHDOG_TICKS:
            self.damp(f"no command was accepted for {WATCHDOG_TICKS // self._period_ms} periods")
        elif self.mode == wire.ARMED and self.silent_ticks * self._period_ms >= ARMED_TICKS:
            self._release(
                wire.STANDBY,
                f"armed, but no command was received for {ARMED_TICKS // self._period_ms} periods",
            )

    def state(self, sensors: SensorRow, now_ns: int) -> bytes:
        """Packs the state message of this period with the next state number. Hot path.

        Args:
            sensors: measured values of this period.
            now_ns: time of the robot's monotonic clock [ns].
        """
        self._state_seq += 1
        slot = self._state_seq % STATES_REMEMBERED
        self._tick_of[slot] = self._tick
        self._sent_ns[slot] = now_ns
        return self._states.pack(self.epoch, self._state_seq, now_ns, self.mode, sensors)

    @property
    def state_seq(self) -> int:
        """Number of the newest state message."""
        return self._state_seq

    def truth(self, row: TruthRow) -> bytes:
        """Packs the true state that belongs to the next state message."""
        return wire.pack(TRUTH, self._state_seq + 1, row.data.data)

    def wrist(self, sensors: SensorRow) -> bytes:
        """Packs the values of the wrist sensors that belong to the next state message. Hot path."""
        return wire.pack(WRIST, self._state_seq + 1, sensors.wrist.data)

    def forget_silent(self, now_ns: int) -> None:
        """Forgets peers that have sent nothing for 2 s, except the holder of the lease."""
        for peer, known in list(self.peers.items()):
            if now_ns - known.heard_ns > SILENT_PEER_NS and peer != self._holder:
                del self.peers[peer]
