"""Stream of targets of one hand: reads its samples, and moves the reference of the hand after them."""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.streams.channel import Channel
from kilohertz.controller.streams.follower import Follower
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.tasks import frame_pose as pose
from kilohertz.controller.upper_body.hand_stream_kernels import (
    BOUNDED,
    BOUNDS_SIZE,
    KEEP_HIGH,
    KEEP_LOW,
    KEEP_OUT,
    LONGEST_GAP_S,
    REACH,
    SHOULDER,
    HandSample,
    aim,
    move_hand,
    slow_down,
    take_sample,
)
from kilohertz.controller.upper_body.hand_targets import BASE
from kilohertz.controller.upper_body.reach import arm_joints, arm_length_m
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.model.kin import Kin
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_COLUMN = 0.25
"""Radius around the vertical axis of an arm's base that targets keep out of, relative to its reach: near its
own column an arm is folded, and a slow hand needs fast joints."""
_RESTING = 1e-3
"""Speed below which a hand rests [m/s, rad/s]."""
_REACH = 0.95
"""Largest distance of a target from the shoulder, relative to the length of the stretched arm."""
_BODY = 0.75
"""Radius around the base's vertical axis that targets keep out of, relative to the distance of the shoulder
from that axis."""


class HandStream:
    """The stream of one hand.

    Args:
        robot: the robot.
        gains: gains of the robot, which contain the limits of a streamed hand.
        row: row that the samples are written into.
        i: index of the hand.
        motion: (24,) reference of the hand, see `tasks.frame_pose`, in the frame of the target.
        kin: kinematics of the controller.
        dt_s: nominal control period [s].

    Attributes:
        in_base: whether the targets are in the level frame of the robot, else in the world.
        turned: whether the targets have an orientation.
    """

    def __init__(
        self, robot: RobotModel, gains: Gains, row: StreamRow, i: int, motion: Vector, kin: Kin, dt_s: float
    ) -> None:
        limits = gains.stream
        self._follower = Follower(
            [limits.hand_speed_m_s] * 3 + [limits.hand_speed_rad_s] * 3,
            [limits.hand_accel_m_s2] * 3 + [limits.hand_accel_rad_s2] * 3,
            [limits.hand_jerk_m_s3] * 3 + [limits.hand_jerk_rad_s3] * 3,
            dt_s,
        )
        self._motion = pose.views(motion)
        self._stamp_s, self._frame = row.hands_t_s[i : i + 1], row.hands_frame[i : i + 1]
        self._channel = Channel(self._stamp_s)
        self._bounds = hand_bounds(robot, i)
        self._floating = robot.floating
        self._sample = sample = HandSample(
            p=row.hands_p[3 * i : 3 * i + 3],
            R=row.hands_R[9 * i : 9 * i + 9].reshape(3, 3),
            v=row.hands_v[3 * i : 3 * i + 3],
            w=row.hands_w[3 * i : 3 * i + 3],
            p_hat=np.zeros(3),
            v_hat=np.zeros(3),
            a_hat=np.zeros(3),
            w_hat=np.zeros(3),
            R_before=np.full((3, 3), math.nan),
            bounds=self._bounds,
            work=np.zeros((4, 3, 3)),
            joints=robot.n_base + np.array(arm_joints(robot, robot.hands[i]), dtype=np.int64),
            joint_speed=robot.velocity_limit_rad_s[arm_joints(robot, robot.hands[i])],
            full_speed=self._follower.state.most_v.copy(),
        )
        structs = {"h": sample, "s": self._follower.state, "k": kin}
        persistent = {"motion": motion}
        self._take = bind("take_sample", [take_sample], call={"gap_s": "f8"}, structs=structs)
        call = {"age_s": "f8", "fresh": "b1", "turned": "b1"}
        self._aim = bind("aim_hand", [slow_down, aim], call=call, structs=structs, persistent=persistent)
        self._move = bind(
            "move_hand", [move_hand], call={"turned": "b1"}, structs=structs, persistent=persistent
        )
        self.reset()

    def reset(self) -> None:
        """Forgets the samples so far."""
        self._channel.reset()
        self._taken_s = -math.inf
        self._aside = False
        self.in_base = self.turned = False

    @property
    def alive(self) -> bool:
        """Whether samples arrive."""
        return self._channel.fresh

    @property
    def rests(self) -> bool:
        """Whether the stream is silent and its hand has come to rest."""
        return not self._channel.fresh and bool(np.abs(self._follower.v).max() < _RESTING)

    def put_aside(self) -> None:
        """Ignores the stream until it has been silent once: a request gives the hand another target."""
        self._aside = True

    def read(self, t_s: float) -> bool:
        """Reads the newest sample, and returns whether the stream leads the hand with a new one.

        Args:
            t_s: time of the tick's sensor sample [s].
        """
        channel = self._channel
        channel.advance(t_s)
        if not channel.fresh:
            self._aside = False
            return False
        stamp_s = self._stamp_s.item()
        if self._aside or stamp_s == self._taken_s:
            return False
        in_base = self._frame.item() == BASE and self._floating
        gap_s = stamp_s - self._taken_s if in_base == self.in_base else math.inf
        self._taken_s, self.in_base = stamp_s, in_base
        self.turned = math.isfinite(self._sample.R[0, 0])
        self._bounds[BOUNDED] = float(in_base or not self._floating)
        self._take(min(gap_s, 2.0 * LONGEST_GAP_S))
        return True

    def start(self) -> None:
        """Begins with the present reference of the hand."""
        motion, follower = self._motion, self._follower
        R = motion.R
        follower.x[:3], follower.v[:3], follower.a[:3] = motion.p, motion.v, motion.a
        follower.x[3:], follower.v[3:], follower.a[3:] = 0.0, R.T @ motion.w, R.T @ motion.wdot

    def advance(self, dt_s: float) -> None:
        """Moves the reference of the hand by one tick of dt_s [s]. Hot path."""
        channel = self._channel
        self._aim(channel.age_s, channel.fresh, self.turned)
        self._follower.advance(dt_s)
        self._move(self.turned)


def hand_bounds(robot: RobotModel, i: int) -> Vector:
    """Returns the bounds of a hand's targets, see `hand_stream_kernels`, in the level frame of the base."""
    hand = robot.hands[i]
    bounds = np.zeros(BOUNDS_SIZE)
    joints = arm_joints(robot, hand)
    if not joints:
        bounds[REACH], bounds[KEEP_LOW] = math.inf, math.inf
        return bounds
    model, data = robot.pin_model, robot.pin_model.createData()
    pin.forwardKinematics(model, data, robot.q_nominal)
    joint = next(j for j in range(1, model.njoints) if model.joints[j].idx_v == robot.n_base + joints[0])
    place = data.oMi[joint].translation
    if robot.floating:
        place = place - data.oMi[1].translation
    bounds[SHOULDER : SHOULDER + 3] = place
    bounds[REACH] = _REACH * arm_length_m(robot, hand)
    if robot.floating:
        bounds[KEEP_OUT] = _BODY * math.hypot(place[0], place[1])
        bounds[KEEP_LOW], bounds[KEEP_HIGH] = -math.inf, place[2] + 0.5 * bounds[REACH]
    else:
        bounds[KEEP_OUT] = _COLUMN * bounds[REACH]
        bounds[KEEP_LOW], bounds[KEEP_HIGH] = -math.inf, math.inf
    return bounds
