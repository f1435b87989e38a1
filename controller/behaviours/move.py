"""Behaviour `move`: an arm moves to joint positions, or through several of them and poses of a hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pinocchio as pin
from pydantic import Field, model_validator

from kilohertz.controller.behaviours.base import (
    Behaviour,
    BehaviourError,
    BehaviourParameters,
    Legs,
    Payload,
    Vector3,
)
from kilohertz.controller.behaviours.reach import hand_index
from kilohertz.controller.joint_motion.inverse_kinematics import Goal, joint_range
from kilohertz.controller.joint_motion.plan_row import MOST_JOINTS, MOST_POINTS, PLAN_FIELDS, PlanRow
from kilohertz.controller.joint_motion.planner import MotionRefusedError, planner_of
from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.robots.config.config_error import did_you_mean
from kilohertz.robots.config.yaml_file import Config
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector


class MovePoint(Config):
    """One point of a motion: joint positions, or a pose of a hand.

    Attributes:
        q_rad: position by joint [rad, or m for a sliding joint]; joints that are left out keep theirs.
        hand: name of the hand; may be left out on a robot with one hand.
        p_WH_m: position of the hand in the world [m].
        rpy_WH_rad: orientation of the hand in the world [rad]; free if it is left out.
    """

    q_rad: dict[str, float] | None = None
    hand: str | None = None
    p_WH_m: Vector3 | None = None
    rpy_WH_rad: Vector3 | None = None

    @model_validator(mode="after")
    def _one_goal(self) -> Any:
        if (self.q_rad is None) == (self.p_WH_m is None):
            raise ValueError("say where to: exactly one of q_rad and p_WH_m")
        if self.q_rad is not None and (self.hand is not None or self.rpy_WH_rad is not None):
            raise ValueError("joint positions q_rad take neither hand nor rpy_WH_rad")
        return self


class Move(Behaviour):
    """Move an arm to joint positions or through several points, each of which is checked before it moves."""

    name = "move"
    legs = Legs.KEEP
    fixed_base = True
    fields = PLAN_FIELDS

    class Parameters(BehaviourParameters):
        """Parameters of `move`.

        Attributes:
            q_rad: position by joint [rad, or m for a sliding joint]; joints that are left out keep theirs.
            path: points in their order, instead of `q_rad`.
            stop: whether the arm stops at each point; otherwise it passes them where that is faster.
        """

        q_rad: dict[str, float] | None = None
        path: tuple[MovePoint, ...] | None = Field(default=None, min_length=1, max_length=MOST_POINTS)
        stop: bool = False

        @model_validator(mode="after")
        def _one_goal(self) -> Any:
            if (self.q_rad is None) == (self.path is None):
                raise ValueError("say where to: exactly one of q_rad and path")
            return self

    @classmethod
    def check(cls, robot: RobotModel, parameters: Any) -> None:
        """Raises BehaviourError for joints and hands that the robot has not, and for joint limits."""
        if robot.floating:
            raise BehaviourError((), f"'{robot.name}' has legs: only an arm on a fixed base can move so")
        if robot.na > MOST_JOINTS:
            raise BehaviourError((), f"'{robot.name}' has {robot.na} joints, more than {MOST_JOINTS}")
        if parameters.q_rad is not None:
            _check_joints(robot, parameters.q_rad, ("q_rad",))
        for i, point in enumerate(parameters.path or ()):
            if point.q_rad is not None:
                _check_joints(robot, point.q_rad, ("path", i, "q_rad"))
                continue
            try:
                hand_index(robot, point.hand)
            except BehaviourError as error:
                raise BehaviourError(("path", i, "hand"), str(error)) from None

    @classmethod
    def write(cls, robot: RobotModel, parameters: Any, payload: Payload) -> None:
        """Plans the motion and writes it."""
        plan = PlanRow.of(payload, robot.na)
        start, planner = plan.start_state(), planner_of(robot)
        q = start.q.copy()
        if parameters.path is None:
            try:
                planner.to_joints(plan, start, _with_joints(robot, q, parameters.q_rad))
            except MotionRefusedError as refusal:
                raise BehaviourError(("q_rad",), f"the arm cannot move there: {refusal}") from None
            return
        try:
            planner.through(plan, start, [_goal(robot, point) for point in parameters.path], parameters.stop)
        except MotionRefusedError as refusal:
            where = ("path",) if refusal.goal is None else ("path", refusal.goal)
            raise BehaviourError(where, f"the arm cannot move there: {refusal}") from None

    def start(self, payload: Payload) -> None:
        """Begins the planned motion."""
        if self.context.joints is not None:
            self.context.joints.follow(PlanRow.of(payload, self.context.robot.na))

    def advance(self, t_s: float, reference: PostureReference) -> None:
        """Ends the behaviour when its motion has ended."""
        self.done = self.context.joints is None or self.context.joints.at_rest


def _goal(robot: RobotModel, point: MovePoint) -> Goal | dict[int, float]:
    if point.q_rad is not None:
        return {robot.joint_names.index(joint): value for joint, value in point.q_rad.items()}
    R_WH = None if point.rpy_WH_rad is None else pin.rpy.rpyToMatrix(np.array(point.rpy_WH_rad))
    return Goal(robot.hands[hand_index(robot, point.hand)], np.array(point.p_WH_m, dtype=np.float64), R_WH)


def _with_joints(robot: RobotModel, q: Vector, given: dict[str, float]) -> Vector:
    for joint, value in given.items():
        q[robot.joint_names.index(joint)] = value
    return q


def _check_joints(robot: RobotModel, given: dict[str, float], loc: tuple[str | int, ...]) -> None:
    low, high = joint_range(robot)
    for joint, value in given.items():
        if joint not in robot.joint_names:
            hint = did_you_mean(joint, robot.joint_names)
            raise BehaviourError((*loc, joint), f"'{joint}' is not a joint of {robot.name}{hint}")
        i = robot.joint_names.index(joint)
        if not low[i] <= value <= high[i]:
            nearest = min(max(value, low[i]), high[i]) if value == value else robot.q_nominal[i]
            raise BehaviourError(
                (*loc, joint),
                f"should be from {low[i]:.3f} to {high[i]:.3f}, where motions of the joint can end, not "
                f"{value:g}; the nearest is {nearest:.3f}",
            )
