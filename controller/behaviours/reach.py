"""Behaviour `reach`: a hand moves to a pose in the world.

An arm gets there on the fastest way of its joints, which is planned and checked before anything moves, or on
request along a straight line. The hand of a robot on legs moves along a straight line.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pinocchio as pin
from pydantic import model_validator

from kilohertz.controller.behaviours.base import (
    Behaviour,
    BehaviourError,
    BehaviourParameters,
    Legs,
    Payload,
    Positive,
    Vector3,
)
from kilohertz.controller.joint_motion.inverse_kinematics import Goal
from kilohertz.controller.joint_motion.plan_row import MOST_JOINTS, PLAN_FIELDS, PlanRow
from kilohertz.controller.joint_motion.planner import MotionRefusedError, planner_of
from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.controller.upper_body.reach import nearest_pose
from kilohertz.robots.config.config_error import did_you_mean
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_MISSED_M, _MISSED_RAD = 0.02, 0.2
"""Largest errors of position and orientation with which a pose still counts as reachable."""


class Reach(Behaviour):
    """Bring a hand to a pose in the world, given as a point or as an offset from its nominal position.

    An arm takes the fastest way of its joints; a motion that is not possible is refused before it begins.
    """

    name = "reach"
    legs = Legs.KEEP
    fixed_base = True
    fields = (("hand", 1), ("p_WH", 3), ("R_WH", 9), *PLAN_FIELDS)

    class Parameters(BehaviourParameters):
        """Parameters of `reach`.

        Attributes:
            hand: name of the hand; may be left out on a robot with one hand.
            p_WH_m: target position in the world [m].
            offset_m: offset from the hand's position at the nominal posture, instead of `p_WH_m` [m].
            rpy_WH_rad: target orientation in the world [rad]; if it is left out, the orientation is kept, by
                an arm as far as it can.
            path: way of the hand of an arm: `joint`, the fastest way of its joints, or `line`, a straight
                line. A robot on legs always takes a straight line.
            speed_m_s: largest speed of the hand of an arm along a line [m/s]; if it is left out, the limits
                of the joints decide.
        """

        hand: str | None = None
        p_WH_m: Vector3 | None = None
        offset_m: Vector3 | None = None
        rpy_WH_rad: Vector3 | None = None
        path: Literal["joint", "line"] | None = None
        speed_m_s: Positive | None = None

        @model_validator(mode="after")
        def _one_target(self) -> Any:
            if (self.p_WH_m is None) == (self.offset_m is None):
                raise ValueError("say where to: exactly one of p_WH_m and offset_m")
            return self

    @classmethod
    def check(cls, robot: RobotModel, parameters: Any) -> None:
        """Raises BehaviourError for a pose that a fixed arm cannot reach.

        A robot on legs is not checked, because it can lean, crouch and walk.
        """
        i = hand_index(robot, parameters.hand)
        _check_way(robot, parameters)
        if robot.floating or robot.na <= MOST_JOINTS:
            return
        R_WH = None if parameters.rpy_WH_rad is None else _rotation(parameters)
        nearest = nearest_pose(robot, robot.hands[i], _place(robot, i, parameters), R_WH)
        if nearest.off_m > _MISSED_M or nearest.off_rad > _MISSED_RAD:
            key = "p_WH_m" if parameters.offset_m is None else "offset_m"
            raise BehaviourError(
                (key,), f"{robot.hand_names[i]} does not get there{nearest.describe(R_WH is not None)}"
            )

    @classmethod
    def write(cls, robot: RobotModel, parameters: Any, payload: Payload) -> None:
        """Writes the index of the hand, its position [m] and its orientation, row by row, in the world.

        An orientation of NaN keeps the present one.
        """
        i = hand_index(robot, parameters.hand)
        payload["hand"][0] = i
        payload["p_WH"][:] = _place(robot, i, parameters)
        payload["R_WH"][:] = math.nan
        if parameters.rpy_WH_rad is not None:
            payload["R_WH"][:] = _rotation(parameters).ravel()
        if not robot.floating and robot.na <= MOST_JOINTS:
            cls._plan(robot, i, parameters, payload)

    @classmethod
    def _plan(cls, robot: RobotModel, i: int, parameters: Any, payload: Payload) -> None:
        """Plans the motion of an arm and writes it."""
        planner, plan = planner_of(robot), PlanRow.of(payload, robot.na)
        start, hand, p_WH = plan.start_state(), robot.hands[i], _place(robot, i, parameters)
        kept = parameters.rpy_WH_rad is None
        R_WH = planner.pose(start.q, hand).rotation if kept else _rotation(parameters)
        goal = Goal(hand, p_WH, R_WH)
        try:
            if parameters.path == "line":
                planner.along_line(plan, start, goal, parameters.speed_m_s)
                return
            try:
                planner.to_pose(plan, start, goal)
            except MotionRefusedError:
                if not kept:
                    raise
                planner.to_pose(plan, start, Goal(hand, p_WH, None))
        except MotionRefusedError as refusal:
            key = "p_WH_m" if parameters.offset_m is None else "offset_m"
            raise BehaviourError((key,), _sentence(robot.hand_names[i], str(refusal))) from None

    def start(self, payload: Payload) -> None:
        """Begins the planned motion of an arm, or to move the hand to the target along a straight line."""
        joints = self.context.joints
        if joints is not None:
            joints.follow(PlanRow.of(payload, self.context.robot.na))
            return
        R_WH = payload["R_WH"]
        motion = self.context.hands.lead(int(payload["hand"][0]))
        motion.move(payload["p_WH"], R_WH.reshape(3, 3) if math.isfinite(R_WH[0]) else None)

    def advance(self, t_s: float, reference: PostureReference) -> None:
        """Ends the behaviour of an arm when its motion has ended."""
        joints = self.context.joints
        if joints is not None:
            self.done = joints.at_rest


def _sentence(hand: str, refusal: str) -> str:
    return refusal if refusal.startswith(hand) else f"{hand} does not get there: {refusal}"


def _check_way(robot: RobotModel, parameters: Any) -> None:
    """Raises BehaviourError for a way that the robot cannot be given."""
    if parameters.speed_m_s is not None and parameters.path != "line":
        raise BehaviourError(("speed_m_s",), "is the speed along a line: it needs path: line")
    if parameters.path is not None and (robot.floating or robot.na > MOST_JOINTS):
        which = "a robot on legs" if robot.floating else f"an arm of more than {MOST_JOINTS} joints"
        raise BehaviourError(("path",), f"is not for {which}, whose hand moves along a line: leave it out")


def hand_index(robot: RobotModel, hand: str | None) -> int:
    """Returns the index of a named hand, or of the only hand of the robot.

    Args:
        robot: the robot.
        hand: name of the hand; None on a robot with exactly one hand.

    Raises:
        BehaviourError: the robot has no hand of that name, or no name is given and it has several hands.
    """
    if not robot.hands:
        raise BehaviourError(("hand",), f"'{robot.name}' has no hands in its robot.yaml")
    if hand is None:
        if len(robot.hands) == 1:
            return 0
        raise BehaviourError(
            ("hand",),
            f"is missing, and {robot.name} has not exactly one hand (it has {', '.join(robot.hand_names)})",
        )
    if hand not in robot.hand_names:
        raise BehaviourError(
            ("hand",), f"'{hand}' is not a hand of {robot.name}{did_you_mean(hand, robot.hand_names)}"
        )
    return robot.hand_names.index(hand)


def _place(robot: RobotModel, i: int, parameters: Any) -> Vector:
    if parameters.p_WH_m is not None:
        return np.array(parameters.p_WH_m, dtype=np.float64)
    place: Vector = robot.nominal_point(robot.hands[i].frame_id) + np.array(parameters.offset_m)
    return place


def _rotation(parameters: Any) -> Vector:
    R_WH: Vector = pin.rpy.rpyToMatrix(np.array(parameters.rpy_WH_rad, dtype=np.float64))
    return R_WH
