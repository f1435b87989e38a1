"""Pose tasks of the hands, for robots that stand, walk or are bolted to the ground.

A hand's target is a pose in the world or in the level frame of the robot (see `hand_kernels`). While a hand
has a target, its pose task is active in addition to those of standing or walking. The weight of the task is
ramped up and down by a constant factor per second, so that no torque jumps, and so that an arm that swings
with the walk comes to its pose gradually. A hand without a target follows the posture task.

The whole body follows a reach or a circle. Only the arm follows a target that is held during another
behaviour: when the whole body followed it, a target just out of reach pulled a robot that stepped in place
along at 0.1 m/s.
"""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.motion.remarks import Remarks
from kilohertz.controller.streams.stream_row import MOST_HANDS, StreamRow
from kilohertz.controller.tasks import frame_pose as pose
from kilohertz.controller.upper_body.hand_kernels import (
    HEADING,
    MOVED,
    RATE,
    LevelFrame,
    bound_pull,
    follow_base,
    follow_trunk,
    from_level,
)
from kilohertz.controller.upper_body.hand_motion import HandMotion
from kilohertz.controller.upper_body.hand_stream import HandStream
from kilohertz.controller.upper_body.hand_targets import (
    BASE,
    TARGET_FRAME,
    TARGET_P,
    TARGET_R,
    WORLD,
)
from kilohertz.controller.upper_body.reach import arm_joints, orientation_part
from kilohertz.controller.upper_body.wrench_stream import WrenchStream
from kilohertz.controller.whole_body.whole_body import Task, WholeBody
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.model.kin import ANGULAR, MOMENT
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import HandModel, RobotModel
from kilohertz.robots.model.rows import Vector

_RAMP_S = 0.4
_LEAST_WEIGHT = 1e-5
"""Smallest weight of a hand's task relative to the full one; negligible against the posture's weight."""
_GIVE, _GIVE_RAMP_S = 0.46, 0.1
"""Reduction of a hand's ramp value after a push, which divides the weight by 200, and the ramp time [s].

After a push the arms help to keep balance, which matters more than what they hold. With a tray, 59 of 64
pushes of 10 Ns were survived instead of 52.
"""
_HELD_M, _LOST_M = 0.02, 0.08
"""Distances from the target in the world at which it counts as reached, and then as lost again [m]."""
_PULLS = np.array([0.04, 0.006, 0.25, 0.06, 40.0, 10.0])
"""Limits of the pull of a hand's task, see `hand_kernels`, for targets that may be out of reach. A target 2 m
away pulled a standing robot off its soles; and a hand that pressed against the robot's back with the full
torque of the shoulder turned its trunk by 90 degrees."""
_LEVEL = np.eye(3)


def hand_tasks(robot: RobotModel, gains: Gains) -> list[Task]:
    """Returns a pose task for every hand."""
    pairs = [gains.hand.kp_per_s2, gains.hand.kd_per_s] * 2
    frames = robot.pin_model.frames
    tasks = []
    for hand in robot.hands:
        orientation = gains.hand.orientation_weight * orientation_part(robot, hand)
        weight = [gains.hand.weight] * 3 + [orientation] * 3
        tasks.append(Task(hand.name, "frame_pose", weight, pairs, frames[hand.frame_id].name))
    return tasks


class _Hand:
    """One hand: its motion, its task, and the present weight of that task.

    Attributes:
        on: whether the task is switched on.
        wanted: whether the hand has a target.
        part: ramp value of the task's weight, in [0, 1].
        turned: whether the target has an orientation.
        turn: ramp value of the weight of the orientation, in [0, 1].
        in_base: whether the motion is given in the level frame; otherwise it is given in the world.
        orientation_part: factor on the weight of the orientation.
        first: first column of vdot that belongs to the hand's arm.
        alone: whether only the arm follows the target, and not the whole body.
        held: whether the hand has reached its target in the world.
        pulled: (2,) how much the hand is blocked, and whether its reference was moved towards it in the last
            tick, see `bound_pull`.
        told: whether a remark was written that the hand does not reach its target in the world.
        stream, wrench: streams of its targets and of the wrench that it exerts; None without streams.
        streamed: whether the stream leads the hand.
    """

    def __init__(self, robot: RobotModel, gains: Gains, body: WholeBody, hand: HandModel) -> None:
        self.name = hand.name
        self.stream: HandStream | None = None
        self.wrench: WrenchStream | None = None
        self.streamed = False
        self.motion = HandMotion(gains.hand.speed_m_s)
        self.ref, self.gain, self.weight = (f(hand.name) for f in (body.reference, body.gain, body.weight))
        self.des = pose.views(self.ref)
        self.full = self.weight.copy()
        self.orientation_part = orientation_part(robot, hand)
        self.frame = body.frame_index[robot.pin_model.frames[hand.frame_id].name]
        self.first = robot.n_base + min(arm_joints(robot, hand), default=0)
        self.on = self.wanted = self.turned = False
        self.in_base = self.alone = self.held = self.told = False
        self.part = self.turn = 0.0
        self.pulled = np.zeros(2)

    def write_weight(self) -> None:
        """Writes the task's weight for the present ramp values."""
        np.multiply(self.full, _LEAST_WEIGHT ** (1.0 - self.part), out=self.weight)
        self.weight[MOMENT:] *= _LEAST_WEIGHT ** (1.0 - self.turn) if self.turn else 0.0


