"""Finds samples that ask for more than the controller's limits of streams, to count them.

The controller follows such a sample as far as the limits allow. Limits of acceleration and jerk, which depend
on the motion so far, and those of the centre of mass are not looked at.
"""

from __future__ import annotations

import math
from typing import Any

from kilohertz.controller.gains.schema import StreamGains
from kilohertz.controller.streams.body_stream import LEAN_RAD
from kilohertz.controller.streams.channel import RAMP_S, SILENCE_S
from kilohertz.controller.streams.stream_row import MOST_HANDS, StreamRow
from kilohertz.controller.upper_body.hand_stream import hand_bounds
from kilohertz.controller.upper_body.hand_stream_kernels import (
    KEEP_HIGH,
    KEEP_LOW,
    KEEP_OUT,
    REACH,
    SHOULDER,
)
from kilohertz.controller.upper_body.hand_targets import BASE
from kilohertz.controller.walking.speed import speed_limits, walks
from kilohertz.robots.model.robot_model import RobotModel

_WAYS = ("forward [m/s]", "to the left [m/s]", "turning [rad/s]")


class StreamLimits:
    """Limits of the values and speeds of a robot's streams.

    Args:
        robot: the robot.
        gains: gains of the streams.
    """

    def __init__(self, robot: RobotModel, gains: StreamGains) -> None:
        self._gains = gains
        self._speeds = speed_limits(robot) if walks(robot) else None
        self._floating = robot.floating
        self._hands = robot.hand_names[:MOST_HANDS]
        self._bounds = [hand_bounds(robot, i).tolist() for i in range(len(self._hands))]
        low, high = robot.position_lower_rad.tolist(), robot.position_upper_rad.tolist()
        self._joints = list(zip(robot.joint_names, low, high, strict=True))

    def content(self) -> dict[str, Any]:
        """Returns the limits and times of the streams, as plain data."""
        low, high = self._speeds or ((), ())
        return {
            "velocity": {"low": list(low), "high": list(high)},
            "lean_rad": LEAN_RAD,
            "silence_s": SILENCE_S,
            "ramp_s": RAMP_S,
            **self._gains.model_dump(),
        }

    def exceeded(self, row: StreamRow, used: list[str]) -> str:
        """Returns which value of a new sample is beyond its limit, one sentence; "" if none is.

        Args:
            row: row that the sample was written into.
            used: what the sample is for: names of streams, or `hands of NAME` and `wrench of NAME`.
        """
        for name in used:
            stream, _, hand = name.partition(" of ")
            why = ""
            if stream == "velocity":
                why = self._velocity(row)
            elif stream == "hands":
                why = self._hand(row, hand)
            elif stream == "lean" and abs(row.lean.item()) > LEAN_RAD:
                why = f"lean {row.lean.item():.2f} rad is beyond {LEAN_RAD:g} rad"
            elif stream == "posture":
                why = self._posture(row)
            elif stream == "wrench":
                why = self._wrench(row, hand)
            if why:
                return why
        return ""

    def _velocity(self, row: StreamRow) -> str:
        if self._speeds is None:
            return "the robot does not walk"
        for value, low, high, way in zip(row.velocity.tolist(), *self._speeds, _WAYS, strict=True):
            if not low <= value <= high:
                return f"velocity {value:.2f} {way} is beyond {low if value < low else high:.2f}"
        return ""

    def _hand(self, row: StreamRow, hand: str) -> str:
        i, gains = self._hands.index(hand), self._gains
        place = slice(3 * i, 3 * i + 3)
        speed, turn = math.hypot(*row.hands_v[place].tolist()), math.hypot(*row.hands_w[place].tolist())
        # A velocity that was not given is NaN, and compares as False.
        if speed > gains.hand_speed_m_s:
            return f"{hand} moves at {speed:.2f} m/s, and {gains.hand_speed_m_s:g} m/s is the limit"
        if turn > gains.hand_speed_rad_s:
            return f"{hand} turns at {turn:.2f} rad/s, and {gains.hand_speed_rad_s:g} rad/s is the limit"
        if self._floating and row.hands_frame[i] != BASE:
            return ""
        bounds, p = self._bounds[i], row.hands_p[place].tolist()
        if bounds[KEEP_LOW] < p[2] < bounds[KEEP_HIGH] and math.hypot(p[0], p[1]) < bounds[KEEP_OUT]:
            return f"the target of {hand} is inside the body"
        far = math.dist(p, bounds[SHOULDER : SHOULDER + 3])
        if far > bounds[REACH]:
            most = bounds[REACH]
            return f"the target of {hand} is {far:.2f} m from the shoulder, and {most:.2f} m is the limit"
        return ""

    def _posture(self, row: StreamRow) -> str:
        for value, (name, low, high) in zip(row.posture_q.tolist(), self._joints, strict=True):
            # NaN, of a joint that is not commanded, compares as False.
            if value < low or value > high:
                return f"{name} at {value:.2f} rad is outside its range of {low:.2f} to {high:.2f} rad"
        return ""

    def _wrench(self, row: StreamRow, hand: str) -> str:
        i, gains = self._hands.index(hand), self._gains
        six = row.wrench[6 * i : 6 * i + 6].tolist()
        for part, most, unit in ((six[:3], gains.wrench_N, "N"), (six[3:], gains.wrench_Nm, "Nm")):
            if math.hypot(*part) > most:
                return f"{hand} exerts {math.hypot(*part):.1f} {unit}, and {most:g} {unit} is the limit"
        return ""
