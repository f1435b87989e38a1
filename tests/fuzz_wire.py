"""Fuzzes the code that reads the network, guided by coverage: decoder, handshake, lease, commands, states.

    python tests/fuzz_wire.py [SECONDS] [SEED]

Inputs are mutated packets, alone and in sequences; those that reach a new line of this code are kept and
mutated further. No input may raise an exception, and only valid messages of the protocol may be accepted:
each accepted one is packed again and must give a message with the same fields.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

sys.path.insert(0, str(Path(__file__).parent.parent))

import msgpack
import numpy as np

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.robot_side import RobotSide
from kilohertz.robots.wire.row_messages import CommandCodec, StateCodec, TruthRow, identity

WATCHED = (
    "robots/wire/messages.py",
    "robots/wire/strict_message.py",
    "robots/wire/row_messages.py",
    "robots/wire/robot_side.py",
)
LONGEST_SEQUENCE = 8
MOST_KEPT = 3000
TRACED_SHARE = 0.25
WORDS = (
    0,
    1,
    2,
    3,
    2**31,
    2**63,
    2**64 - 1,
    -1,
    0.0,
    -0.0,
    1e308,
    float("inf"),
    float("nan"),
    "",
    "x" * 501,
    True,
)


Reword = Callable[[bytes, random.Random], bytes]


class FoundError(Exception):
    """A violated rule; the packets that lead to it are added as a note."""


class Fed(Protocol):
    """What is fuzzed.

    Attributes:
        accepted: number of accepted commands.
    """

    accepted: int

    def feed(self, packets: list[bytes]) -> None:
        """Feeds packets, one after the other, to a new object; raises FoundError for a violated rule."""
        ...


class Target:
    """Feeds packets to a robot's side of the link and to a controller's reader.

    Attributes:
        accepted: number of accepted commands.
    """

    def __init__(self) -> None:
        self.robot = robot = RobotModel.load("ur5")
        self.identity = identity(robot, 1e-3)
        self.states, self.truth = StateCodec(robot), TruthRow(robot)
        self.sensors = robot.new_sensor_row()
        self.sensors.q[:] = robot.q_nominal
        self.low = robot.position_lower_rad - np.pi
        self.high = robot.position_upper_rad + np.pi
        self.accepted = 0
        self.renew()

    def renew(self) -> None:
        self.side = RobotSide(self.robot, self.identity, self._take, lambda: None, ("truth",))
        self.side.epoch = 1 << 61
        self.taken_seq = 0

    def _take(self, command, state_seq) -> None:
        self.accepted += 1
        if not np.isfinite(command.data).all():
            raise FoundError("a command that is not finite was accepted")
        if (np.abs(command.tau_ff) > 2.0 * self.robot.torque_limit_Nm).any() or (command.kp < 0.0).any():
            raise FoundError("a torque or gain out of range was accepted")
        if not ((command.q_des >= self.low) & (command.q_des <= self.high)).all():
            raise FoundError("a position out of range was accepted")
        if command.seq[0] <= self.taken_seq:
            raise FoundError("an old command was accepted")
        self.taken_seq = command.seq[0]

    def feed(self, packets: list[bytes]) -> None:
        """Feeds packets from one of two peers, with one period of the robot after each."""
        self.renew()
        for i, packet in enumerate(packets):
            peer = b"ab"[(len(packet) >> 3) % 2 :][:1]
            epoch = self.side.epoch
            answer = self.side.handle(peer, packet, i)
            if self.side.epoch < epoch:
                raise FoundError("the epoch of the lease went back")
            if self.side.epoch != epoch:
                self.taken_seq = 0
            if answer is not None and wire.unpack(answer) is None:
                raise FoundError("an answer is not a valid message")
            self._read(packet)
            self.side.tick()
            self.side.state(self.sensors, i)

    def _read(self, packet: bytes) -> None:
        message = wire.unpack(packet)
        if message is None:
            return
        if len(packet) > wire.MAX_BYTES:
            raise FoundError("a packet that is too long was accepted")
        kind, values = message
        if wire.unpack(wire.pack(kind, *values)) != message:
            raise FoundError("a message was accepted that differs when packed again")
        if kind == "state" and self.states.read(values, self.sensors):
            row = self.sensors
            # A torque or a force that is NaN is unknown.
            for measured in (row.seq, row.t_s, row.q, row.v, row.gyro, row.accel):
                if not np.isfinite(measured).all():
                    raise FoundError("a state that is not finite was accepted")
            if np.isinf(row.tau).any() or np.isinf(row.contact_force_N).any():
                raise FoundError("an infinite torque or force was accepted")
        if kind == "truth":
            self.truth.read(values)


def seeds(target: Target) -> list[list[bytes]]:
    """Returns valid packets, and valid sequences of handshake, arming and commands."""
    robot, epoch = target.robot, (1 << 61) + 1
    command = robot.new_command_row()
    command.q_des[:] = robot.q_nominal
    command.kp[:] = 1.0
    hello = wire.pack("hello", "fuzz", *target.identity.packed(), ("truth",))
    # The peer depends on the packet's length: vary the name's length until all packets have the same peer.
    arm = wire.pack("arm")
    commands = [CommandCodec.pack(epoch, i, i + 1, 10_000, command) for i in range(1, 4)]
    state = target.states.pack(epoch, 1, 0, wire.ACTIVE, target.sensors)
    alone = [wire.pack("heartbeat"), wire.pack("stop", "x"), wire.pack("disarm", epoch), state]
    alone += [wire.pack("truth", 1, target.truth.data.tobytes()), wire.pack("refused", "lease", "no")]
    talks = []
    for pad in range(16):
        greeting = wire.pack("hello", "f" * (1 + pad), *target.identity.packed(), ("truth",))
        talks.append([greeting, arm, *commands, wire.pack("disarm", epoch)])
    return [[hello], *talks, *[[packet] for packet in alone]]


def mutate(
    packets: list[bytes], corpus: list[list[bytes]], rng: random.Random, reword: Reword
) -> list[bytes]:
    """Returns a random modification of a kept input."""
    packets = list(packets)
    for _ in range(rng.choice((1, 1, 2, 4))):
        how = rng.randrange(6)
        if how == 0 and len(packets) < LONGEST_SEQUENCE:
            packets.insert(rng.randrange(len(packets) + 1), rng.choice(rng.choice(corpus)))
        elif how == 1 and len(packets) > 1:
            packets.pop(rng.randrange(len(packets)))
        elif how == 2:
            at = rng.randrange(len(packets))
            packets[at] = reword(packets[at], rng)
        else:
            at = rng.randrange(len(packets))
            packets[at] = bent(packets[at], rng)
    return packets


def reworded(packet: bytes, rng: random.Random, kinds: tuple[str, ...] = wire.KINDS) -> bytes:
    """Returns a packet with one changed message field."""
    try:
        fields = list(msgpack.unpackb(packet, use_list=False))
    except Exception:
        return packet
    if not fields:
        return packet
    at = rng.randrange(len(fields))
    field = fields[at]
    if isinstance(field, bytes) and field and rng.random() < 0.8:
        numbers = np.frombuffer(field[: len(field) // 8 * 8]).copy()
        if numbers.size:
            numbers[rng.randrange(numbers.size)] = rng.choice(
                (np.nan, np.inf, -np.inf, 1e300, -1e9, 5.0, 0.0)
            )
        field = numbers.tobytes()[: rng.choice((None, None, -8, -1))]
    elif isinstance(field, int) and rng.random() < 0.6:
        field = max(0, min(2**64 - 1, field + rng.choice((-1, 1, 2, 64))))
    else:
        field = rng.choice((*WORDS, rng.choice(kinds), rng.randbytes(rng.randrange(40)), (), ("a",) * 70))
    fields[at] = field
    if rng.random() < 0.1:
        fields.insert(at, rng.choice(WORDS))
    packed: bytes = msgpack.packb(fields)
    return packed


def bent(packet: bytes, rng: random.Random) -> bytes:
    """Returns a packet with changed, missing or repeated bytes."""
    data = bytearray(packet or b"\x90")
    how = rng.randrange(5)
    at = rng.randrange(len(data))
    if how == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif how == 1:
        data[at] = rng.choice(
            (0, 0x7F, 0x80, 0x90, 0xC0, 0xC1, 0xC4, 0xC7, 0xCB, 0xCF, 0xD9, 0xDC, 0xDD, 0xDF, 0xFF)
        )
    elif how == 2:
        del data[at : at + rng.randrange(1, 9)]
    elif how == 3:
        data[at:at] = data[at : at + rng.randrange(1, 2000)]
    else:
        data[at:at] = rng.randbytes(rng.randrange(1, 9))
    return bytes(data[:5000])


def fuzz(seconds: float, seed: int = 0) -> dict[str, int]:
    """Fuzzes for a duration [s]; see `guided`."""
    target = Target()
    return guided(target, seeds(target), WATCHED, reworded, seconds, seed)


def guided(
    target: Fed,
    corpus: list[list[bytes]],
    watched: tuple[str, ...],
    reword: Reword,
    seconds: float,
    seed: int = 0,
) -> dict[str, int]:
    """Fuzzes, and mutates those inputs further that reach a new line.

    Args:
        target: what is fuzzed.
        corpus: valid inputs, to which those that are kept are added.
        watched: ends of the paths of the files whose lines count.
        reword: changes one field of a packet.
        seconds: duration [s].
        seed: random seed.

    Raises:
        FoundError: a rule was violated. Exceptions of the tested code are passed on; both carry the packets.
    """
    rng = random.Random(seed)
    seen: set[tuple[str, int, int]] = set()
    runs = grown = 0
    fresh: list[tuple[str, int, int]] = []
    before: list[int] = [0]

    def lines(frame, event, argument):
        if event == "line":
            step = (frame.f_code.co_filename[-16:], before[0], frame.f_lineno)
            before[0] = frame.f_lineno
            if step not in seen:
                seen.add(step)
                fresh.append(step)
        return lines

    def calls(frame, event, argument):
        return lines if frame.f_code.co_filename.endswith(watched) else None

    until_s = time.monotonic() + seconds
    start = list(corpus)
    while time.monotonic() < until_s:
        packets = start.pop() if start else mutate(rng.choice(corpus), corpus, rng, reword)
        # Tracing is slow: most inputs run without it, and only traced ones can be kept.
        traced = bool(start) or rng.random() < TRACED_SHARE
        fresh.clear()
        if traced:
            sys.settrace(calls)
        try:
            target.feed(packets)
        except Exception as error:
            sys.settrace(None)
            error.add_note(f"packets: {[packet.hex() for packet in packets]}")
            raise
        finally:
            sys.settrace(None)
        runs += 1
        if fresh and len(corpus) < MOST_KEPT:
            corpus.append(packets)
            grown += 1
    return {"runs": runs, "kept": grown, "steps": len(seen), "accepted": target.accepted}


if __name__ == "__main__":
    given = sys.argv[1:]
    print(fuzz(float(given[0]) if given else 600.0, int(given[1]) if len(given) > 1 else 0))
