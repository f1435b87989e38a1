"""Runs a simulated robot and its controller for a short time, and records every tick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sim_runs import robot, simulate

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.controller.supervision.request import make_request
from kilohertz.estimators.fixed_base import FixedBaseEstimator
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.sim.truth import TruthEstimator


def ignore(stage: int) -> None:
    """Does nothing; passed as `mark` where stages are not timed."""


@dataclass
class Run:
    """History of a run: lists in `ticks` with one entry per tick, readable as arrays by attribute."""

    sim: Any
    brain: Brain
    rows: list[Any] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    ticks: dict[str, list[Any]] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self.__dict__.get("ticks", {}):
            raise AttributeError(name)
        return np.array(self.ticks[name])

    @property
    def com_error_m(self) -> Any:
        """(n,) length of (reference - true centre of mass), each relative to the middle of the soles [m]."""
        return np.linalg.norm((self.com - self.soles) - (self.com_des - self.soles_estimated), axis=1)


def new_brain(sim: Any, estimator: str = "truth", gains: Gains | None = None) -> Brain:
    gains = gains or load_gains(sim.robot)
    if estimator == "truth":
        return Brain(sim.robot, gains, TruthEstimator(sim.truth))
    kind = FloatingBaseEstimator if sim.robot.floating else FixedBaseEstimator
    return Brain(sim.robot, gains, kind(sim.robot, gains.estimator))


def run(
    name: str,
    seconds: float,
    plan: tuple[tuple[float, str, dict[str, Any]], ...] = ((0.0, "stand", {}),),
    *,
    estimator: str = "truth",
    gains: Gains | None = None,
    seed: int = 0,
    change: Callable[[int, Any, Brain], None] | None = None,
    **scenario: Any,
) -> Run:
    """Runs a robot in lockstep.

    Args:
        name: name of the robot.
        seconds: duration [s].
        plan: (time [s], behaviour, parameters) of each request, in order of time.
        estimator: "truth" or "default".
        gains: gains; None for those of the robot.
        seed: random seed of the simulation.
        change: called with (tick, sensor row, brain) before each step; may change the row.
        scenario: fields of the scenario; by default without noise, delay and model errors.
    """
    sim = simulate(name, seed, **scenario)
    brain = new_brain(sim, estimator, gains)
    result, sensors = Run(sim, brain), sim.robot.new_sensor_row()
    sim.read(sensors)
    brain.reset(sensors)
    waiting = list(plan)
    log: dict[str, list[Any]] = result.ticks
    for tick in range(round(1e3 * seconds)):
        sim.read(sensors)
        if waiting and (not tick or round(1e3 * waiting[0][0]) <= tick):
            at, kind, params = waiting.pop(0)
            request = make_request(robot(name), kind, params, at, start=brain.motion.joint_state())
        if change is not None:
            change(tick, sensors, brain)
        out = brain.step(sensors, request, None, ignore)
        result.rows.append(sensors.data.copy())
        result.requests.append(request)
        truth = sim.truth
        for key, value in (
            ("state", out.state),
            ("rung", out.rung),
            ("iterations", out.qp_iterations),
            ("dynamics_N", out.dynamics_residual_N),
            ("cone_N", out.cone_violation_N),
            ("tau", out.tau.copy()),
            ("command", out.command.data.copy()),
            ("wrench", out.w_F.copy()),
            ("com_des", out.p_WC_des.copy()),
            ("soles_estimated", out.p_WS.copy()),
            ("com", truth.p_WC.copy()),
            ("soles", truth.p_WF.mean(axis=0) if len(truth.p_WF) else np.zeros(3)),
            ("normal_N", truth.normal_force_N.copy()),
            ("hand_des", out.p_WH_des.copy()),
            ("hand", truth.p_WH.copy()),
            ("q", truth.q.copy()),
        ):
            log.setdefault(key, []).append(value)
        sim.write(out.command)
        if sim.fell:
            break
    return result
