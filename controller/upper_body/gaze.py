"""Gaze control while the robot stands or walks: ahead, along a direction, or at a point in the world."""

from __future__ import annotations

import math

import numpy as np

from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.controller.motion.remarks import Remarks
from kilohertz.controller.tasks.frame_orientation import views
from kilohertz.controller.upper_body.gaze_range import AHEAD, DIRECTION, POINT, GazeRange, gaze_range
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.model.kin import X, Y, Z
from kilohertz.robots.model.rows import Vector

_RATE_PER_S = 6.0
_FASTEST_RAD_S = 1.0
_SMALL_RAD = 1e-3
_MISSED_RAD = 0.2
"""A remark is written if the gaze target lies further than this outside the range of the joints [rad]."""


class _Angle:
    """An angle that follows its goal with critical damping and limited speed.

    Attributes:
        x, v, a: angle [rad], velocity [rad/s] and acceleration [rad/s^2].
    """

    def __init__(self) -> None:
        self.x = self.v = self.a = 0.0

    def follow(self, goal: float, dt_s: float) -> None:
        """Advances the angle by one tick towards the goal [rad]."""
        # At this distance to the goal the steady speed is the largest allowed one.
        far = 2.0 * _FASTEST_RAD_S / _RATE_PER_S
        way = min(max(goal - self.x, -far), far)
        self.a = _RATE_PER_S * (_RATE_PER_S * way - 2.0 * self.v)
        self.v += self.a * dt_s
        self.x += self.v * dt_s

    @property
    def rests(self) -> bool:
        """Whether the angle is back at zero and at rest."""
        return abs(self.x) < _SMALL_RAD and abs(self.v) < _SMALL_RAD


_STILL = _Angle()
_UPRIGHT = np.zeros(3)


