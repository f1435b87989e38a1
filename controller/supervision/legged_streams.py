"""The streams of a robot on legs, except those of its hands: velocity, balance, gaze, joints and wrenches."""

from __future__ import annotations

import math

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.standing.standing import Standing
from kilohertz.controller.streams.body_stream import BodyStream
from kilohertz.controller.streams.channel import Channel
from kilohertz.controller.streams.joint_stream import JointStream
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.upper_body.gaze import Gaze
from kilohertz.controller.walking.speed import walks
from kilohertz.controller.walking.velocity_stream import VelocityStream
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.model.robot_model import RobotModel


class LeggedStreams:
    """Reads the streams of a robot on legs, and moves the references that they change.

    Args:
        robot: the robot.
        gains: gains of the robot, which contain the limits.
        body: the whole-body controller.
        row: row that the samples are written into.
        standing: references of standing, whose posture gets the streamed offsets.
        dt_s: nominal control period [s].

    Attributes:
        velocity: stream of walking velocities; None for a robot that does not walk.
    """

    def __init__(
        self,
        robot: RobotModel,
        gains: Gains,
        body: WholeBody,
        row: StreamRow,
        standing: Standing,
        dt_s: float,
    ) -> None:
        self.velocity = VelocityStream(robot, row) if walks(robot) else None
        self._body_stream = BodyStream(robot, gains, row, standing.half_support_m, dt_s)
        standing.posture.extra = self._body_stream
        self._gaze, self._look = row.gaze, Channel(row.gaze_t_s)
        self._gaze_aside = False
        legs = set(standing.leg_joints())
        joints = [j for j in range(robot.na) if j not in legs]
        self._joints = JointStream(robot, gains, row, joints, dt_s)
        self._kin, self._first, self._n_base = body.arrays.kin, robot.nq_base, robot.n_base
        self._posture, self._na = body.reference("posture"), robot.na

    @property
    def moves_posture(self) -> bool:
        """Whether a stream moves the trunk, the centre of mass or single joints."""
        return self._body_stream.busy or self._joints.busy

    def reset(self) -> None:
        """Forgets the samples so far."""
        if self.velocity is not None:
            self.velocity.reset()
        self._body_stream.reset()
        self._look.reset()
        self._joints.reset()
        self._gaze_aside = False

    def put_aside(self, gaze: bool) -> None:
        """Puts the velocity aside, because a request has arrived, and the gaze if the request has one."""
        if self.velocity is not None:
            self.velocity.put_aside()
        self._gaze_aside = self._gaze_aside or gaze

    def advance(self, t_s: float, dt_s: float, gaze: Gaze) -> None:
        """Reads the newest samples of all streams but the velocity, and moves their references by one tick.

        Args:
            t_s: time of the tick's sensor sample [s].
            dt_s: time since the last tick [s].
            gaze: the gaze of the robot.
        """
        self._body_stream.advance(t_s, dt_s)
        self._look.advance(t_s)
        if not self._look.fresh:
            self._gaze_aside = False
        elif not self._gaze_aside:
            yaw, pitch = self._gaze.tolist()
            if math.isfinite(yaw + pitch):
                gaze.look(yaw, pitch)
        kin = self._kin
        self._joints.advance(t_s, dt_s, self._posture[: self._na], kin.v[self._n_base :])

    def write_joints(self) -> None:
        """Overwrites the posture reference of the streamed joints, after all others have written it."""
        joints = self._joints
        if joints.busy:
            leads = joints.leads
            self._posture[joints.joints[leads]] = joints.q[leads]
