"""Stream of joint positions, for an arm or for the upper body of a robot on legs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.streams.channel import Channel
from kilohertz.controller.streams.follower import Follower
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_OFF_THE_STOP_RAD = 0.05


class JointStream:
    """The stream of joint positions; a joint that it has moved stays where it was streamed to last.

    Args:
        robot: the robot.
        gains: gains of the robot, which contain the limits.
        row: row that the samples are written into.
        joints: indices of the joints that may be streamed, in the joint arrays.
        dt_s: nominal control period [s].

    Attributes:
        leads: (n,) whether each of these joints follows the stream.
        q: (n,) reference position of each of these joints [rad].
        joints: (n,) their indices.
        busy: whether any joint follows the stream.
    """

    def __init__(
        self, robot: RobotModel, gains: Gains, row: StreamRow, joints: Sequence[int], dt_s: float
    ) -> None:
        limits, n = gains.stream, len(joints)
        self.joints = np.array(joints, dtype=np.int64)
        self._channel, self._given, self._stamp_s = Channel(row.posture_t_s), row.posture_q, row.posture_t_s
        fastest = limits.joint_speed * robot.velocity_limit_rad_s[self.joints]
        self._follower = Follower(
            np.minimum(fastest, 20.0).tolist(),
            [limits.joint_accel_rad_s2] * n,
            [limits.joint_jerk_rad_s3] * n,
            dt_s,
        )
        self.q = self._follower.x
        self.leads = np.zeros(n, dtype=bool)
        low, high = robot.position_lower_rad[self.joints], robot.position_upper_rad[self.joints]
        self._low, self._high = low + _OFF_THE_STOP_RAD, np.maximum(high - _OFF_THE_STOP_RAD, low)
        self.reset()

    def reset(self) -> None:
        """Forgets the samples so far; no joint follows the stream."""
        self._channel.reset()
        self._taken_s = -math.inf
        self.leads[:] = False
        self.busy = False
        self._aside = False

    def put_aside(self) -> None:
        """Ignores the stream until it has been silent once: a request gives the joints another target."""
        self._aside = True
        self.leads[:] = False
        self.busy = False

    def advance(self, t_s: float, dt_s: float, q: Vector, v: Vector) -> bool:
        """Reads the newest sample, and moves the reference by one tick; returns whether joints were added.

        Args:
            t_s: time of the tick's sensor sample [s].
            dt_s: time since the last tick [s].
            q: (na,) present reference of all joints, or their position [rad].
            v: (na,) present velocity of all joints [rad/s].
        """
        self._channel.advance(t_s)
        follower, added = self._follower, False
        if not self._channel.fresh:
            self._aside = False
        elif not self._aside and self._stamp_s.item() != self._taken_s:
            self._taken_s = self._stamp_s.item()
            given = self._given[self.joints]
            commanded = np.isfinite(given)
            new = commanded & ~self.leads
            if new.any():
                follower.x[new], follower.v[new] = q[self.joints][new], v[self.joints][new]
                follower.a[new] = 0.0
                self.leads |= new
                added = self.busy = True
            np.clip(given, self._low, self._high, out=follower.p_des, where=commanded)
        if self.busy:
            follower.p_des[~self.leads] = follower.x[~self.leads]
            follower.advance(dt_s)
        return added