class Gaze:
    """Adds the gaze to the references of trunk and neck joints that standing and walking have written.

    Args:
        body: the whole-body controller, with the tasks of standing declared.
        remarks: receives a sentence if the robot cannot turn far enough towards the target.

    Attributes:
        busy: whether the gaze differs from straight ahead.
        leans: whether the trunk leaned in the last tick.
    """

    def __init__(self, body: WholeBody, remarks: Remarks) -> None:
        self._body = body
        self._range = gaze_range(body.robot)
        self._remarks = remarks
        self._kind, self._given = AHEAD, (0.0, 0.0, 0.0)
        self.busy = self._told = False
        self._yaw, self._pitch = _Angle(), _Angle()
        self._posture = body.reference("posture")
        self._nominal = self._posture[: body.robot.na].copy()
        self._frame = 0
        self._lean, self.leans = _UPRIGHT, False
        if "trunk" in body.task_index:
            self._trunk, self._base = views(body.reference("trunk")), views(body.reference("base"))
        if self._range is not None:
            self._frame = body.frame_index[str(body.robot.trunk_frame)]

    def start(self) -> None:
        """Resets the gaze to straight ahead, without a transition."""
        self._kind = AHEAD
        self._yaw, self._pitch = _Angle(), _Angle()
        if self.busy:
            self._end()

    def take(self, target: Vector, ahead: bool) -> None:
        """Switches to another target.

        Args:
            target: (GAZE_SIZE,) gaze target, see `gaze_range`; or empty.
            ahead: whether the gaze returns to straight ahead if there is no target.
        """
        kind, *given = target.tolist() or (AHEAD,)
        if int(kind) != AHEAD:
            self._kind, self._given, self.busy, self._told = (
                int(kind),
                (given[0], given[1], given[2]),
                True,
                False,
            )
        elif ahead:
            self._kind = AHEAD

    def look(self, yaw_rad: float, pitch_rad: float) -> None:
        """Looks in a direction from now on.

        Args:
            yaw_rad: yaw from the heading, positive to the left [rad].
            pitch_rad: pitch from the horizontal, positive down [rad].
        """
        if self._range is not None:
            self._kind, self._given, self.busy, self._told = DIRECTION, (yaw_rad, pitch_rad, 0.0), True, True

    def advance(self, dt_s: float, R_des: Vector, posture: PostureReference) -> None:
        """Overwrites the references of standing or walking with those of the gaze for this tick.

        There is nothing to do while the gaze is not busy and the trunk neither leans nor leaned.

        Args:
            dt_s: time since the last tick [s].
            R_des: (3, 3) desired heading of the robot in the world.
            posture: reference whose lean of the trunk is added to the gaze.
        """
        leaned, self.leans = self.leans, posture.leans
        self._lean = posture.lean if posture.leans else _UPRIGHT
        if leaned and not posture.leans:
            self._rest_trunk()
        if not self.busy:
            if posture.leans:
                self._turn_trunk(_STILL, _STILL)
            return
        within = self._range
        assert within is not None
        yaw, pitch = self._goal(within, R_des)
        self._yaw.follow(yaw, dt_s)
        self._pitch.follow(pitch, dt_s)
        if self._kind == AHEAD and self._yaw.rests and self._pitch.rests:
            self._end()
            return
        for turn, angle in ((within.yaw, self._yaw), (within.pitch, self._pitch)):
            if turn.neck:
                self._posture[turn.joint] = self._nominal[turn.joint] + turn.sign * angle.x
        if not (within.yaw.neck and within.pitch.neck):
            self._turn_trunk(
                _STILL if within.yaw.neck else self._yaw, _STILL if within.pitch.neck else self._pitch
            )
        elif posture.leans:
            self._turn_trunk(_STILL, _STILL)

    def _goal(self, within: GazeRange, R_des: Vector) -> tuple[float, float]:
        """Returns yaw and pitch from the heading [rad], clipped to the range of the joints."""
        if self._kind == AHEAD:
            return 0.0, 0.0
        yaw, pitch = self._given[:2]
        if self._kind == POINT:
            yaw, pitch = self._towards(within, R_des)
        goal = (
            min(max(yaw, within.yaw.low), within.yaw.high),
            min(max(pitch, within.pitch.low), within.pitch.high),
        )
        if not self._told and max(abs(goal[0] - yaw), abs(goal[1] - pitch)) > _MISSED_RAD:
            self._told = True
            self._remarks.last = "the point to look at is further round than the gaze turns"
        return goal

    def _towards(self, within: GazeRange, R_des: Vector) -> tuple[float, float]:
        kin, f = self._body.arrays.kin, self._frame
        p, R, (a, b, c) = kin.p[f].tolist(), kin.R[f].tolist(), within.p_TE
        x, y, z = (self._given[r] - p[r] - R[r][0] * a - R[r][1] * b - R[r][2] * c for r in range(3))
        cos, sin = float(R_des[0, 0]), float(R_des[1, 0])
        return within.angles(cos * x + sin * y, cos * y - sin * x, z)

    def _turn_trunk(self, yaw: _Angle, pitch: _Angle) -> None:
        """Turns the trunk's reference, which is upright along the heading, by yaw, then by pitch and lean."""
        R, w, wdot = self._trunk
        c, s = float(R[0, 0]), float(R[1, 0])
        lean, rate, accel = self._lean.tolist()
        down, rate = pitch.x + lean, pitch.v + rate
        cy, sy, cp, sp = math.cos(yaw.x), math.sin(yaw.x), math.cos(down), math.sin(down)
        c, s = c * cy - s * sy, s * cy + c * sy
        R[0, 0], R[0, 1], R[0, 2] = c * cp, -s, c * sp
        R[1, 0], R[1, 1], R[1, 2] = s * cp, c, s * sp
        R[2, 0], R[2, 1], R[2, 2] = -sp, 0.0, cp
        # Walking writes the yaw rate of the base reference; standing does not write it, so it is 0 there.
        w[X], w[Y], w[Z] = -s * rate, c * rate, float(self._base.w[Z]) + yaw.v
        wdot[X], wdot[Y], wdot[Z] = -s * accel, c * accel, yaw.a

    def _end(self) -> None:
        self.busy = False
        self._rest_trunk()
        self._posture[: len(self._nominal)] = self._nominal

    def _rest_trunk(self) -> None:
        self._trunk.w[:] = 0.0
        self._trunk.wdot[:] = 0.0
