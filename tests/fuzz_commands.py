"""Fuzzes the command channel of a running controller, guided by coverage: messages, lease, requests, streams.

    python tests/fuzz_commands.py [SECONDS] [SEED]

Inputs are mutated packets of three clients, alone and in sequences. No input may raise an exception, reach
the loop without the lease, or as a number that is not finite.
"""

from __future__ import annotations

import json
import random
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import fuzz_wire
import msgpack
import numpy as np
from control_channel import Channel
from fuzz_wire import FoundError

from kilohertz.controller.supervision.request import request_from_numbers
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.agent.requests import UNCHECKED
from kilohertz.rt.live.stream_targets import StreamTargets

WATCHED = (
    "live/control_messages.py",
    "wire/strict_message.py",
    "live/agent/control_side.py",
    "live/agent/lease.py",
    "live/agent/requests.py",
    "live/agent/stream_intake.py",
)
PEERS = (b"person", b"other", b"program")
PARAMETERS = (
    ("walk", {"velocity_m_s": [0.3, 0.0], "yaw_rate_rad_s": 0.1, "gaze": {"yaw_rad": 0.1, "pitch_rad": 0.2}}),
    ("stand", {"hands": {"left_hand": {"p_BH_m": [0.3, 0.2, 0.2], "rpy_BH_rad": [0.0, 0.0, 0.0]}}}),
    ("bow", {"angle_rad": 0.2, "period_s": 3.0}),
    ("squat", {"depth_m": 0.05, "period_s": 4.0}),
    ("footsteps", {"steps": [{"foot": "left_foot", "p_SF_m": [0.16, 0.09, 0.0]}]}),
    ("reach", {"hand": "left_hand", "p_WH_m": [0.3, 0.2, 1.0]}),
    ("damp", {}),
)
TEXTS = (
    *("NaN", "Infinity", "-1e999", "1e308", "null", "true", "[]", "{}", '""', "0", "-1", "1e-320"),
    *('"\\ud800"', '"\\u0000"', "[" * 1500, '{"a":' * 300, "9" * 3000, '"left_hand"', '"walk"', "1_0", "0x1"),
)
TOKEN = re.compile(r'"[^"]*"|-?\d+\.?\d*|[\[\]{}:,]')


class Target:
    """Feeds packets to the agent's side of the channel, with a stand-in for the loop behind it.

    Attributes:
        accepted: number of requests, samples and stops that reached the loop.
    """

    def __init__(self) -> None:
        self.robot = RobotModel.load("g1")
        self.accepted = 0

    def feed(self, packets: list[bytes]) -> None:
        """Feeds packets from one of three clients, with one cycle of agent and loop after each."""
        channel = Channel(self.robot)
        for peer in PEERS:
            channel.hello(peer, "program" if peer == b"program" else "person")
        for packet in packets:
            self._feed(channel, PEERS[len(packet) % 3], packet)
            self._check_loop(channel)
        channel.pass_ms(2)
        self._check_loop(channel)
        loop = channel.loop
        self.accepted += len(loop.requests) + len(loop.stops) + channel.side.streams.received
        self.accepted -= channel.side.streams.dropped

    def _feed(self, channel: Channel, peer: bytes, packet: bytes) -> None:
        side = channel.side
        holder, row = side.lease.holder, side.streams.row.data.copy()
        stops, requests = len(channel.loop.stops), len(channel.loop.requests)
        message = wire.unpack(packet)
        answer = side.handle(peer, packet, channel.now_ns)
        if answer is not None and wire.unpack(answer, wire.MOST_ANSWER_BYTES) is None:
            raise FoundError("an answer is not a valid message")
        kind = message[0] if message is not None else ""
        if message is not None and repr(wire.unpack(wire.pack(kind, *message[1]))) != repr(message):
            raise FoundError("a message was accepted that differs when packed again")
        changed = not np.array_equal(row, side.streams.row.data, equal_nan=True)
        if changed and (kind not in ("stream", "release") or side.lease.holder != peer):
            raise FoundError(f"`{kind}` changed the streams without the lease")
        if holder in (b"person", b"other") and holder != peer and side.lease.holder != holder:
            raise FoundError(f"`{kind}` took the lease of a person")
        channel.pass_ms(1)
        if len(channel.loop.stops) - stops != (kind == "stop"):
            raise FoundError(f"`{kind}` and a stop of the robot are not the same")
        # The loop takes a request in the cycle after the one that checks it.
        if len(channel.loop.requests) > requests and holder is None:
            raise FoundError("a request without the lease reached the loop")
        for _, (told, values) in channel.sent:
            if told == "refused" and UNCHECKED in values[1]:
                raise FoundError(values[1])
        channel.sent.clear()

    def _check_loop(self, channel: Channel) -> None:
        for numbers in channel.loop.requests:
            request_from_numbers(self.robot, numbers.tolist())
            if np.isinf(numbers).any():
                raise FoundError("a request with an infinite number reached the loop")
        row = channel.loop.streams
        for name, values in (("velocity", row.velocity), ("gaze", row.gaze), ("com", row.com)):
            in_use = bool(np.isfinite(getattr(row, f"{name}_t_s"))[0])
            if np.isfinite(values).all() != in_use or np.isfinite(values).any() != in_use:
                raise FoundError(f"{name} is not finite, or has no time")
        for i in np.flatnonzero(np.isfinite(row.hands_t_s)).tolist():
            R, place = row.hands_R.reshape(-1, 3, 3)[i], slice(3 * i, 3 * i + 3)
            if not np.isfinite(row.hands_p[place]).all():
                raise FoundError("a hand's target is not finite")
            for speed in (row.hands_v[place], row.hands_w[place]):
                if len(set(np.isnan(speed).tolist())) > 1:
                    raise FoundError("a part of a velocity is missing")
            if not np.isnan(R).all() and not np.allclose(R @ R.T, np.eye(3), atol=1e-9):
                raise FoundError("a hand's orientation is no rotation")
        if np.isinf(row.data).any():
            raise FoundError("an infinite number reached the loop")


