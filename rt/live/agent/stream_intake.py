"""Checks the samples of a client's streams and writes them into the row that the loop reads.

A sample is taken as a whole or not at all. A velocity of a hand's target that is not given is NaN, and the
controller estimates it from successive samples.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pinocchio as pin

from kilohertz.controller.streams.stream_row import MOST_HANDS, StreamRow
from kilohertz.controller.upper_body.hand_targets import BASE, WORLD
from kilohertz.robots.config.config_error import did_you_mean
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.agent.stream_limits import StreamLimits

OLDEST_S, NEWEST_S = 0.5, 0.2
"""Largest age of a sample, and largest time by which its stamp is in the future [s]."""
AHEAD_S = 0.002
"""Time by which a stamp may be ahead, because a client knows the clock only so well [s]."""
LARGEST = 1e4
"""Largest magnitude of any value of a sample, in its unit."""
_UNIT_TOLERANCE = 0.01

Values = tuple[Any, ...]


class StreamIntake:
    """Turns stream messages into the row of newest samples.

    Args:
        robot: the robot.
        limits: limits of the streams.

    Attributes:
        row: newest sample of each stream.
        received: number of samples so far, dropped ones included.
        limited: number of samples that were taken and asked for more than the limits.
        why_limited: what the latest of them asked for, one sentence; "" if none did.
        dropped: number of samples that were dropped.
        why_dropped: why the latest of them was dropped, one sentence; "" if none was.
    """

    def __init__(self, robot: RobotModel, limits: StreamLimits) -> None:
        self.row = StreamRow(robot)
        self.received = self.dropped = self.limited = 0
        self.why_dropped = self.why_limited = ""
        self._limits = limits
        self._robot = robot
        self._hands = robot.hand_names[:MOST_HANDS]
        self._newest_s: dict[str, float] = {}

    def restart(self) -> None:
        """Forgets the stamps of all streams, because another client begins to send them."""
        self._newest_s.clear()

    def drop(self, why: str) -> None:
        """Counts a sample that is dropped.

        Args:
            why: the reason, one sentence.
        """
        self.received += 1
        self.dropped += 1
        self.why_dropped = why

    def take(self, values: Values, now_s: float) -> str:
        """Takes the fields of a stream message.

        Args:
            values: the fields, of the types that `control_messages.unpack` has checked.
            now_s: time on the controller's clock [s].

        Returns:
            Why the sample was dropped, one sentence; "" if it was taken.
        """
        stamp_s, *parts = values
        t_s = now_s if math.isnan(stamp_s) else stamp_s
        used = [key for name, part in zip(wire.STREAMS, parts, strict=True) for key in _keys(name, part)]
        why = self._problem(t_s, now_s, used) or self._values_problem(parts)
        if why:
            self.drop(why)
            return why
        self.received += 1
        # A clock that is ahead must not put off the time at which a stream counts as silent.
        sampled_s = min(t_s, now_s + AHEAD_S)
        for name, part in zip(wire.STREAMS, parts, strict=True):
            if part:
                self._write(name, part, sampled_s)
        self._newest_s.update(dict.fromkeys(used, t_s))
        beyond = self._limits.exceeded(self.row, used)
        if beyond:
            self.limited += 1
            self.why_limited = beyond
        return ""

    def _problem(self, t_s: float, now_s: float, used: list[str]) -> str:
        if not used:
            return "the sample is of no stream"
        if now_s - t_s > OLDEST_S or t_s - now_s > NEWEST_S:
            return (
                f"the stamp {t_s:.3f} s is not near the controller's time {now_s:.3f} s: measure the "
                "difference between the clocks with `clock`"
            )
        for name in used:
            before_s = self._newest_s.get(name, -math.inf)
            if t_s <= before_s:
                return wire.sentence(f"the stamp of {name} does not rise: {t_s:.6f} s after {before_s:.6f} s")
        return ""

    def _values_problem(self, parts: list[Any]) -> str:
        for name, part in zip(wire.STREAMS, parts, strict=True):
            if name in ("hands", "wrench"):
                why = self._hand_problem(name, part)
            elif name == "posture":
                why = self._posture_problem(part)
            else:
                why = _number_problem(name, part)
            if why:
                return why
        return ""

    def _hand_problem(self, stream: str, rows: tuple[Values, ...]) -> str:
        named = [row[0] for row in rows]
        for row in rows:
            name = row[0]
            if name not in self._hands:
                has = f"it has {', '.join(self._hands)}" if self._hands else "it has none"
                hint = did_you_mean(name, self._hands)
                return wire.sentence(f"'{self._robot.name}' has no hand '{name}'{hint}; {has}")
            if named.count(name) > 1:
                return f"{stream} names {name} twice"
            for block in row[1:]:
                why = _number_problem(f"{stream} of {name}", block) if type(block) is bytes else ""
                if why:
                    return why
            if stream == "hands" and len(row[3]) == 32:
                norm = math.hypot(*struct.unpack("<4d", row[3]))
                if abs(norm - 1.0) > _UNIT_TOLERANCE:
                    return f"the quaternion of {name} has the length {norm:.3g}, not 1"
        return ""

    def _posture_problem(self, block: bytes) -> str:
        q = np.frombuffer(block)
        if q.size not in (0, self._robot.na):
            return f"posture has {q.size} joints; '{self._robot.name}' has {self._robot.na}"
        return _number_problem("posture", q[~np.isnan(q)].tobytes())

    def _write(self, name: str, part: Any, t_s: float) -> None:
        row = self.row
        if name == "hands":
            for target in part:
                self._write_hand(target, t_s)
        elif name == "wrench":
            for hand, block in part:
                i = self._hands.index(hand)
                row.wrench_t_s[i] = t_s
                row.wrench[6 * i : 6 * i + 6] = np.frombuffer(block)
        elif name == "posture":
            row.posture_t_s[0] = t_s
            row.posture_q[:] = np.frombuffer(part)
        else:
            getattr(row, f"{name}_t_s")[0] = t_s
            getattr(row, name)[:] = np.frombuffer(part)

    def _write_hand(self, target: Values, t_s: float) -> None:
        name, frame_name, p_block, R_block, v_block, w_block = target
        row, i = self.row, self._hands.index(name)
        frame = BASE if frame_name == wire.BASE else WORLD
        p, R = np.frombuffer(p_block), rotation(np.frombuffer(R_block))
        row.hands_t_s[i], row.hands_frame[i] = t_s, frame
        at = slice(3 * i, 3 * i + 3)
        row.hands_p[at] = p
        row.hands_R[9 * i : 9 * i + 9] = R.ravel() if R is not None else math.nan
        row.hands_v[at] = np.frombuffer(v_block) if v_block else math.nan
        row.hands_w[at] = np.frombuffer(w_block) if w_block else math.nan

    def release(self, streams: tuple[str, ...]) -> str:
        """Takes streams out of use.

        Args:
            streams: names of the streams; all of them if there are none.

        Returns:
            Why there is nothing to release, one sentence; "" if the streams are released.
        """
        for name in streams:
            if name not in wire.STREAMS:
                return wire.sentence(
                    f"there is no stream '{name}'{did_you_mean(name, wire.STREAMS)}; there are "
                    f"{', '.join(wire.STREAMS)}"
                )
        for name in streams or wire.STREAMS:
            for field, _ in self.row.fields:
                if field == name or field.startswith(f"{name}_"):
                    getattr(self.row, field)[:] = math.nan
        return ""


def _keys(stream: str, part: Any) -> list[str]:
    """Returns the names of what a part of a sample is for: the stream, or each hand in it."""
    if type(part) is tuple:
        return [f"{stream} of {row[0]}" for row in part]
    return [stream] if part else []


def rotation(numbers: Vector) -> Vector | None:
    """Returns the rotation matrix of a stream's orientation.

    Args:
        numbers: roll, pitch and yaw [rad]; or a quaternion w, x, y, z; or nothing.

    Returns:
        (3, 3) rotation matrix; None without an orientation.
    """
    if numbers.size == 3:
        rolled: Vector = pin.rpy.rpyToMatrix(numbers)
        return rolled
    if numbers.size == 4:
        w, x, y, z = (numbers / np.linalg.norm(numbers)).tolist()
        turned: Vector = pin.Quaternion(w, x, y, z).toRotationMatrix()
        return turned
    return None


def _number_problem(what: str, block: bytes) -> str:
    for number in struct.unpack(f"<{len(block) // 8}d", block):
        # NaN compares as False too.
        if not -LARGEST <= number <= LARGEST:
            return f"{what} is beyond {LARGEST:g}" if math.isfinite(number) else f"{what} is not finite"
    return ""
