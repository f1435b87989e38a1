"""Robots in motion on which whole-body ticks are timed, with a controller for each solver.

A biped sways on both feet and on one; an arm draws circles with its hand.
"""

from __future__ import annotations

import time

import numpy as np
import pinocchio as pin

from kilohertz.controller.behaviours.base import Behaviour, Context
from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.controller.motion.remarks import Remarks
from kilohertz.controller.problem.soles import can_rest
from kilohertz.controller.standing.standing import Standing, standing_tasks
from kilohertz.controller.supervision.arm import Arm, arm_tasks
from kilohertz.controller.supervision.request import make_request
from kilohertz.controller.upper_body.hands import Hands
from kilohertz.controller.whole_body.from_gains import whole_body
from kilohertz.controller.whole_body.whole_body import Task, WholeBody
from kilohertz.robots.model.kin import Floats
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel

CONTROL = "exact again"
"""A/A control: a second controller with the exact solver; a difference from the first one is noise."""
SOLVERS = {"osqp": "osqp", "exact": "exact", CONTROL: "exact"}


class Subject:
    """A robot in motion, with a controller for each of `SOLVERS`.

    Args:
        robot: a biped with two flat soles, or an arm with a hand.

    Raises:
        ValueError: for any other robot.

    Attributes:
        modes: closed contacts of each mode.
        bodies, motions: whole-body problem and motion of each solver.
    """

    def __init__(self, robot: RobotModel) -> None:
        self.robot, self.gains = robot, _comparable(load_gains(robot))
        self.modes: dict[str, tuple[str, ...]] = {"hand": ()}
        if robot.floating:
            if len(robot.contacts) != 2 or not can_rest(robot):
                raise ValueError(
                    f"'{robot.name}' does not have two flat soles; choose such a biped or an arm"
                )
            self.modes = {"both feet": robot.contact_names, "one foot": robot.contact_names[:1]}
        elif not robot.hands:
            raise ValueError(f"'{robot.name}' has no hand; choose such an arm or a biped")
        tasks = (standing_tasks if robot.floating else arm_tasks)(robot, self.gains)
        self.tasks = [task.name for task in tasks if self._moves(task)]
        asked = ("sway", {"amplitude_m": 0.03, "period_s": 2.0})
        if not robot.floating:
            asked = ("circle", {"radius_m": 0.1, "period_s": 1.0})
        self._request = make_request(robot, *asked)
        self.bodies: dict[str, WholeBody] = {}
        self.motions: dict[str, Standing | Arm] = {}
        self._behaviours: dict[str, Behaviour] = {}
        for name, solver in SOLVERS.items():
            self.bodies[name] = body = whole_body(robot, self.gains, tasks, solver)
            motion = (Standing if robot.floating else Arm)(robot, self.gains, body)
            self.motions[name] = motion
            self._behaviours[name] = self._behaviour(body)
            for mode in self.modes:
                body.prepare(self.modes[mode], self.enabled(mode))
        self._mode = ""

    def _behaviour(self, body: WholeBody) -> Behaviour:
        """The behaviour that moves a body, without all else that a whole controller has."""
        remarks = Remarks()
        hands = Hands(self.robot, self.gains, body, remarks)
        context = Context(self.robot, self.gains, body, hands, remarks, None, begin_walk=lambda _: None)
        return self._request.kind(context)

    def _moves(self, task: Task) -> bool:
        """Whether a task is used; the hands of a biped follow the posture task."""
        return not (self.robot.floating and task.name in self.robot.hand_names)

    def enabled(self, mode: str) -> list[str]:
        """Names of the tasks that are used in a mode."""
        opened = {f"{name}.force" for name in self.robot.contact_names if name not in self.modes[mode]}
        return [name for name in self.tasks if name not in opened]

    def start(self, mode: str) -> tuple[Floats, Floats]:
        """Restarts the motion of every controller in a mode; returns the first state (q, v)."""
        self._mode = mode
        q, v = self.robot.q_nominal.copy(), np.zeros(self.robot.nv)
        for name, body in self.bodies.items():
            body.update(q, v)
            motion, behaviour = self.motions[name], self._behaviours[name]
            motion.start()
            if isinstance(motion, Standing):
                behaviour.start(self._request.payload)
                motion.posture.switch(behaviour)
            else:
                motion.take(self._request)
            body.set_mode(self.modes[mode], self.enabled(mode))
        return q, v

    def refer(self, solver: str, q: Floats, v: Floats) -> None:
        """Updates the references for a state; not part of the timed tick."""
        self.bodies[solver].update(q, v)
        self.motions[solver].advance(PERIOD_S)

    def tick(self, solver: str, q: Floats, v: Floats) -> float:
        """Duration of one tick from the state to the torque [us]."""
        body = self.bodies[solver]
        start = time.perf_counter_ns()
        body.update(q, v)
        body.assemble()
        body.solve()
        return (time.perf_counter_ns() - start) / 1e3

    def moved(self, q: Floats, v: Floats) -> tuple[Floats, Floats]:
        """The next state (q, v) under the solution of the exact controller.

        On one foot the state stays the same, because the problem has no task that keeps balance there.
        """
        if self._mode == "one foot":
            return q, v
        v = v + self.bodies["exact"].solution.vdot * PERIOD_S
        return pin.integrate(self.robot.pin_model, q, v * PERIOD_S), v


def _comparable(gains: Gains) -> Gains:
    """Gains with equal weights for position and orientation of a hand: a TSID task has a single weight."""
    hand = gains.hand.model_copy(update={"orientation_weight": gains.hand.weight})
    return gains.model_copy(update={"hand": hand})