class Hands:
    """Writes the references of all hands that have a target.

    Args:
        robot: the robot.
        gains: gains of the robot.
        body: the whole-body controller, with `hand_tasks` declared.
        remarks: receives a sentence if a hand cannot reach or keep its target.
        streams: row of streamed targets; None without streams.
        dt_s: nominal control period [s].

    Attributes:
        active: (nh,) whether the task of each hand is switched on.
        p_WH_des: (nh, 3) reference position of each hand in the world [m].
        frames: index of each hand's frame in `Kin`.
        busy: whether the task of any hand is switched on.
    """

    def __init__(
        self,
        robot: RobotModel,
        gains: Gains,
        body: WholeBody,
        remarks: Remarks,
        streams: StreamRow | None = None,
        dt_s: float = PERIOD_S,
    ) -> None:
        self._body, self._floating, self._remarks = body, robot.floating, remarks
        self._hands = [_Hand(robot, gains, body, hand) for hand in robot.hands]
        if streams is not None:
            for i, hand in enumerate(self._hands[:MOST_HANDS]):
                hand.stream = HandStream(robot, gains, streams, i, hand.motion.row, body.arrays.kin, dt_s)
                hand.wrench = WrenchStream(robot, gains, streams, i, hand.frame, body.arrays.kin)
        self.active, self.p_WH_des = np.zeros(len(self._hands), dtype=bool), np.zeros((len(self._hands), 3))
        self.frames = tuple(hand.frame for hand in self._hands)
        self.busy = False
        self._level = level = LevelFrame(
            np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(2), body.frame_index.get(robot.base_link, 0)
        )
        if not self._hands:
            return
        vector = "f8[::1]"
        self._bound_pull = bind(
            "bound_pull",
            [bound_pull],
            call={"f": "i8", "base": "i8", "dt_s": "f8", "whole": "b1"}
            | {name: vector for name in ("ref", "gain", "state")},
            structs={"k": body.arrays.kin},
            persistent={"limits": _PULLS.copy(), "work": np.zeros((4, 3, 3))},
            returns="f8",
        )
        if not robot.floating:
            return
        structs, vdot = {"k": body.arrays.kin, "level": level}, {"vdot": body.solution.vdot}
        self._follow = bind(
            "level_frame",
            [follow_base],
            call={"dt_s": "f8", "R_des": "f8[:,::1]"},
            structs=structs,
            persistent=vdot,
        )
        self._write = bind(
            "from_level", [from_level], call={"motion": vector, "ref": vector}, structs=structs
        )
        self._follow_trunk = bind(
            "follow_trunk",
            [follow_trunk],
            call={"f": "i8", "first": "i8", "ref": vector},
            structs=structs,
            persistent=vdot,
        )

    def retune(self, gains: Gains) -> None:
        """Applies the values of these gains; a weight that is being ramped continues its ramp."""
        for hand in self._hands:
            hand.motion.speed_m_s = gains.hand.speed_m_s
            hand.full[:MOMENT] = gains.hand.weight
            hand.full[MOMENT:] = gains.hand.orientation_weight * hand.orientation_part
            if hand.on:
                hand.write_weight()
            else:
                hand.weight[:] = hand.full

    @property
    def steady(self) -> bool:
        """Whether no hand is on its way to a target, or follows a stream."""
        return not self.busy or all(
            hand.stream.rests if hand.streamed and hand.stream is not None else hand.motion.steady
            for hand in self._hands
            if hand.on
        )

    @property
    def streamed(self) -> bool:
        """Whether a stream leads any hand."""
        return any(hand.streamed for hand in self._hands)

    @property
    def circling(self) -> bool:
        """Whether any hand draws circles."""
        return any(hand.on and hand.motion.circles for hand in self._hands)

    @property
    def exerts(self) -> bool:
        """Whether a hand exerts a streamed wrench."""
        return any(hand.wrench is not None and hand.wrench.busy for hand in self._hands)

    # Requests

    def start(self, stay: bool = False) -> None:
        """Starts with all hands at their present poses.

        Args:
            stay: whether the hands hold these poses; otherwise they are free.
        """
        kin = self._body.arrays.kin
        for i, hand in enumerate(self._hands):
            hand.motion.place(kin.R[hand.frame], kin.p[hand.frame])
            hand.in_base = hand.alone = False
            hand.gain[pose.FIRST_COLUMN] = 0.0
            hand.weight[:] = hand.full
            hand.wanted = hand.turned = stay
            hand.part = hand.turn = float(stay)
            hand.streamed = False
            hand.pulled[:] = 0.0
            if hand.stream is not None and hand.wrench is not None:
                hand.stream.reset()
                hand.wrench.reset()
            self._switch(i, stay)

    def lead(self, i: int) -> HandMotion:
        """Switches on a hand's task in the world, with a target that the whole body follows.

        Args:
            i: index of the hand.

        Returns:
            The motion of the hand, which begins at its present pose.
        """
        self._put_stream_aside(self._hands[i])
        self._lead(i, False, False, True, _LEVEL)
        return self._hands[i].motion

    def motion(self, i: int) -> HandMotion:
        """Returns the motion of a hand."""
        return self._hands[i].motion

    def stop_led(self) -> None:
        """Lets the hands stop whose references were written by the caller, after `follow_row`."""
        for hand in self._hands:
            if hand.on and hand.motion.at_rest and not hand.streamed:
                hand.motion.move(None, None)

    def take(self, targets: Vector, free: bool, R_des: Vector) -> None:
        """Switches to the targets of a new request.

        A hand without a new target stops where its reference is and holds that pose, unless `free` is set. A
        hand that is being streamed to follows its stream, unless it gets a new target.

        Args:
            targets: (n, HAND_TARGET_SIZE) target of each hand, see `hand_targets`.
            free: whether hands without a target are released.
            R_des: (3, 3) desired heading of the robot in the world.
        """
        for i, (hand, target) in enumerate(zip(self._hands, targets, strict=False)):
            if target[TARGET_FRAME] in (BASE, WORLD):
                self._put_stream_aside(hand)
                turned = math.isfinite(target[TARGET_R])
                self._lead(i, target[TARGET_FRAME] == BASE and self._floating, self._floating, turned, R_des)
                R = target[TARGET_R:].reshape(3, 3) if turned else None
                hand.motion.move(target[TARGET_P:TARGET_R], R)
            elif hand.streamed and hand.stream is not None and hand.stream.alive:
                continue
            elif free:
                hand.wanted = False
            elif hand.on:
                if hand.streamed and hand.pulled[MOVED]:
                    self._begin_at_reference(hand, hand.in_base, R_des)
                hand.motion.move(None, None)
            hand.streamed = False

    def follow_streams(self, t_s: float, dt_s: float, R_des: Vector) -> None:
        """Reads the newest streamed targets, and switches to them the hands that have one.

        Args:
            t_s: time of the tick's sensor sample [s].
            dt_s: time since the last tick [s].
            R_des: (3, 3) desired heading of the robot in the world.
        """
        for i, hand in enumerate(self._hands):
            stream = hand.stream
            if stream is None or hand.wrench is None:
                continue
            hand.wrench.advance(t_s, dt_s)
            if not stream.read(t_s):
                continue
            if not hand.streamed or hand.in_base != stream.in_base or not hand.wanted:
                self._lead(i, stream.in_base, self._floating, stream.turned, R_des)
                stream.start()
                hand.streamed = True
            hand.turned = stream.turned

    @staticmethod
    def _put_stream_aside(hand: _Hand) -> None:
        hand.streamed = False
        if hand.stream is not None:
            hand.stream.put_aside()

    def release(self) -> None:
        """Releases all hands, because the joints are moved one by one."""
        for hand in self._hands:
            hand.wanted = hand.streamed = False

    def put_down(self) -> None:
        """Switches all hands' tasks off at once, because other tasks take their place in this tick."""
        for i, hand in enumerate(self._hands):
            hand.wanted = hand.streamed = False
            hand.part = hand.turn = 0.0
            self._switch(i, False)

    def let_go(self) -> None:
        """Releases the hands whose targets the whole body follows, because the robot is about to step."""
        for hand in self._hands:
            hand.wanted = hand.wanted and hand.alone

    def _lead(self, i: int, in_base: bool, alone: bool, turned: bool, R_des: Vector) -> None:
        """Switches on a hand's task in the level frame or in the world; it begins with the present motion."""
        hand, kin = self._hands[i], self._body.arrays.kin
        if in_base and not any(other.on and other.in_base for other in self._hands):
            self._level.turn[HEADING] = math.atan2(R_des[1, 0], R_des[0, 0])
        if not hand.on:
            R, vel = kin.R[hand.frame], kin.vel[hand.frame]
            v, w = R @ vel[:ANGULAR], R @ vel[ANGULAR:]
            self._see(hand.motion.row, R, kin.p[hand.frame], v, w, in_base, R_des)
            hand.pulled[:] = 0.0
            self._switch(i, True)
        elif in_base != hand.in_base or hand.pulled[MOVED]:
            # Not from the target, which may be far away.
            self._begin_at_reference(hand, in_base, R_des)
        hand.in_base, hand.alone, hand.turned, hand.wanted = in_base, alone, turned, True
        hand.held = hand.told = False
        hand.gain[pose.FIRST_COLUMN] = hand.first if alone else 0.0

    def _begin_at_reference(self, hand: _Hand, in_base: bool, R_des: Vector) -> None:
        """Sets the motion of a hand to the reference of its task, as it was bounded."""
        des = hand.des
        self._see(hand.motion.row, des.R, des.p, des.v, des.w, in_base, R_des)
        hand.pulled[MOVED] = 0.0

    def _see(
        self, row: Vector, R: Vector, p: Vector, v: Vector, w: Vector, in_base: bool, R_des: Vector
    ) -> None:
        """Writes a motion in the world into `row`, converted to the level frame for `in_base`.

        The accelerations are set to zero.
        """
        motion = pose.views(row)
        motion.R[:], motion.p[:], motion.v[:], motion.w[:] = R, p, v, w
        motion.a[:] = motion.wdot[:] = 0.0
        if in_base:
            self._follow(0.0, R_des)
            level, up = self._level, np.array([0.0, 0.0, float(self._level.turn[RATE])])
            turn = pin.rpy.rpyToMatrix(0.0, 0.0, float(level.turn[HEADING])).T
            motion.R[:] = turn @ R
            motion.p[:] = turn @ (p - level.p)
            motion.v[:] = turn @ (v - level.v - np.cross(up, p - level.p))
            motion.w[:] = turn @ (w - up)

    def _switch(self, i: int, on: bool) -> None:
        self._hands[i].on = self.active[i] = on
        self._body.switch(self._hands[i].name, on)
        self.busy = any(hand.on for hand in self._hands)

    # The tick

    def advance(self, dt_s: float, R_des: Vector, upset: float = 0.0) -> None:
        """Writes the references for this tick; the kinematics must be those of this tick.

        Args:
            dt_s: time since the last tick [s].
            R_des: (3, 3) desired heading of the robot in the world.
            upset: how much the arms are needed to keep balance, in [0, 1].
        """
        if not self.busy:
            return
        if self._floating:
            self._follow(dt_s, R_des)
        for i, hand in enumerate(self._hands):
            if not hand.on:
                continue
            motion, ref = hand.motion, hand.ref
            if hand.streamed and hand.stream is not None:
                hand.stream.advance(dt_s)
            else:
                motion.advance(dt_s)
            if hand.in_base:
                self._write(motion.row, ref)
            else:
                ref[:] = motion.row
            self.p_WH_des[i] = hand.des.p
            if hand.streamed or (self._floating and not (hand.alone and hand.in_base)):
                self._bound(hand, dt_s)
            if hand.alone:
                self._follow_trunk(hand.frame, hand.first, ref)
            goal = 0.0
            if hand.wanted:
                goal = 1.0 - _GIVE * upset if hand.alone else 1.0
            if hand.part != goal or hand.turn != hand.turned:
                self._ramp(i, goal, dt_s)

    def _ramp(self, i: int, goal: float, dt_s: float) -> None:
        hand = self._hands[i]
        step = dt_s / (_GIVE_RAMP_S if min(goal, hand.part) >= 1.0 - _GIVE else _RAMP_S)
        hand.part = min(hand.part + step, goal) if goal > hand.part else max(hand.part - step, goal)
        hand.turn = min(hand.turn + step, 1.0) if hand.turned else max(hand.turn - step, 0.0)
        hand.write_weight()
        if hand.part == 0.0:
            hand.turn = 0.0
            self._switch(i, False)

    def _bound(self, hand: _Hand, dt_s: float) -> None:
        """Clips the distance of the reference from the hand, and releases a target that the hand has lost."""
        base = self._level.base if self._floating else -1
        whole = self._floating and not hand.alone
        off_m = self._bound_pull(hand.frame, base, dt_s, whole, hand.ref, hand.gain, hand.pulled)
        if not hand.wanted or hand.streamed or hand.in_base:
            return
        if off_m < _HELD_M:
            hand.held = hand.motion.at_rest
        elif off_m > _LOST_M and hand.held and hand.alone:
            hand.wanted = False
            self._remarks.last = f"{hand.name} lets go of its place in the world, which is out of its reach"
        elif off_m > _LOST_M and not hand.told:
            hand.told = True
            self._remarks.last = f"{hand.name} does not get to its place in the world, and points there"
