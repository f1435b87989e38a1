"""Bytecodes interpreted per step: a cost of the Python part of a tick that is the same on every machine.

A bytecode is one instruction that the CPython interpreter executes in `Brain.step` or in a Python function
called by it, counted with the `opcode` events of `sys.settrace`. Compiled kernels and C libraries execute
none. The figure is the median over 1000 consecutive ticks of a simulation in lockstep with seed 0, from 3 s
on, when caches are warm and the motion is under way. The load on the machine and its clock do not matter;
the Python version does, because each compiles to other instructions.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import CodeType, FrameType
from typing import Any, Literal

import numpy as np

from kilohertz.controller.brain import Brain
from kilohertz.controller.problem.soles import can_rest
from kilohertz.controller.walking.speed import walks
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.run.session import RunPlan, Session
from kilohertz.sim.scenario import default_scenario_name

Solver = Literal["osqp", "exact"]
Counts = Mapping[str, Mapping[str, int]]

SOLVERS: tuple[Solver, ...] = ("exact", "osqp")
STANDING, WALKING, HAND = "standing", "walking", "moving a hand"
FIRST_TICK, TICKS = 3000, 1000
_ROWS_KEPT = 10
_SEED = 0


class BytecodeCounter:
    """Counts the bytecodes of each call of one function, with those of the Python functions it calls.

    Args:
        code: code object of the function.

    Attributes:
        counts: bytecodes of each complete call since `start`.
    """

    def __init__(self, code: CodeType) -> None:
        self.counts: list[int] = []
        self._code = code
        self._bytecodes = 0
        self._inside = False
        self._before = sys.gettrace()

    def start(self) -> None:
        """Counts from the next call on; replaces the trace function of this thread."""
        sys.settrace(self._on_call)

    def stop(self) -> None:
        """Stops counting and restores the trace function that this thread had when the counter was made."""
        sys.settrace(self._before)

    def _on_call(self, frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code is self._code:
            self._inside, self._bytecodes = True, 0
        if not self._inside:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._in_frame

    def _in_frame(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "opcode":
            self._bytecodes += 1
        elif event == "return" and frame.f_code is self._code:
            self.counts.append(self._bytecodes)
            self._inside = False
        return self._in_frame


def motions(robot: RobotModel) -> dict[str, str]:
    """Scenario of each motion in which the bytecodes of a robot are counted."""
    if not robot.floating:
        return {HAND: default_scenario_name(robot)}
    standing = {STANDING: "sway"} if can_rest(robot) else {}
    return standing | ({WALKING: "walk-on"} if walks(robot) else {})


def bytecodes_per_step(robot: str, scenario: str, solver: Solver, *, ticks: int = TICKS) -> int:
    """Median number of bytecodes per step.

    Args:
        robot: name or folder.
        scenario: name or file; must last more than 3 s.
        solver: of the QP.
        ticks: number of steps to count.

    Raises:
        ConfigError: the robot or the scenario cannot be used.
        RuntimeError: the run ended before enough steps were counted.
    """
    duration_s = (FIRST_TICK + ticks + 1) * PERIOD_S
    session = Session(RunPlan(robot, scenario, duration_s, _SEED, solver=solver, rows_kept=_ROWS_KEPT))
    counter = BytecodeCounter(Brain.step.__code__)

    def each_tick(tick: int) -> None:
        if tick == FIRST_TICK:
            counter.start()
        elif tick == FIRST_TICK + ticks:
            session.loop.stop()

    try:
        session.run(each_tick=each_tick)
    finally:
        counter.stop()
    if len(counter.counts) < ticks:
        raise RuntimeError(f"'{scenario}' ended before {FIRST_TICK + ticks} ticks")
    return int(np.median(counter.counts))


def count_bytecodes(robot: str) -> dict[str, dict[str, int]]:
    """Bytecodes per step by solver and motion, in the motions that the robot is capable of.

    Raises:
        ConfigError: the robot cannot be used.
    """
    scenarios = motions(RobotModel.load(robot))
    return {
        solver: {motion: bytecodes_per_step(robot, name, solver) for motion, name in scenarios.items()}
        for solver in SOLVERS
    }


def bytecodes_line(counts: Counts) -> str:
    """The counts in one line."""
    cells = [
        f"{count} {motion} with {solver}"
        for solver, by_motion in counts.items()
        for motion, count in by_motion.items()
    ]
    return f"bytecodes per step: {', '.join(cells)}"
