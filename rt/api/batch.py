"""Simulation of a whole run in one call."""

from __future__ import annotations

from pathlib import Path
from typing import SupportsIndex

from kilohertz.arguments import (
    GainsLike,
    RobotLike,
    ScenarioLike,
    Solver,
    duration,
    gains_source,
    log_folder,
    robot_source,
    scenario_source,
    seed_number,
    solver_name,
)
from kilohertz.refused import refusing
from kilohertz.rt.host.threads import math_thread_limit
from kilohertz.rt.run.plan import RunPlan
from kilohertz.rt.run.session import Session
from kilohertz.run_result import RunResult


def simulate(
    robot: RobotLike,
    scenario: ScenarioLike | None = None,
    *,
    seed: SupportsIndex = 0,
    gains: GainsLike | None = None,
    solver: Solver | None = None,
    duration_s: float | None = None,
    realtime: bool = False,
    log: str | Path | None = None,
) -> RunResult:
    """Simulates a robot with the controller in the loop, as `khz sim` does.

    The same arguments give bitwise identical results. BLAS is limited to one thread during the run. Ctrl-C
    raises KeyboardInterrupt.

    Args:
        robot: name of a robot that ships, path of a robot's folder, or a loaded robot.
        scenario: name of a scenario that ships, path of a scenario file, or the content of one as a dict;
            None for the robot's default scenario.
        seed: random seed for sensor noise, biases, model error and terrain.
        gains: path of a gains file instead of the robot's own, or a dict of values that replace some of the
            robot's own, such as ``{"walk": {"dcm_gain_per_s": 4.0}}``.
        solver: "osqp" or "exact"; None for the solver in the gains.
        duration_s: duration of the run [s]; None for that of the scenario.
        realtime: whether to run one tick per millisecond, instead of as fast as possible.
        log: folder to record the run into; None for no log.

    Returns:
        Result of the run: figures, events and history.

    Raises:
        Refused: an argument, a file or a command of the scenario cannot be used; one line per problem.

    Example::

        import kilohertz as khz

        push = {"at_s": 0.2, "push": {"link": "trunk", "impulse_Ns": [0.0, 4.0, 0.0]}}
        run = khz.simulate("g1", {"duration_s": 0.5, "events": [push]}, solver="exact")
        assert not run.fell
    """
    seconds = duration(duration_s)
    plan = RunPlan(
        robot_source(robot),
        scenario_source(scenario, seconds),
        seconds,
        seed_number(seed),
        bool(realtime),
        gains_source(gains),
        solver_name(solver),
        log=log_folder(log),
    )
    with refusing(), math_thread_limit()():
        return RunResult(Session(plan, handle_signals=False).run())
