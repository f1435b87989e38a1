"""A robot on legs: stands or walks, and changes between the two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.motion.remarks import Remarks
from kilohertz.controller.problem.soles import can_rest
from kilohertz.controller.request import CIRCLE, DAMP, FOOTSTEPS, REACH, WALK, RequestRow
from kilohertz.controller.standing.recovery import Recovery
from kilohertz.controller.standing.standing import Standing, standing_tasks
from kilohertz.controller.standing.tilt_integral import TiltIntegral
from kilohertz.controller.upper_body.gaze import Gaze
from kilohertz.controller.upper_body.hands import Hands
from kilohertz.controller.walking.foot_tasks import walking_tasks
from kilohertz.controller.walking.speed import walks
from kilohertz.controller.walking.walking import Walking
from kilohertz.controller.whole_body.whole_body import Task, WholeBody
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_COMPOSED_S = 2.0
"""It takes a robot that was pushed a few steps to need its arms no more."""


def legged_tasks(robot: RobotModel, gains: Gains) -> list[Task]:
    """Every task that a robot on legs may enable."""
    tasks = standing_tasks(robot, gains)
    return tasks + walking_tasks(robot, gains) if walks(robot) else tasks


class Legged:
    """References of a robot with a floating base.

    Args:
        robot: the robot.
        gains: its gains.
        body: the whole-body controller, with `legged_tasks` declared.
        contact: (nc,) contact flags of the estimator, which keep their address.

    Attributes:
        hands: what they do, standing and walking.
        remarks: what could not be done.
        height_m: of the centre of mass over the ground at the nominal posture.
        planned: (nc,) contacts that should be closed.
        calm: to be set; while somebody pushes, no tilt is integrated (it does not last), and arms give way.
    """

    def __init__(self, robot: RobotModel, gains: Gains, body: WholeBody, contact: NDArray[np.bool_]) -> None:
        self.standing = Standing(robot, gains, body)
        self._tilt = TiltIntegral(body, gains)
        self.calm = True
        self.height_m = self.standing.height_m
        self.walking: Walking | None = None
        if walks(robot):
            self.walking = Walking(robot, gains, body, self.standing.tasks, contact)
        self._upset = 0.0
        self._restless = self.walking is not None and not can_rest(robot)
        self._motion: Standing | Walking = self.standing
        self._next: RequestRow | None = None
        self.planned = self.walking.planned if self.walking else np.ones(len(robot.contacts), dtype=bool)
        self.remarks = Remarks()
        self.hands = Hands(robot, gains, body, self.remarks)
        self._recovery: Recovery | None = None
        if self.walking is not None and can_rest(robot) and gains.stand.steps:
            support_m = self.standing.half_support_m
            self._recovery = Recovery(robot, gains, body, self.walking, support_m, self.remarks)
        self._asked: RequestRow | None = None
        self._gaze = Gaze(body, self.remarks)

    def retune(self, gains: Gains) -> None:
        """Takes the numbers of these gains, whatever the robot is doing."""
        self.standing.retune(gains)
        self._tilt.retune(gains)
        self.hands.retune(gains)
        if self.walking is not None:
            self.walking.retune(gains)
        if self._motion is self.standing:
            self.standing.write_gains()

    @property
    def p_WC_des(self) -> Vector:
        """(3,) reference of the centre of mass [m]."""
        return self._motion.p_WC_des

    @property
    def v_WC_des(self) -> Vector:
        """(3,) its velocity [m/s]."""
        return self._motion.v_WC_des

    @property
    def p_WS(self) -> Vector:
        """(3,) mean of the soles as estimated [m]."""
        return self._motion.p_WS

    @property
    def R_des(self) -> Vector:
        """(3, 3) heading."""
        return self._motion.R_des

    @property
    def half_support_m(self) -> Vector:
        """(2,) half extents of where the robot may come to rest, heading axes [m]."""
        if self._recovery is not None and self._recovery.catching:
            return self._recovery.half_support_m
        return self._motion.half_support_m

    def start(self) -> None:
        """Takes the robot as it stands now; one on points starts to step on the spot."""
        self.planned[:] = True
        self._tilt.reset()
        self._motion, self._next, self._asked, self._upset = self.standing, None, None, 0.0
        if self._recovery is not None:
            self._recovery.reset()
        if self.walking is not None:
            self.walking.forget()
            if not self.walking.done:
                self.walking.hand_back()
        self.hands.start()
        self._gaze.start()
        self.standing.start()
        if self._restless and self.walking is not None:
            self._motion = self.walking
            self.walking.begin()

    def take(self, request: RequestRow) -> None:
        """Switches to a new request; one that walks comes to rest before anything else.

        Given footsteps are walked to their end before that: between two of them there is no place to rest.
        """
        if int(request.behaviour[0]) == DAMP:
            return
        R_des = self.R_des
        if int(request.behaviour[0]) == WALK and not self._on_footsteps:
            assert self.walking is not None
            self._next = None
            if self._motion is not self.walking:
                self._walk(None)
            if self._recovery is not None:
                self._recovery.active = False
            forward, left, turn = request.velocity.tolist()
            self.walking.ask(forward, left, turn)
            self._do_meanwhile(request, R_des)
        elif int(request.behaviour[0]) == FOOTSTEPS and self._motion is self.standing:
            self._walk(request.route())
            self._do_meanwhile(request, R_des)
        elif self._restless and self.walking is not None:
            self.walking.ask(0.0, 0.0, 0.0)
        elif self._motion is self.walking:
            self._next = request
            if not self._recovering:
                self.walking.stop()
        else:
            self._asked = request
            self._do_meanwhile(request, R_des)
            if int(request.behaviour[0]) not in (REACH, CIRCLE):
                self.standing.take(request)

    def _do_meanwhile(self, request: RequestRow, R_des: Vector) -> None:
        self.hands.take(request, R_des)
        self._gaze.take(request)

    @property
    def _on_footsteps(self) -> bool:
        return self.walking is not None and self._motion is self.walking and self.walking.on_footsteps

    @property
    def _recovering(self) -> bool:
        return self._recovery is not None and self._recovery.active

    def _walk(self, footsteps: Vector | None) -> None:
        assert self.walking is not None
        self._next = self._asked = None
        self._motion = self.walking
        self.walking.begin(footsteps)

    def _keep_up(self, recovery: Recovery, walking: Walking, dt_s: float) -> None:
        """Steps where soles that stay cannot hold the robot; what it was asked for waits until it stands."""
        stands = self._motion is self.standing
        if stands or walking.rests:
            if recovery.needed(dt_s):
                asked = self._asked
                if stands:
                    self.hands.let_go()
                    self._walk(None)
                    self._next = asked
                recovery.begin(stands or walking.stopping)
        elif recovery.active or recovery.catching:
            recovery.follow(dt_s)

    def advance(self, dt_s: float) -> None:
        """Writes this tick's references."""
        if self._recovery is not None and self.walking is not None:
            self._keep_up(self._recovery, self.walking, dt_s)
        self._motion.advance(dt_s)
        if self._motion is self.walking and self.walking.done:
            self._motion = self.standing
            if self._recovery is not None:
                self._recovery.end()
            self.standing.resume()
            if self._next is not None:
                self.take(self._next)
            self._motion.advance(dt_s)
        if self.hands.busy:
            self._upset = max(self._upset - dt_s / _COMPOSED_S, 0.0) if self.calm else 1.0
            self.hands.advance(dt_s, self.R_des, self._upset)
        self._gaze.advance(dt_s, self.R_des)
        if self.calm:
            self._tilt.advance(dt_s)
