"""Stream of walking velocities, which starts a walk, leads it, and ends it with zero or silence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kilohertz.controller.streams.channel import RAMP_S, Channel
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.walking.speed import speed_limits
from kilohertz.robots.model.robot_model import RobotModel

_LEAST = 1e-3
"""Velocities below this are zero [m/s, rad/s]."""

Velocity = tuple[float, float, float]
STILL: Velocity = (0.0, 0.0, 0.0)


def within_ability(asked: Velocity, low: Sequence[float], high: Sequence[float]) -> Velocity:
    """Returns the velocity scaled down to what a robot can walk.

    The limits hold for a motion along one axis; a motion along several ones lies in the ellipsoid of these.
    """
    size = 0.0
    for value, least, most in zip(asked, low, high, strict=True):
        size += (value / (most if value > 0.0 else least)) ** 2
    part = 1.0 if size <= 1.0 else 1.0 / math.sqrt(size)
    return part * asked[0], part * asked[1], part * asked[2]


class VelocityStream:
    """The velocity that is streamed: forward, to the left [m/s] and turning [rad/s].

    A request that arrives later than the stream's last start puts the stream aside, until the stream has been
    zero or silent once: a stick that is still held does not take the robot away from what it was asked to do.

    Args:
        robot: a robot that walks.
        row: row that the samples are written into.

    Attributes:
        velocity: newest velocity that differs from zero, limited to what the robot can walk.
        leads: whether the stream determines the walk, from its first velocity until it has faded out.
        fading: whether the stream is silent or zero, so that the velocity is being reduced.
        fraction: part of the velocity that is left while fading.
    """

    def __init__(self, robot: RobotModel, row: StreamRow) -> None:
        self._channel, self._row = Channel(row.velocity_t_s), row
        self._low, self._high = speed_limits(robot)
        self.reset()

    def reset(self) -> None:
        """Forgets the samples so far."""
        self._channel.reset()
        self.velocity = STILL
        self.leads = self.fading = self._aside = False
        self.fraction = 0.0
        self._moved_s = -math.inf

    def put_aside(self) -> None:
        """Puts a stream that is not zero aside, because a request has arrived."""
        self._aside = self._channel.fresh and not self.fading
        self.leads = self.fading = False

    def advance(self, t_s: float) -> None:
        """Reads the newest sample in a tick whose sensor sample is of t_s [s]."""
        channel = self._channel
        channel.advance(t_s)
        moves = False
        if channel.fresh:
            forward, left, turn = self._row.velocity.tolist()
            # A velocity that is no number is none.
            moves = math.isfinite(forward + left + turn) and max(abs(forward), abs(left), abs(turn)) >= _LEAST
        if self._aside:
            self._aside = moves
            return
        if moves:
            self.velocity = within_ability((forward, left, turn), self._low, self._high)
            self._moved_s = t_s
            self.fraction, self.leads, self.fading = 1.0, True, False
        elif self.leads:
            still = channel.fraction if not channel.fresh else 1.0 - (t_s - self._moved_s) / RAMP_S
            self.fraction = min(self.fraction, max(still, 0.0))
            self.fading = True
            self.leads = self.fraction > 0.0
