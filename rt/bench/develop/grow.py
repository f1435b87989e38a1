"""Duration of the whole-body tick over the number of joints and contacts: `khz bench grow`.

Robots with 6 to 100 joints sway on 1 to 4 contacts. Each tick is timed from the state to the torque:
kinematics and dynamics, assembly, solve. The states come from a motion of the exact solver with all contacts
closed.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from kilohertz.controller.gains.schema import load_gains
from kilohertz.robots.model.kin import Floats
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.rt.bench.develop.exact_torque import torque_error_Nm
from kilohertz.rt.bench.develop.grown_body import GrownBody, limits_in_force
from kilohertz.rt.bench.develop.grown_robot import grown_robot
from kilohertz.rt.bench.develop.pinned import pinned

JOINTS = (6, 12, 15, 22, 29, 43, 60, 80, 100)
SOLVERS = ("exact", "osqp")
TICKS = 300
_JUDGED_EVERY = 10


@dataclass(frozen=True)
class GrownTick:
    """Duration of the tick of one robot on some of its contacts.

    Attributes:
        joints, contacts, solver: what was run.
        us: median duration of a tick [us].
        limits: mean number of active limits.
        error_Nm: largest difference of a joint torque from the optimum [Nm].
    """

    joints: int
    contacts: int
    solver: str
    us: float
    limits: float
    error_Nm: float


@dataclass(frozen=True)
class Fit:
    """Fit of the duration, us = a + b nv + c nv^2 + d nc + e nc nv, with nv = joints + 6 and nc contacts.

    Attributes:
        solver: the solver.
        coefficients: a to e, by least squares of the relative error.
        worst: largest relative error.
    """

    solver: str
    coefficients: tuple[float, ...]
    worst: float

    def us(self, joints: float, contacts: int) -> float:
        """Duration of a tick by the fit [us]."""
        return float(_terms(joints, contacts) @ np.array(self.coefficients))

    def __str__(self) -> str:
        """Formula with its largest relative error."""
        names = ("", " nv", " nv²", " nc", " nc nv")
        terms = [f"{abs(c):.2g}{name}" for c, name in zip(self.coefficients, names, strict=True)]
        signs = ["" if c >= 0.0 else "-" for c in self.coefficients[:1]]
        signs += [" + " if c >= 0.0 else " - " for c in self.coefficients[1:]]
        formula = "".join(sign + term for sign, term in zip(signs, terms, strict=True))
        return f"{formula} µs, to {100.0 * self.worst:.0f} %"


def _terms(joints: float, contacts: int) -> Floats:
    nv = joints + 6
    return np.array([1.0, nv, nv**2, contacts, contacts * nv])


def fit(ticks: Sequence[GrownTick], solver: str) -> Fit:
    """Fit of the ticks of one solver; needs at least five."""
    ours = [tick for tick in ticks if tick.solver == solver]
    us = np.array([tick.us for tick in ours])
    rows = np.array([_terms(tick.joints, tick.contacts) for tick in ours]) / us[:, None]
    coefficients = np.linalg.lstsq(rows, np.ones(len(ours)), rcond=None)[0]
    worst = float(np.abs(rows @ coefficients - 1.0).max())
    return Fit(solver, tuple(coefficients.tolist()), worst)


def run_grow(joints: Sequence[int] = JOINTS, ticks: int = TICKS) -> list[GrownTick]:
    """Times robots with these numbers of joints on every number of contacts that they can close.

    Args:
        joints: numbers of joints, each at least 6.
        ticks: number of ticks for each robot, number of contacts and solver.
    """
    measured = []
    with pinned():
        for number in joints:
            with tempfile.TemporaryDirectory() as folder:
                robot = grown_robot(number, Path(folder))
            gains = load_gains(robot)
            bodies = {solver: GrownBody(robot, gains, solver) for solver in SOLVERS}
            states = bodies["exact"].motion(ticks)
            for contacts in range(1, len(robot.contacts) + 1):
                measured += [_measure(body, solver, contacts, states) for solver, body in bodies.items()]
    return measured


def _measure(grown: GrownBody, solver: str, contacts: int, states: list[tuple[Floats, Floats]]) -> GrownTick:
    grown.close(contacts)
    durations, limits, error = np.zeros(len(states)), 0, 0.0
    for tick, (q, v) in enumerate(states):
        grown.sway(tick * PERIOD_S)
        start = time.perf_counter_ns()
        solved = grown.tick(q, v)
        durations[tick] = time.perf_counter_ns() - start
        limits += limits_in_force(grown.body)
        if tick % _JUDGED_EVERY == 0:
            error = max(error, torque_error_Nm(grown.body) if solved else math.inf)
    us = float(np.median(durations)) / 1e3
    return GrownTick(grown.robot.na, contacts, solver, us, limits / len(states), error)


def grow_table(ticks: Sequence[GrownTick]) -> Table:
    """Table with one line for each robot and number of contacts, and columns for each solver."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    for name in ("joints", "contacts", "active limits"):
        table.add_column(name, justify="right")
    for solver in SOLVERS:
        table.add_column(f"{solver} µs", justify="right")
        table.add_column("torque error Nm", justify="right")
    by_robot: dict[tuple[int, int], dict[str, GrownTick]] = {}
    for tick in ticks:
        by_robot.setdefault((tick.joints, tick.contacts), {})[tick.solver] = tick
    for (joints, contacts), row in by_robot.items():
        figures = [text for s in SOLVERS for text in (f"{row[s].us:.1f}", f"{row[s].error_Nm:.1g}")]
        table.add_row(str(joints), str(contacts), f"{row[SOLVERS[0]].limits:.1f}", *figures)
    return table


def as_json(ticks: Sequence[GrownTick]) -> dict[str, Any]:
    """The ticks and their fits as plain objects for JSON."""
    return {
        "grow": [asdict(tick) for tick in ticks],
        "fit": [asdict(fit(ticks, solver)) for solver in SOLVERS],
    }
