"""Streams of the centre of mass and the trunk of a robot on legs, as offsets from its behaviour."""

from __future__ import annotations

import numpy as np

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.problem.soles import com_height
from kilohertz.controller.streams.channel import Channel
from kilohertz.controller.streams.follower import Follower
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_OF_SOLES = 0.4
"""Largest horizontal offset of the centre of mass, relative to the half extents of the soles."""
_DOWN, _UP = 0.12, 0.01
"""Largest vertical offsets of the centre of mass, relative to its height."""
LEAN_RAD = 0.35
"""Largest pitch of the trunk, forward or backward [rad]."""
_REST = 1e-5
"""Offsets below this are zero [m, rad]."""


class BodyStream:
    """Offset of the centre of mass and lean of the trunk, as streamed and limited.

    An offset returns to zero when its stream is silent.

    Args:
        robot: the robot.
        gains: gains of the robot, which contain the limits.
        row: row that the samples are written into.
        half_support_m: (2,) half extents of the support at the nominal posture, heading axes [m].
        dt_s: nominal control period [s].

    Attributes:
        p, v, a: (3,) offset of the centre of mass in heading axes [m] and its derivatives.
        lean: (3,) pitch of the trunk [rad] and its derivatives.
        busy: whether an offset differs from zero or is being streamed.
    """

    def __init__(
        self, robot: RobotModel, gains: Gains, row: StreamRow, half_support_m: Vector, dt_s: float
    ) -> None:
        limits, height_m = gains.stream, com_height(robot)
        self._com, self._pitch = Channel(row.com_t_s), Channel(row.lean_t_s)
        self._given_com, self._given_lean = row.com, row.lean
        self._follower = follower = Follower(
            [limits.com_speed_m_s] * 3 + [limits.lean_speed_rad_s],
            [limits.com_accel_m_s2] * 3 + [limits.lean_accel_rad_s2],
            [limits.com_jerk_m_s3] * 3 + [limits.lean_jerk_rad_s3],
            dt_s,
        )
        self.p, self.v, self.a = follower.x[:3], follower.v[:3], follower.a[:3]
        self.lean = np.zeros(3)
        self._high = np.array([*(_OF_SOLES * half_support_m), _UP * height_m])
        self._low = np.array([*(-_OF_SOLES * half_support_m), -_DOWN * height_m])
        self.busy = False

    def reset(self) -> None:
        """Removes the offsets at once."""
        self._com.reset()
        self._pitch.reset()
        zero = np.zeros(4)
        self._follower.place(zero, zero, zero)
        self.lean[:] = 0.0
        self.busy = False

    def advance(self, t_s: float, dt_s: float) -> None:
        """Reads the newest samples, and moves the offsets towards them by one tick.

        Args:
            t_s: time of the tick's sensor sample [s].
            dt_s: time since the last tick [s].
        """
        self._com.advance(t_s)
        self._pitch.advance(t_s)
        fresh = self._com.fresh or self._pitch.fresh
        if not (fresh or self.busy):
            return
        follower = self._follower
        follower.p_des[:] = 0.0
        if self._com.fresh:
            np.clip(self._given_com, self._low, self._high, out=follower.p_des[:3])
        if self._pitch.fresh:
            follower.p_des[3] = min(max(self._given_lean.item(), -LEAN_RAD), LEAN_RAD)
        follower.advance(dt_s)
        self.lean[:] = follower.x[3], follower.v[3], follower.a[3]
        rests = max(float(np.abs(part).max()) for part in (follower.x, follower.v, follower.a)) < _REST
        self.busy = fresh or not rests
        if not self.busy:
            follower.x[:] = follower.v[:] = follower.a[:] = 0.0
            self.lean[:] = 0.0
