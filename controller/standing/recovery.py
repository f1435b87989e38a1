"""Steps where standing is not enough: a robot that is pushed off its soles puts a foot there.

Standing can move its centre of pressure no further than to the edge of its soles. A capture point (the
divergent component of motion) beyond that edge runs away from it, whatever the joints do; only a foot
further out brings it back. The foot that steps is the one that the push unloads: the other one stands
where the capture point is, and legs do not cross.
"""

from __future__ import annotations

import math

import numpy as np

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.motion.remarks import Remarks
from kilohertz.controller.problem.soles import com_height
from kilohertz.controller.standing.recovery_kernels import SupportWatch, watch_support
from kilohertz.controller.walking.gait_state import SWING
from kilohertz.controller.walking.walking import Walking
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_DIRECTIONS = 16
_FOR_S = 0.004
"""The capture point is out of the soles for longer than this: no single bad estimate makes a robot step."""
_FINDING_S = 0.3
"""After a start the estimate is that of a sample or two: on a slope one stepped that nobody had pushed."""
_SEEN, _PUSHES_ON = 0.018, 0.12
"""What pushes a robot off its soles shows after so long, and goes on for so long, in the time of a step."""
_FAR = 0.57
"""A foot gets to the end of its reach in this part of the time of a step, at the soonest."""


class Recovery:
    """Tells when to step, with which foot, and when to stop again.

    Args:
        robot: the robot, on two feet with soles.
        gains: its gains.
        body: its whole-body controller.
        walking: what steps.
        half_support_m: (2,) half extents of the support it stands on, heading axes [m].
        remarks: where to tell of it.

    Attributes:
        active: whether it steps because it has to, and is to stand again.
        catching: whether what the step under way can reach tells a fall: the first one, and those that follow
            until it stands again.
        half_support_m: (2,) half extents of where that step may still bring the robot to rest, heading axes,
            less what the detection of a fall allows beyond them [m].
        steps: how many it has taken.
    """

    def __init__(
        self,
        robot: RobotModel,
        gains: Gains,
        body: WholeBody,
        walking: Walking,
        half_support_m: Vector,
        remarks: Remarks,
    ) -> None:
        self._walking, self._soles_m, self._remarks = walking, half_support_m, remarks
        self.active = self.catching = False
        self.half_support_m = half_support_m.copy()
        self.steps, self._swings = 0, False
        self._finding_s = _FINDING_S
        kin, contacts = body.arrays.kin, robot.contacts
        angles = np.linspace(0.0, 2.0 * math.pi, _DIRECTIONS, endpoint=False)
        sizes = [len(contact.corners_F) for contact in contacts]
        self._seen = np.zeros(5)
        self._from, self._since_s = walking.xi, 0.0
        self._given_up_m = gains.fall.reach * com_height(robot)
        self._watch = bind(
            "recovery_kernel",
            [watch_support],
            call={"dt_s": "f8"},
            returns="f8",
            structs={
                "k": kin,
                "watch": SupportWatch(
                    corners_F=np.vstack([contact.corners_F for contact in contacts]),
                    foot=np.repeat(np.arange(len(contacts)), sizes),
                    fan=np.column_stack([np.cos(angles), np.sin(angles)]),
                    margin_m=np.array([gains.stand.step_margin * com_height(robot)]),
                    corners=np.zeros((sum(sizes), 2)),
                    out=self._seen,
                ),
            },
        )

    def reset(self) -> None:
        """Stands."""
        self.active = self.catching = False
        self._seen[:] = 0.0
        self._finding_s = _FINDING_S

    def needed(self, dt_s: float) -> bool:
        """Whether soles that stay cannot hold the robot; to be asked every tick in which both do."""
        self._finding_s -= dt_s
        return bool(self._watch(dt_s) > _FOR_S and self._finding_s <= 0.0)

    def begin(self, stand_again: bool) -> None:
        """Steps, both soles down as yet.

        Args:
            stand_again: whether to stand when that is done, else to walk as asked.
        """
        walking = self._walking
        if stand_again:
            walking.ask(0.0, 0.0, 0.0)
        self.active, self.catching = stand_again, True
        self.steps, self._swings = 0, False
        self._from, self._since_s = walking.xi, 0.0
        _, _, x, y, left_m = self._seen.tolist()
        walking.hurry(walking.gait.left if left_m > 0.0 else walking.gait.right)
        side = ("forward" if x > 0.0 else "backward") if abs(x) > abs(y) else "left" if y > 0.0 else "right"
        self._remarks.last = f"pushed off its soles, {side}: steps to recover"
        self._seen[:] = 0.0
        self._narrow(0.0)

    def follow(self, dt_s: float) -> None:
        """Sees to the steps: stops when the capture point is where it should be."""
        walking = self._walking
        swings = walking.phase == SWING
        if swings and not self._swings:
            self.steps += 1
        elif self._swings and not swings:
            self.catching = self.active  # a robot that walks on is judged as one that walks
        self._swings = swings
        if self.catching:
            self._narrow(dt_s)
        if self.active and not walking.stopping and walking.calm:
            walking.stop()

    def end(self) -> None:
        """Stands again."""
        if self.active:
            self._remarks.last = f"stands again after {self.steps} steps"
        self.active = self.catching = False

    def _narrow(self, dt_s: float) -> None:
        """Sees how far out the capture point may be now for a foot to land there in time.

        What pushes goes on for a while; all the time the capture point runs away by itself, the faster the
        further out it is.
        """
        walking = self._walking
        self._since_s += dt_s
        reach, soles = walking.half_support_m, self._soles_m
        c, s = float(walking.R_des[0, 0]), float(walking.R_des[1, 0])
        dx, dy = walking.xi[0] - self._from[0], walking.xi[1] - self._from[1]
        goes_on = 0.0
        if self._since_s > _SEEN * walking.gait.step_s:
            goes_on = max(_PUSHES_ON * walking.gait.step_s / self._since_s - 1.0, 0.0)
        ahead, left = goes_on * abs(c * dx + s * dy), goes_on * abs(c * dy - s * dx)
        there_s = _FAR * walking.gait.step_s - walking.swung_s
        shrunk = math.exp(-walking.omega * max(there_s, 0.0))
        self.half_support_m[0] = soles[0] + (reach[0] - soles[0]) * shrunk - ahead - self._given_up_m
        self.half_support_m[1] = soles[1] + (reach[1] - soles[1]) * shrunk - left - self._given_up_m
