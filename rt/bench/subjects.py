"""What whole-body ticks are timed on: a robot, a controller for each solver, the motion that leads them.

A biped sways, on both feet and on one; an arm draws circles with its hand.
"""

from __future__ import annotations

import time

import numpy as np
import pinocchio as pin

from kilohertz.controller.behaviours.arm import Arm, arm_tasks
from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.controller.problem.soles import can_rest
from kilohertz.controller.request import make_request
from kilohertz.controller.standing.standing import Standing, standing_tasks
from kilohertz.controller.whole_body.from_gains import whole_body
from kilohertz.controller.whole_body.whole_body import Task, WholeBody
from kilohertz.robots.model.kin import Floats
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel

CONTROL = "exact again"
"""A second controller with the exact solver: where its times differ, the timing differs and not the tick."""
SOLVERS = {"osqp": "osqp", "exact": "exact", CONTROL: "exact"}


class Subject:
    """A robot in motion under controllers of its own for each solver.

    Args:
        robot: a biped with two flat soles, or an arm with one hand.

    Raises:
        ValueError: for any other robot.

    Attributes:
        modes: contacts that are closed in each mode.
        bodies, motions: of each of `SOLVERS`.
    """

    def __init__(self, robot: RobotModel) -> None:
        self.robot, self.gains = robot, _comparable(load_gains(robot))
        self.modes: dict[str, tuple[str, ...]] = {"hand": ()}
        if robot.floating:
            if len(robot.contacts) != 2 or not can_rest(robot):
                raise ValueError(f"'{robot.name}' does not stand on two feet: take a biped or an arm")
            self.modes = {"both feet": robot.contact_names, "one foot": robot.contact_names[:1]}
        elif not robot.hands:
            raise ValueError(f"'{robot.name}' has no hand that could move: take a biped or an arm")
        tasks = (standing_tasks if robot.floating else arm_tasks)(robot, self.gains)
        self.tasks = [task.name for task in tasks if self._moves(task)]
        self.bodies: dict[str, WholeBody] = {}
        self.motions: dict[str, Standing | Arm] = {}
        for name, solver in SOLVERS.items():
            self.bodies[name] = body = whole_body(robot, self.gains, tasks, solver)
            motion = (Standing if robot.floating else Arm)(robot, self.gains, body)
            self.motions[name] = motion
            for mode in self.modes:
                body.prepare(self.modes[mode], self.enabled(mode))
        asked = ("sway", {"amplitude_m": 0.03, "period_s": 2.0})
        if not robot.floating:
            asked = ("circle", {"radius_m": 0.1, "period_s": 1.0})
        self._request = make_request(robot, *asked)
        self._mode = ""

    def _moves(self, task: Task) -> bool:
        """Whether a task takes part: a biped's hands follow its posture."""
        return not (self.robot.floating and task.name in self.robot.hand_names)

    def enabled(self, mode: str) -> list[str]:
        """Names of the tasks of a mode."""
        opened = {f"{name}.force" for name in self.robot.contact_names if name not in self.modes[mode]}
        return [name for name in self.tasks if name not in opened]

    def start(self, mode: str) -> tuple[Floats, Floats]:
        """Begins the motion anew in every controller, in this mode; returns its first state."""
        self._mode = mode
        q, v = self.robot.q_nominal.copy(), np.zeros(self.robot.nv)
        for name, body in self.bodies.items():
            body.update(q, v)
            self.motions[name].start()
            self.motions[name].take(self._request)
            body.set_mode(self.modes[mode], self.enabled(mode))
        return q, v

    def refer(self, solver: str, q: Floats, v: Floats) -> None:
        """Writes the next tick's references for a state; not part of the tick that is timed."""
        self.bodies[solver].update(q, v)
        self.motions[solver].advance(PERIOD_S)

    def tick(self, solver: str, q: Floats, v: Floats) -> float:
        """Time of one tick from the state to the torque [us]."""
        body = self.bodies[solver]
        start = time.perf_counter_ns()
        body.update(q, v)
        body.assemble()
        body.solve()
        return (time.perf_counter_ns() - start) / 1e3

    def moved(self, q: Floats, v: Floats) -> tuple[Floats, Floats]:
        """The next state, as the exact controller's solution moves it.

        On one foot the states stay: nothing in the problem says how the robot would balance there.
        """
        if self._mode == "one foot":
            return q, v
        v = v + self.bodies["exact"].solution.vdot * PERIOD_S
        return pin.integrate(self.robot.pin_model, q, v * PERIOD_S), v


def _comparable(gains: Gains) -> Gains:
    """TSID has one weight a task, so a hand's position and orientation weigh the same here."""
    hand = gains.hand.model_copy(update={"orientation_weight": gains.hand.weight})
    return gains.model_copy(update={"hand": hand})