def seeds(target: Target) -> list[list[bytes]]:
    """Returns valid packets, alone and in sequences."""
    joints = target.robot.joint_names
    hand = {"p_BH_m": [0.3, 0.2, 0.2], "rpy_BH_rad": [0.1, 0.0, 0.0], "v_BH_m_s": [0.1, 0.0, 0.0]}
    turned = {"p_WH_m": [0.3, -0.2, 0.9], "quaternion_WH": [1.0, 0.0, 0.0, 0.0]}
    everything = StreamTargets(
        velocity_m_s=[0.2, 0.0],
        hands={"left_hand": hand, "right_hand": turned},
        gaze={"yaw_rad": 0.1},
        com_offset_m=[0.01, 0.0, 0.0],
        lean_rad=0.1,
        posture_rad={"waist_yaw_joint": 0.1},
        wrench={"left_hand": [0.0] * 6},
    )
    few = StreamTargets(velocity_m_s=[0.1, 0.1], yaw_rate_rad_s=0.3)
    streams = [
        wire.pack("stream", *targets.packed(stamp_s, joints))
        for targets in (everything, few)
        for stamp_s in (float("nan"), 10.002, 10.004)
    ]
    requests = [
        wire.pack("request", i, name, json.dumps(values) + " " * pad)
        for i, (name, values) in enumerate(PARAMETERS, 1)
        for pad in range(3)
    ]
    others = [
        wire.pack("hello", "fuzz", "person"),
        wire.pack("clock", 1.5),
        wire.pack("keepalive"),
        wire.pack("release", ("hands",)),
        wire.pack("release", ()),
        wire.pack("take", 1),
        wire.pack("give", 2),
        wire.pack("stop", 3, "soft", "x"),
        wire.pack("stop", 4, "damp", "xy"),
        wire.pack("ask", 5),
        wire.pack("describe", 6, "walk"),
        wire.pack("accepted", 6),
    ]
    alone = [*streams, *requests, *others]
    return [*[[packet] for packet in alone], streams, others, [*others, *streams][:8], requests[:8]]


def reworded(packet: bytes, rng: random.Random) -> bytes:
    """Returns a packet with one changed field; in a request, often with other parameters."""
    try:
        fields = list(msgpack.unpackb(packet, use_list=False))
    except Exception:
        return packet
    if len(fields) == 5 and fields[1] == "request" and type(fields[4]) is str and rng.random() < 0.7:
        tokens = list(TOKEN.finditer(fields[4]))
        if tokens:
            token = rng.choice(tokens)
            new = rng.choice(tokens).group() if rng.random() < 0.3 else rng.choice(TEXTS)
            fields[4] = fields[4][: token.start()] + new + fields[4][token.end() :]
    elif len(fields) == 10 and fields[1] == "stream" and rng.random() < 0.5:
        place = rng.choice((4, 9))
        if type(fields[place]) is tuple and fields[place]:
            rows = [list(row) if type(row) is tuple else row for row in fields[place]]
            row = rng.choice(rows)
            if type(row) is list and row:
                at = rng.randrange(len(row))
                inner = msgpack.unpackb(fuzz_wire.reworded(msgpack.packb([row[at]]), rng), use_list=False)
                row[at] = inner[0]
            fields[place] = rows
    else:
        return fuzz_wire.reworded(packet, rng, tuple(wire.FIELDS))
    packed: bytes = msgpack.packb(fields)
    return packed


def fuzz(seconds: float, seed: int = 0) -> dict[str, int]:
    """Fuzzes for a duration [s]; see `fuzz_wire.guided`."""
    target = Target()
    return fuzz_wire.guided(target, seeds(target), WATCHED, reworded, seconds, seed)


if __name__ == "__main__":
    given = sys.argv[1:]
    print(fuzz(float(given[0]) if given else 600.0, int(given[1]) if len(given) > 1 else 0))
