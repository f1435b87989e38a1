"""Plans motions of an arm to joint positions and to poses of its hands; outside the tick.

A motion is checked as a whole before it begins: every posture on the way keeps from the arm's own links and
from the ground, and the motion stays within the limits of the joints on position, speed, acceleration, jerk
and torque.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from kilohertz.controller.joint_motion.body_geometry import body_geometry
from kilohertz.controller.joint_motion.inverse_kinematics import ArmKinematics, Goal
from kilohertz.controller.joint_motion.motion_check import MotionCheck, Samples
from kilohertz.controller.joint_motion.path_search import search_way, way_is_free
from kilohertz.controller.joint_motion.plan_row import MOST_POINTS, JointState, PlanRow
from kilohertz.controller.joint_motion.trajectory import curve_through
from kilohertz.controller.upper_body.reach import arm_joints, nearest_pose
from kilohertz.robots.model.robot_model import HandModel, RobotModel
from kilohertz.robots.model.rows import Vector

_STARTS, _MORE_STARTS = 8, 40
"""Numbers of initial postures of the inverse kinematics: at first, and if these lead to no way."""
_MOST_SEARCHES = 4
"""Number of postures for one pose to which a way around the body is searched."""
_WELL_CONDITIONED, _LEAST_CONDITION = 0.1, 0.02
"""Smallest singular value of a hand's Jacobian that costs nothing, and the smallest on lines."""
_CONDITION_S, _STOP_S = 0.3, 0.2
"""Time that a posture at a singularity, or with a joint at the end of its range, has to be worth [s]."""
_LARGEST_STEP_RAD = 0.6
_STRAIGHT_M, _STRAIGHT_RAD = 2e-4, 2e-3
_AT_REST_RAD_S = 0.02
_BLENDS = ((True, 0.9), (True, 0.6), (True, 0.3), (False, 1.0), (False, 0.5))
"""Ways to pass points that are tried: whether a joint may run past a point and come back, and the speed
relative to the fastest one."""
_NEAR_M = 0.02
_MOST_ROBOTS = 4


class MotionRefusedError(Exception):
    """Raised for a motion that is not possible; the message is the end of a sentence about the goal.

    Args:
        sentence: the message.
        goal: number of the goal among several, from 0; None if there is one goal, or all are concerned.

    Attributes:
        goal: as in the argument.
    """

    def __init__(self, sentence: str, goal: int | None = None) -> None:
        super().__init__(sentence)
        self.goal = goal


@dataclass(frozen=True)
class Planned:
    """A motion that was checked.

    Attributes:
        motion: the motion over time.
        end: (na,) joint positions at its end [rad].
    """

    motion: Samples
    end: Vector


