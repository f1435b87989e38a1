"""What the hands are asked to do, whatever the rest of the robot does: stand, walk, be bolted to the ground.

A hand's job is a pose, in the world or in the level frame of the robot (see `hand_kernels`). Its task is
switched on for as long, beside the tasks of whatever mode the legs are in, and its weight grows and vanishes
over a while, by a constant factor a second: so no torque jumps, and an arm that swings with the walk does so
less and less. A hand without a job is the posture's.
"""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin

from controller.behaviours.hand_kernels import follow_base, from_level
from controller.behaviours.hand_motion import HandMotion
from controller.gains import Gains
from controller.jobs import BASE, WORLD
from controller.reach import Shoulder, shoulder_of
from controller.request import CIRCLE, FOOTSTEPS, REACH, WALK, RequestRow
from controller.whole_body import Task, WholeBody
from estimators.bound_kernel import bind
from robots.model import RobotModel
from robots.rows import Vector

_RAMP_S = 0.4
_LEAST_WEIGHT = 1e-5
"""Of the whole one: next to nothing beside the posture's weight."""
_OFF_M = 0.1
"""A point in the world that was in reach and is now this far out of it is let go."""
_TOLD_M = 0.03


def hand_tasks(robot: RobotModel, gains: Gains) -> list[Task]:
    """A pose task for every hand."""
    hand = gains.hand
    weight = [hand.weight] * 3 + [hand.orientation_weight] * 3
    pairs = [hand.kp_per_s2, hand.kd_per_s] * 2
    frames = robot.pin_model.frames
    return [Task(h.name, "frame_pose", weight, pairs, frames[h.frame_id].name) for h in robot.hands]


