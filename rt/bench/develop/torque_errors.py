"""Distance of the torques of a run from the optimum of every tick.

A biped sways and is pushed in closed loop with noise, delay and friction, with each solver. After each tick
the exact solver solves the same problem again, from no starting set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from rich.table import Table

from kilohertz.controller.safety.ladder import SOLVED
from kilohertz.rt.bench.develop.exact_torque import torque_error_Nm
from kilohertz.rt.run.session import RunPlan, Session

SCENARIOS = ("sway", "push-lateral")
_SOLVERS: tuple[Literal["osqp", "exact"], ...] = ("osqp", "exact")


@dataclass(frozen=True)
class TorqueErrors:
    """Torque errors of one solver in one run.

    Attributes:
        robot, scenario, solver: what was run.
        ticks: number of ticks that both solvers solved.
        p50_Nm, p99_Nm, max_Nm: percentiles of the largest difference of a joint torque [Nm].
    """

    robot: str
    scenario: str
    solver: str
    ticks: int
    p50_Nm: float
    p99_Nm: float
    max_Nm: float


def run_torque_errors(robot: str, duration_s: float | None = None) -> list[TorqueErrors]:
    """Measures the torque error of every tick of both scenarios with both solvers.

    Args:
        robot: a biped, name or folder.
        duration_s: duration of each run, instead of the scenario's [s].
    """
    return [_measure(robot, scenario, solver, duration_s) for scenario in SCENARIOS for solver in _SOLVERS]


def _measure(
    robot: str, scenario: str, solver: Literal["osqp", "exact"], duration_s: float | None
) -> TorqueErrors:
    session = Session(RunPlan(robot, scenario, duration_s, solver=solver, rows_kept=10))
    errors: list[float] = []

    def measure(_: int) -> None:
        if session.brain.output.rung == SOLVED:
            errors.append(torque_error_Nm(session.brain.body))

    session.run(each_tick=measure)
    measured = np.array(errors)[np.isfinite(errors)]
    p50, p99, largest = np.percentile(measured, (50, 99, 100)).tolist()
    return TorqueErrors(session.robot.name, scenario, solver, len(measured), p50, p99, largest)


def torque_error_table(errors: Sequence[TorqueErrors]) -> Table:
    """Table with one line for each run."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    for name in ("robot", "scenario", "solver"):
        table.add_column(name)
    for name in ("ticks", "p50 Nm", "p99 Nm", "max Nm"):
        table.add_column(name, justify="right")
    for e in errors:
        figures = (f"{value:.2g}" for value in (e.p50_Nm, e.p99_Nm, e.max_Nm))
        table.add_row(e.robot, e.scenario, e.solver, str(e.ticks), *figures)
    return table


def as_json(errors: Sequence[TorqueErrors]) -> dict[str, Any]:
    """The errors as plain objects for JSON."""
    return {"torque_errors": [asdict(error) for error in errors]}