class Planner:
    """Plans motions of one robot.

    Args:
        robot: robot with a fixed base and at most MOST_JOINTS joints.
    """

    def __init__(self, robot: RobotModel) -> None:
        self._robot = robot
        self._geometry = body_geometry(robot)
        self._kinematics = ArmKinematics(robot)
        self._check = MotionCheck(robot, self._geometry)

    def pose(self, q: Vector, hand: HandModel) -> pin.SE3:
        """Returns the pose of a hand in the world at a posture (na,) [rad]."""
        return self._kinematics.pose(q, hand)

    # Goals

    def to_pose(self, plan: PlanRow, start: JointState, goal: Goal) -> Planned:
        """Plans the fastest motion to a pose of a hand that is found.

        Args:
            plan: output.
            start: state from which the motion begins.
            goal: pose of a hand.

        Raises:
            MotionRefusedError: the pose is out of reach, or no way leads to it.
        """
        why = ""
        for starts, seed in ((_STARTS, 0), (_MORE_STARTS, 1)):
            found = list(self._kinematics.solutions(goal, start.q, starts, seed))
            found.sort(key=lambda q: self._cost_s(q, start.q, goal))
            free = [q for q in found if self._geometry.free(q)]
            if found and not free:
                why = f"{self._geometry.touching(found[0])} would touch there"
            for q in free:
                planned, why = self._directly(plan, start, q)
                if planned is not None:
                    return planned
            for q in free[:_MOST_SEARCHES]:
                planned = self._around(plan, start, q)
                if planned is not None:
                    return planned
        raise MotionRefusedError(why or self._out_of_reach(goal))

    def to_joints(self, plan: PlanRow, start: JointState, q: Vector) -> Planned:
        """Plans the fastest motion to (na,) joint positions [rad].

        Args:
            plan: output.
            start: state from which the motion begins.
            q: (na,) joint positions, within their limits [rad].

        Raises:
            MotionRefusedError: the arm collides there, or no way leads there.
        """
        if not self._geometry.free(q):
            raise MotionRefusedError(f"{self._geometry.touching(q)} would touch there")
        planned, why = self._directly(plan, start, q)
        planned = planned or self._around(plan, start, q)
        if planned is None:
            raise MotionRefusedError(why)
        return planned

    def along_line(
        self, plan: PlanRow, start: JointState, goal: Goal, speed_m_s: float | None = None
    ) -> Planned:
        """Plans a motion in which the hand moves along a straight line and turns about a fixed axis.

        Args:
            plan: output.
            start: state from which the motion begins, at rest.
            goal: pose of a hand.
            speed_m_s: largest speed of the hand [m/s]; None for the fastest motion.

        Raises:
            MotionRefusedError: the line leaves the reach of the arm, passes a singularity or collides.
        """
        if np.abs(start.v).max() > _AT_REST_RAD_S:
            raise MotionRefusedError(
                "the arm still moves, and a straight line begins at rest: ask again then"
            )
        q = self._postures_on_line(start.q, goal)
        spline = curve_through(q)
        along = np.linspace(0.0, 1.0, 8 * MOST_POINTS)
        slope, bend = np.abs(spline(along, 1)), np.abs(spline(along, 2))
        limits = self._check.limits
        speed = float((limits.speed / np.maximum(slope.max(axis=0), 1e-6)).min())
        speed = min(speed, float(np.sqrt((limits.accel / np.maximum(bend.max(axis=0), 1e-6)).min())))
        if speed_m_s is not None:
            begin = self._kinematics.pose(start.q, goal.hand).translation
            speed = min(speed, speed_m_s / max(float(np.linalg.norm(goal.p_WH - begin)), 1e-3))
        accel = float((limits.accel / np.maximum(slope.max(axis=0), 1e-6)).min())
        jerk = float((limits.jerk / np.maximum(slope.max(axis=0), 1e-6)).min())
        plan.write_start(start)
        plan.write_curve(q, (speed, accel, jerk))
        motion = self._check.slow_down(plan, start)
        if motion is None:
            raise MotionRefusedError("its torque limits do not let the arm move along this line")
        touching = self._check.collision(motion)
        if touching:
            raise MotionRefusedError(f"{touching} would touch on the straight line; leave out path: line")
        return Planned(motion, q[-1])

    def through(
        self, plan: PlanRow, start: JointState, goals: Sequence[Goal | Mapping[int, float]], stop: bool
    ) -> Planned:
        """Plans a motion through several goals.

        Args:
            plan: output.
            start: state from which the motion begins.
            goals: poses of hands, or positions by index of the joint [rad], in their order.
            stop: whether the arm stops at each of them; otherwise it passes them.

        Raises:
            MotionRefusedError: a goal is not reached.
        """
        way: list[Vector] = []
        here = start
        for i, goal in enumerate(goals):
            part = PlanRow.empty(len(start.q))
            try:
                if isinstance(goal, Goal):
                    planned = self.to_pose(part, here, goal)
                else:
                    q = here.q.copy()
                    q[list(goal)] = list(goal.values())
                    planned = self.to_joints(part, here, q)
            except MotionRefusedError as refusal:
                raise MotionRefusedError(str(refusal), i) from None
            way += list(part.q[: part.points].copy())
            here = JointState.at_rest(planned.end)
        if len(way) > MOST_POINTS:
            raise MotionRefusedError(f"the way has {len(way)} points, at most {MOST_POINTS} are possible")
        best = self._stopping(plan, start, way)
        if not stop and len(way) > 1:
            best = self._passing(plan, start, way, best) or best
        if best is None:
            raise MotionRefusedError("its links would touch on the way, or its torque limits do not allow it")
        return Planned(best, way[-1])

    # Ways

    def _directly(self, plan: PlanRow, start: JointState, q: Vector) -> tuple[Planned | None, str]:
        """Plans the fastest motion without points on the way; returns it, or why there is none."""
        plan.write_start(start)
        plan.write_via(q[None])
        motion = self._check.slow_down(plan, start)
        if motion is None:
            return None, "the torque limits of the arm do not let it hold that posture, or get there"
        if self._check.beyond_range(motion):
            return None, "a joint would leave its range on the way"
        touching = self._check.collision(motion)
        if touching:
            return None, f"{touching} would touch on the way"
        return Planned(motion, q.copy()), ""

    def _around(self, plan: PlanRow, start: JointState, q: Vector) -> Planned | None:
        """Plans a motion around the body; None if no way is found."""
        rest = start.q.copy()
        free = self._geometry.free
        if not free(rest):
            return None
        low, high = self._kinematics.low, self._kinematics.high
        nominal = self._robot.q_nominal
        if free(nominal) and way_is_free(free, rest, nominal) and way_is_free(free, nominal, q):
            way: list[Vector] | None = search_way(free, rest, q, low, high) or [nominal.copy(), q.copy()]
        else:
            way = search_way(free, rest, q, low, high)
        if way is None or len(way) > MOST_POINTS:
            return None
        best = self._stopping(plan, start, way)
        best = self._passing(plan, start, way, best) or best
        return None if best is None else Planned(best, q.copy())

    def _stopping(self, plan: PlanRow, start: JointState, way: list[Vector]) -> Samples | None:
        """Writes a motion that stops at each point of a way; None if it is not possible."""
        plan.write_start(start)
        for straight in (False, True):
            plan.write_via(np.array(way), straight=straight)
            motion = self._check.slow_down(plan, start)
            if motion is not None and self._is_possible(motion):
                return motion
        return None

    def _passing(
        self, plan: PlanRow, start: JointState, way: list[Vector], best: Samples | None
    ) -> Samples | None:
        """Writes the fastest motion that passes the points; leaves the plan as it is if none is faster."""
        trial, na = PlanRow.empty(len(start.q)), len(start.q)
        found = None
        for past, part in _BLENDS:
            trial.write_start(start)
            v = part * self._passing_speeds([start.q, *way], past)
            trial.write_via(np.array(way), v)
            motion = self._check.slow_down(trial, start)
            if motion is None or not self._is_possible(motion):
                continue
            # A motion that is slowed down passes the points more slowly, too.
            if best is None or motion.duration_s < best.duration_s:
                best = found = motion
                kept = trial.q[: len(way), :na].copy(), trial.v[: len(way), :na].copy(), trial.head.copy()
        if found is not None:
            plan.q[: len(way)], plan.v[: len(way)], plan.head[:] = kept
        return found

    def _passing_speeds(self, way: list[Vector], past: bool) -> Vector:
        """Returns (n, na) velocities at the points after the first; 0 at the last.

        Args:
            way: (na,) points [rad].
            past: whether a joint that turns at a point may run past it; else it stops there.
        """
        limits, q = self._check.limits, np.array(way)
        ways = np.diff(q, axis=0)
        v = np.zeros_like(ways)
        for i in range(len(ways) - 1):
            times = [max(float((np.abs(w) / limits.speed).max()), 1e-3) for w in ways[i : i + 2]]
            first, second = ways[i] / times[0], ways[i + 1] / times[1]
            mean = 0.5 * (first + second)
            near = np.maximum(np.abs(ways[i]), np.abs(ways[i + 1]))
            if not past:
                slower = np.minimum(np.abs(first), np.abs(second))
                mean = np.where(first * second > 0.0, np.sign(first) * slower, 0.0)
                near = np.minimum(np.abs(ways[i]), np.abs(ways[i + 1]))
            most = np.minimum(np.sqrt(limits.accel * near), limits.speed)
            share = float(np.min(np.where(np.abs(mean) > 1e-9, most / np.maximum(np.abs(mean), 1e-9), 1.0)))
            v[i] = min(share, 1.0) * mean
        return v

    def _is_possible(self, motion: Samples) -> bool:
        return not (self._check.beyond_range(motion) or self._check.collision(motion))

    def _postures_on_line(self, start: Vector, goal: Goal) -> Vector:
        """Returns MOST_POINTS postures in which the hand is on the straight line to the goal."""
        kinematics, hand = self._kinematics, goal.hand
        begin = kinematics.pose(start, hand)
        joints = np.array(arm_joints(self._robot, hand))
        R_end = begin.rotation if goal.R_WH is None else goal.R_WH
        turn = pin.log3(begin.rotation.T @ R_end)
        way = goal.p_WH - begin.translation
        q = np.tile(start, (MOST_POINTS, 1))
        for i, s in enumerate(np.linspace(0.0, 1.0, MOST_POINTS)[1:], start=1):
            on_line = Goal(hand, begin.translation + s * way, begin.rotation @ pin.exp3(s * turn))
            q[i] = q[i - 1] if i == 1 else 2.0 * q[i - 1] - q[i - 2]
            found = kinematics.follow(on_line, q[i], q[i - 1], joints)
            if not found or np.abs(q[i] - q[i - 1]).max() > _LARGEST_STEP_RAD:
                reached = ", ".join(f"{x:.2f}" for x in begin.translation + (i - 1) / (MOST_POINTS - 1) * way)
                singular = kinematics.condition(q[i - 1], hand) < _WELL_CONDITIONED
                why = "passes a singularity" if singular else "leaves the reach of the arm"
                raise MotionRefusedError(f"the straight line {why} after [{reached}]; leave out path: line")
        spline = curve_through(q)
        for s in (np.arange(MOST_POINTS - 1) + 0.5) / (MOST_POINTS - 1):
            off = kinematics.pose(spline(s), hand).translation - (begin.translation + s * way)
            if np.linalg.norm(off) > _STRAIGHT_M or kinematics.condition(spline(s), hand) < _LEAST_CONDITION:
                raise MotionRefusedError("the straight line passes a singularity; leave out path: line")
        return q

    def _cost_s(self, q: Vector, present: Vector, goal: Goal) -> float:
        """Returns the time that a posture costs: that of the way, and what a poor posture has to be worth."""
        time_s = float((np.abs(q - present) / self._check.limits.speed).max())
        condition = self._kinematics.condition(q, goal.hand)
        low, high = self._kinematics.low, self._kinematics.high
        span = np.where(np.isfinite(high - low), high - low, 2.0 * math.pi)
        near = float(np.where(np.isfinite(high - low), np.minimum(q - low, high - q) / span, 0.5).min())
        poor = _CONDITION_S * max(0.0, 1.0 - condition / _WELL_CONDITIONED)
        return time_s + poor + _STOP_S * max(0.0, 1.0 - near / 0.05)

    def _out_of_reach(self, goal: Goal) -> str:
        nearest = nearest_pose(self._robot, goal.hand, goal.p_WH, goal.R_WH)
        return f"{goal.hand.name} does not get there{nearest.describe(goal.R_WH is not None)}"


@functools.lru_cache(maxsize=_MOST_ROBOTS)
def planner_of(robot: RobotModel) -> Planner:
    """Returns the planner of a robot, whose geometry is read once."""
    return Planner(robot)