class Hands:
    """References of all hands, each of which has a job or none.

    Args:
        robot: the robot.
        gains: its gains.
        body: the whole-body controller, with `hand_tasks` declared.

    Attributes:
        active: (nh,) whether the hand has a job.
        p_WH_des: (nh, 3) its reference [m].
        remark: what a hand could not do, one sentence; "" before there is any.
    """

    def __init__(self, robot: RobotModel, gains: Gains, body: WholeBody) -> None:
        self._robot, self._body = robot, body
        n = len(robot.hands)
        self.active, self.p_WH_des = np.zeros(n, dtype=bool), np.zeros((n, 3))
        self.remark = ""
        self._names = robot.hand_names
        self._motions = [HandMotion(gains.hand.speed_m_s) for _ in robot.hands]
        self._refs = [body.reference(name) for name in self._names]
        self._frames = [body.frame_index[robot.pin_model.frames[h.frame_id].name] for h in robot.hands]
        self._weights = [body.weight(name) for name in self._names]
        self._full = [weight.copy() for weight in self._weights]
        self._in_base = [False] * n
        self._wanted = [False] * n
        self._part = [0.0] * n
        self._busy = False
        self._level = np.zeros(8)
        self._shoulders: list[Shoulder | None] = [None] * n
        self._bounded = [False] * n
        self._held = [False] * n
        self._told = [False] * n
        if robot.floating and n:
            self._shoulders = [shoulder_of(robot, hand) for hand in robot.hands]
            kin = body.arrays.kin
            persistent = {
                "p": kin.p,
                "R": kin.R,
                "vel": kin.vel,
                "base": np.array([body.frame_index[robot.base_link]]),
                "level": self._level,
            }
            vector, matrix = "f8[::1]", "f8[:,::1]"
            self._follow = bind(
                "level_frame", [follow_base], call={"dt_s": "f8", "R_des": matrix}, persistent=persistent
            )
            self._write = bind(
                "from_level", [from_level], call={"motion": vector, "ref": vector}, persistent=persistent
            )

    @property
    def any_active(self) -> bool:
        """Whether some hand has a job, be it one that is just ending."""
        return self._busy

    # Requests

    def start(self, stay: bool = False) -> None:
        """Takes the hands as they are: free, or held where they are."""
        kin = self._body.arrays.kin
        self.remark = ""
        for i, frame in enumerate(self._frames):
            self._motions[i].place(kin.R[frame], kin.p[frame])
            self._in_base[i] = self._bounded[i] = False
            self._wanted[i], self._part[i] = stay, float(stay)
            self._weights[i][:] = self._full[i]
            self.active[i] = stay
            self._body.switch(self._names[i], stay)
        self._busy = stay and bool(self._frames)

    def take(self, request: RequestRow, R_des: Vector) -> None:
        """Switches to what a request says of the hands.

        A hand of which it says nothing holds on to what it does; for a walk, it swings with the walk.

        Args:
            request: of any behaviour.
            R_des: (3, 3) heading of the robot.
        """
        code = int(request.behaviour[0])
        if code in (REACH, CIRCLE):
            i = int(request.hand[0])
            self._lead(i, in_base=False, R_des=R_des)
            self._motions[i].take(request)
            return
        jobs = request.jobs()
        for i in range(min(len(self._names), len(jobs))):
            job = jobs[i]
            if job[0] in (BASE, WORLD):
                in_base = job[0] == BASE and self._robot.floating
                self._lead(i, in_base, R_des)
                self._bounded[i] = job[0] == WORLD
                self._motions[i].move(job[1:4], job[4:].reshape(3, 3) if math.isfinite(job[4]) else None)
            elif code in (WALK, FOOTSTEPS):
                self._wanted[i] = False
            elif self.active[i]:
                self._motions[i].move(None, None)

    def _lead(self, i: int, in_base: bool, R_des: Vector) -> None:
        """Gives a hand a job in the world or in the level frame, that begins with the motion that it has."""
        motion = self._motions[i]
        if in_base and not any(a and b for a, b in zip(self.active, self._in_base, strict=True)):
            self._level[6] = math.atan2(R_des[1, 0], R_des[0, 0])
        if not self.active[i]:
            kin, frame = self._body.arrays.kin, self._frames[i]
            R = kin.R[frame]
            self._see(
                motion.row, R, kin.p[frame], R @ kin.vel[frame, :3], R @ kin.vel[frame, 3:], in_base, R_des
            )
            self._body.switch(self._names[i], True)
            self.active[i] = True
        elif in_base != self._in_base[i]:
            ref = self._refs[i]
            self._see(motion.row, ref[:9].reshape(3, 3), ref[9:12], ref[12:15], ref[15:18], in_base, R_des)
        self._in_base[i] = in_base
        self._wanted[i] = self._busy = True
        self._bounded[i] = self._held[i] = self._told[i] = False

    def _see(
        self, row: Vector, R: Vector, p: Vector, v: Vector, w: Vector, in_base: bool, R_des: Vector
    ) -> None:
        """Writes a motion in the world as one in the level frame, or as it is; accelerations are left out."""
        row[:9], row[9:12], row[12:15], row[15:18] = R.ravel(), p, v, w
        row[18:] = 0.0
        if in_base:
            self._follow(0.0, R_des)
            level, up = self._level, np.array([0.0, 0.0, float(self._level[7])])
            turn = pin.rpy.rpyToMatrix(0.0, 0.0, float(level[6])).T
            row[:9] = (turn @ R).ravel()
            row[9:12] = turn @ (p - level[:3])
            row[12:15] = turn @ (v - level[3:6] - np.cross(up, p - level[:3]))
            row[15:18] = turn @ (w - up)

    # The tick

    def advance(self, dt_s: float, R_des: Vector) -> None:
        """Writes this tick's references; the kinematics must be those of this tick."""
        if not self._busy:
            return
        if self._robot.floating:
            self._follow(dt_s, R_des)
        for i, motion in enumerate(self._motions):
            if not self.active[i]:
                continue
            motion.advance(dt_s)
            ref = self._refs[i]
            if self._in_base[i]:
                self._write(motion.row, ref)
            else:
                ref[:] = motion.row
                if self._bounded[i]:
                    self._keep_in_reach(i, ref)
            self.p_WH_des[i] = ref[9:12]
            self._ramp(i, dt_s)

    def _ramp(self, i: int, dt_s: float) -> None:
        part, goal = self._part[i], float(self._wanted[i])
        if part == goal:
            return
        step = dt_s / _RAMP_S
        part = min(part + step, 1.0) if goal else max(part - step, 0.0)
        self._part[i] = part
        np.multiply(self._full[i], _LEAST_WEIGHT ** (1.0 - part), out=self._weights[i])
        if part == 0.0:
            self._body.switch(self._names[i], False)
            self.active[i] = False
            self._busy = bool(self.active.any())

    def _keep_in_reach(self, i: int, ref: Vector) -> None:
        shoulder = self._shoulders[i]
        if shoulder is None:
            return
        kin, frame = self._body.arrays.kin, self._body.frame_index[shoulder.link]
        out_m = shoulder.keep_in_reach(ref, kin.p[frame], kin.R[frame], kin.vel[frame])
        if out_m <= 0.0:
            self._held[i] = True
        elif out_m > _OFF_M and self._held[i] and self._wanted[i]:
            self._wanted[i] = False
            self.remark = f"{self._names[i]} lets go: its point in the world went out of reach"
        elif out_m > _TOLD_M and not self._held[i] and not self._told[i]:
            self._told[i] = True
            name = self._names[i]
            self.remark = (
                f"{name} only points to where it should be in the world, {out_m:.2f} m out of its reach"
            )
