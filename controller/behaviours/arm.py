"""A fixed-base robot: hold the posture, reach, draw circles."""

from __future__ import annotations

from controller.behaviours.hand_motion import HandMotion
from controller.behaviours.standing import hand_tasks, write_pose
from controller.gains import Gains
from controller.request import CIRCLE, REACH, RequestRow
from controller.whole_body import Task, WholeBody
from robots.model import RobotModel

_HELD_POSTURE_WEIGHT = 0.01
"""Relative weight of the posture while a hand leads: it decides the null space and nothing else."""


def arm_tasks(robot: RobotModel, gains: Gains) -> list[Task]:
    """Every task that an arm may enable."""
    posture = Task("posture", "posture", 1.0, [gains.hand.kp_per_s2, gains.hand.kd_per_s])
    return [posture, *hand_tasks(robot, gains)]


class Arm:
    """References of a robot that is fixed to the ground.

    Args:
        robot: the robot.
        gains: its gains.
        body: the whole-body controller, with `arm_tasks` declared.

    Attributes:
        hands: motion of each hand.
    """

    def __init__(self, robot: RobotModel, gains: Gains, body: WholeBody) -> None:
        self.robot = robot
        self._body = body
        self._weight = gains.posture.weight
        self.hands = [HandMotion(gains.hand.speed_m_s) for _ in robot.hands]
        self._posture = body.reference("posture")
        self._hand_refs = [body.reference(hand) for hand in robot.hand_names]
        self._hand_frames = [body.frame_index[robot.pin_model.frames[h.frame_id].name] for h in robot.hands]
        for mask in range(2 ** len(self.hands)):
            body.prepare((), self._enabled(mask))
        self._mask = -1

    def _enabled(self, mask: int) -> list[str]:
        return ["posture"] + [name for i, name in enumerate(self.robot.hand_names) if mask >> i & 1]

    def start(self) -> None:
        """Holds the robot where it is now."""
        kin = self._body.arrays.kin
        self._posture[: self.robot.na] = kin.q
        for hand, frame in zip(self.hands, self._hand_frames, strict=True):
            hand.place(kin.R[frame], kin.p[frame])
            hand.stay()
        self._apply_mode()

    def take(self, request: RequestRow) -> None:
        """Switches to a new request."""
        kin = self._body.arrays.kin
        if int(request.behaviour[0]) in (REACH, CIRCLE):
            i = int(request.hand[0])
            self.hands[i].take(request, kin.R[self._hand_frames[i]], kin.p[self._hand_frames[i]])
            self._apply_mode()
            return
        for hand in self.hands:
            hand.hold()

    def _apply_mode(self) -> None:
        mask = sum(1 << i for i, hand in enumerate(self.hands) if hand.active)
        if mask != self._mask:
            self._mask = mask
            self._body.set_mode((), self._enabled(mask))
            self._posture[self.robot.na :] = self._weight * (_HELD_POSTURE_WEIGHT if mask else 1.0)

    def advance(self, dt_s: float) -> None:
        """Writes this tick's references."""
        for i, hand in enumerate(self.hands):
            if hand.active:
                hand.advance(dt_s)
                write_pose(self._hand_refs[i], hand)
