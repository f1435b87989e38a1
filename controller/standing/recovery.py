"""Recovery steps: decides when a standing robot has to step after a push, and with which foot.

A standing robot can move its centre of pressure no further than the edge of its soles. Once the capture
point (the divergent component of motion) is beyond that edge it diverges, whatever the joints do; only a
foothold further out brings it back. The foot that steps is the one that the push unloads: the other foot is
on the side of the capture point, and the legs do not cross.
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
"""Number of directions in which the edge of the support is checked."""
_FOR_S = 0.004
"""The capture point must be outside the soles for longer than this [s] before the robot steps, so that a
single bad estimate does not trigger a step."""
_FINDING_S = 0.3
"""The robot takes no recovery step for this long after a start [s]. The state estimate then rests on one or
two samples: on a slope, a robot that had not been pushed took a step."""
_SEEN, _PUSHES_ON = 0.018, 0.12
"""A push is visible in the capture point after the first of these times and is assumed to last for the
second; both are fractions of the planned step time."""
_FAR = 0.57
"""Shortest time in which a foot gets to the end of its reach, as a fraction of the planned step time."""


class Recovery:
    """Decides when the robot takes recovery steps, with which foot, and when it stops stepping.

    Args:
        robot: model of a robot on two feet with soles.
        gains: gains of the robot.
        body: whole-body controller of the robot.
        walking: walking controller that makes the steps.
        half_support_m: (2,) half extents of the support while standing, heading axes [m].
        remarks: receives the messages to the operator.

    Attributes:
        active: True while the robot takes recovery steps and is to stand again afterwards.
        catching: True while fall detection uses the reach of the step under way (`half_support_m`). This
            holds for the first step and, if the robot is to stand again, for all steps until it stands.
        half_support_m: (2,) half extents of the area in which the step under way can still bring the robot to
            rest, heading axes, less the margin that fall detection adds to them [m].
        steps: number of steps taken since `begin`.
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
        """Resets to standing, with no step under way."""
        self.active = self.catching = False
        self._seen[:] = 0.0
        self._finding_s = _FINDING_S

    def needed(self, dt_s: float) -> bool:
        """Returns whether the robot needs a step because its soles, where they are, cannot hold it.

        Must be called in every tick in which both soles stay where they are.

        Args:
            dt_s: time since the last call [s].
        """
        self._finding_s -= dt_s
        return bool(self._watch(dt_s) > _FOR_S and self._finding_s <= 0.0)

    def begin(self, stand_again: bool) -> None:
        """Starts a recovery step; both soles are still on the ground.

        Args:
            stand_again: True to stand after the recovery, False to walk on at the commanded velocity.
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
        """Supervises the recovery steps: stops walking once the capture point follows its plan.

        Args:
            dt_s: time since the last tick [s].
        """
        walking = self._walking
        swings = walking.phase == SWING
        if swings and not self._swings:
            self.steps += 1
        elif self._swings and not swings:
            self.catching = self.active  # if the robot walks on, fall detection treats it as walking
        self._swings = swings
        if self.catching:
            self._narrow(dt_s)
        if self.active and not walking.stopping and walking.calm:
            walking.stop()

    def end(self) -> None:
        """Ends the recovery: the robot stands again."""
        if self.active:
            self._remarks.last = f"stands again after {self.steps} steps"
        self.active = self.catching = False

    def _narrow(self, dt_s: float) -> None:
        """Updates `half_support_m`: how far out the capture point may be for a foot to land in time.

        The push continues for a while. Meanwhile the capture point also diverges by itself, and faster the
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
