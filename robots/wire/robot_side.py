"""The robot's end of the wire protocol: who may command, which command counts, when to damp alone.

It knows no socket, no clock and no simulator: bytes come in, answers go out, and `tick` is called once a
period. A driver written in Python is this class between a socket and the motors.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, SensorRow, Vector
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.row_messages import CommandCodec, StateCodec, TruthRow

HOLD_TICKS = 3
WATCHDOG_TICKS = 20
ARMED_TICKS = 5000
MOST_PEERS = 8
SILENT_PEER_NS = 2_000_000_000
STATES_REMEMBERED = 64
ROUND_TRIPS_KEPT = 100_000
TRIP_PERCENTILES = (50.0, 99.0, 99.9)
TRUTH = "truth"
STOPPED = "stopped"

TakeCommand = Callable[[CommandRow, int], None]
TestSelf = Callable[[], str | None]


@dataclass
class Peer:
    """A controller that has been welcomed."""

    name: str
    wants_truth: bool
    heard_ns: int


@dataclass
class Counts:
    """What became of the packets that came in.

    Attributes:
        accepted: commands that were acted on.
        refused: what was no valid message, or a command from a peer or of an epoch without the lease.
        stale: commands whose number was not newer than the last one's, or that answer no recent state.
        late: commands past their deadline.
    """

    accepted: int = 0
    refused: int = 0
    stale: int = 0
    late: int = 0


class RobotSide:
    """State machine, leases and watchdog of a robot.

    Modes: standby (nobody commands), armed (a lease is given, its first command is awaited), active, and
    damping,
    which is latched: only a new `arm` that passes the self-test ends it. The lease is a number, the epoch,
    which
    grows with every grant and with every damping: a controller that was stopped and wakes up holds an old
    one.

    Args:
        robot: sizes and limits.
        identity: what every controller must agree with.
        take: called with each command that is accepted, and the number of the state it answers; the row is
            overwritten by the next.
        test_self: says why the robot must not be armed, or None.
        options: what a controller may ask for beside the protocol's core.

    Attributes:
        mode: one of `wire.STANDBY` and so on.
        epoch: of the lease in force, or of the last one.
        counts: of packets.
        silent_ticks: periods since the last accepted command.
        reason: why it damps.
        reason_kind: `STOPPED` where it was told to, else `damping`.
    """

    def __init__(
        self,
        robot: RobotModel,
        identity: wire.Identity,
        take: TakeCommand,
        test_self: TestSelf,
        options: tuple[str, ...] = (),
    ) -> None:
        self.mode = wire.STANDBY
        # Random, so that packets recorded before a restart carry no epoch of today; small enough for a signed
        # number, and for 2^15 centuries of leases.
        self.epoch = secrets.randbits(62) | 1 << 61
        self.counts = Counts()
        self.silent_ticks = 0
        self.reason = ""
        self.reason_kind = ""
        self.peers: dict[bytes, Peer] = {}
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
        self._states = StateCodec(robot)
        self._commands = CommandCodec(robot)
        self._row = robot.new_command_row()
        self._fresh = False

    @property
    def holder(self) -> str:
        """Who holds the lease; empty where nobody does."""
        return self.peers[self._holder].name if self._holder is not None else ""

    @property
    def held_share(self) -> float:
        """How much of the last command counts: 1 while fresh, from 3 ms of silence falling to 0 at 20 ms."""
        fading = (self.silent_ticks - HOLD_TICKS) / (WATCHDOG_TICKS - HOLD_TICKS)
        return min(1.0, max(0.0, 1.0 - fading))

    def handle(self, peer: bytes, payload: bytes, now_ns: int) -> bytes | None:
        """Takes in one packet; hot path for commands.

        Args:
            peer: who sent it, as the transport knows it.
            payload: anything.
            now_ns: the robot's monotonic clock.

        Returns:
            What to answer, if anything.
        """
        message = wire.unpack(payload)
        if message is None:
            self.counts.refused += 1
            version = wire.foreign_version(payload)
            if version is None:
                return None
            text = f"the robot speaks version {wire.VERSION}, the controller version {version}"
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
            # From anyone that the transport lets in: stopping needs no lease.
            self.damp(f"by {values[0]}" if values[0] else "by somebody", STOPPED)
            return wire.pack("stopped")
        if known is None or kind not in ("arm", "disarm", "heartbeat"):
            self.counts.refused += 1
            return wire.pack("refused", "hello", "say hello first") if kind == "arm" else None
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
        if ticks * self._period_us > deadline_us:
            counts.late += 1
            return
        if not self._commands.read(values, self._row):
            counts.refused += 1
            return
        self._last_seq = seq
        self._fresh = True
        self.mode = wire.ACTIVE
        counts.accepted += 1
        self._trip_us[self._trips % ROUND_TRIPS_KEPT] = (now_ns - self._sent_ns[slot]) * 1e-3
        self._trips += 1
        self._take(self._row, state_seq)

    def _hello(self, peer: bytes, values: tuple[object, ...], now_ns: int) -> bytes:
        difference = self._identity.difference(wire.identity_at(values, 1))
        if difference is not None:
            return wire.pack("refused", *difference)
        if peer not in self.peers and len(self.peers) >= MOST_PEERS:
            # Whoever has been silent for longest makes room; never the one that commands.
            others = (name for name in self.peers if name != self._holder)
            del self.peers[min(others, key=lambda name: self.peers[name].heard_ns)]
        options = values[7]
        assert isinstance(options, tuple)
        granted = tuple(option for option in options if option in self._options)
        self.peers[peer] = Peer(str(values[0]), TRUTH in granted, now_ns)
        return wire.pack("welcome", *self._identity.packed(), self.mode, granted)

    def _arm(self, peer: bytes) -> bytes:
        if peer == self._holder and self.mode == wire.ARMED:
            # It asked again before our first answer came; another epoch would cross its first command.
            return wire.pack("armed", self.epoch)
        if self.mode in (wire.ARMED, wire.ACTIVE):
            return wire.pack("refused", "lease", f"'{self.holder}' commands this robot")
        problem = self._test_self()
        if problem is not None:
            return wire.pack("refused", "self-test", problem[: wire.MAX_TEXT])
        self.epoch += 1
        self._holder = peer
        self._last_seq = 0
        self.silent_ticks = 0
        self.mode = wire.ARMED
        self.reason = ""
        self.counts = Counts()
        self._trips = 0
        return wire.pack("armed", self.epoch)

    def _disarm(self, peer: bytes, epoch: int) -> bytes | None:
        if peer != self._holder or epoch != self.epoch:
            self.counts.refused += 1
            return None
        self._release(wire.STANDBY, "the controller has let go")
        counts = self.counts
        trip = self.round_trip_us()
        return wire.pack(
            "disarmed", counts.accepted, counts.refused, counts.stale + counts.late, trip.tobytes()
        )

    def round_trip_us(self) -> Vector:
        """p50, p99, p99.9 of the time from a state sent to its command taken [us]; empty before any."""
        taken = min(self._trips, ROUND_TRIPS_KEPT)
        return np.percentile(self._trip_us[:taken], TRIP_PERCENTILES) if taken else np.zeros(0)

    def damp(self, reason: str, kind: str = "damping") -> None:
        """Damps now, and until a new `arm`; whoever held the lease has lost it."""
        if self.mode != wire.DAMPING:
            self.reason_kind = kind
            self._release(wire.DAMPING, reason)

    def stand_by(self, reason: str) -> None:
        """Takes the lease back; for whoever has put the robot back on its feet."""
        self._release(wire.STANDBY, reason)

    def _release(self, mode: int, reason: str) -> None:
        self.mode = mode
        self.reason = reason
        self.epoch += 1
        self._holder = None

    def tick(self) -> None:
        """One period has passed; called after its packets were handled. Hot path."""
        self._tick += 1
        self.silent_ticks = 0 if self._fresh else self.silent_ticks + 1
        self._fresh = False
        if self.mode == wire.ACTIVE and self.silent_ticks >= WATCHDOG_TICKS:
            self.damp(f"no command for {WATCHDOG_TICKS} periods")
        elif self.mode == wire.ARMED and self.silent_ticks >= ARMED_TICKS:
            self._release(wire.STANDBY, "armed, but no command came")

    def state(self, sensors: SensorRow, now_ns: int) -> bytes:
        """The state message of this period; gives it the next number. Hot path."""
        self._state_seq += 1
        slot = self._state_seq % STATES_REMEMBERED
        self._tick_of[slot] = self._tick
        self._sent_ns[slot] = now_ns
        return self._states.pack(self.epoch, self._state_seq, now_ns, self.mode, sensors)

    @property
    def state_seq(self) -> int:
        """Number of the newest state."""
        return self._state_seq

    def truth(self, row: TruthRow) -> bytes:
        """The truth that belongs to the next state message."""
        return wire.pack(TRUTH, self._state_seq + 1, row.data.data)

    def forget_silent(self, now_ns: int) -> None:
        """Drops peers that have said nothing for 2 s."""
        for peer, known in list(self.peers.items()):
            if now_ns - known.heard_ns > SILENT_PEER_NS and peer != self._holder:
                del self.peers[peer]
