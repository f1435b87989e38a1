"""Duration of pinocchio and the compiled kernel alone, the least that a tick can take: `khz bench floor`.

The baseline is the two calls of pinocchio and the compiled kernel, each called repeatedly with warm caches.
It is compared with the tick of the exact solver, from the state to the torque, on a robot in motion.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pinocchio as pin
from rich.table import Table

from kilohertz.controller.qp.stages import DUAL_SOLVE, KINEMATICS, NOTHING
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.model.kin import Floats
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.bench.develop.pinned import pinned
from kilohertz.rt.bench.develop.subjects import Subject

_CALLS = 20
"""Calls that are timed together, because reading the clock takes 0.05 us."""


@dataclass(frozen=True)
class Floor:
    """Median durations of one robot in one mode.

    Attributes:
        robot, mode: what was run.
        pinocchio_us: pinocchio's crba and nonLinearEffects [us].
        kernel_us: all compiled stages of the exact solver's tick [us].
        tick_us: the whole-body tick [us].
        ratio: tick over the sum of pinocchio and kernel.
    """

    robot: str
    mode: str
    pinocchio_us: float
    kernel_us: float
    tick_us: float
    ratio: float


def run_floor(robots: Sequence[str], ticks: int) -> list[Floor]:
    """Measures the baseline of robots in every mode.

    Args:
        robots: bipeds with flat soles and arms, names or folders.
        ticks: number of ticks for each robot and mode.

    Raises:
        ValueError: a robot is neither.
    """
    with pinned():
        subjects = [Subject(RobotModel.load(name)) for name in robots]
        return [_floor(subject, mode, ticks) for subject in subjects for mode in subject.modes]


def _floor(subject: Subject, mode: str, ticks: int) -> Floor:
    q, v = subject.start(mode)
    body = subject.bodies["exact"]
    us = np.zeros((ticks, 3))
    for tick in range(ticks):
        subject.refer("exact", q, v)
        us[tick, 2] = subject.tick("exact", q, v)
        us[tick, 0] = _pinocchio_us(body, q, v)
        us[tick, 1] = _kernel_us(body, q, v)
        q, v = subject.moved(q, v)
    pinocchio_us, kernel_us, tick_us = np.median(us, axis=0).tolist()
    ratio = tick_us / (pinocchio_us + kernel_us)
    return Floor(subject.robot.name, mode, pinocchio_us, kernel_us, tick_us, ratio)


def _pinocchio_us(body: WholeBody, q: Floats, v: Floats) -> float:
    crba, bias, model, data = pin.crba, pin.nonLinearEffects, body.model, body.data
    world = pin.Convention.WORLD
    start = time.perf_counter_ns()
    for _ in range(_CALLS):
        crba(model, data, q, world)
        bias(model, data, q, v)
    return (time.perf_counter_ns() - start) / 1e3 / _CALLS


def _kernel_us(body: WholeBody, q: Floats, v: Floats) -> float:
    run, table = body.compiled
    start = time.perf_counter_ns()
    for _ in range(_CALLS):
        run(KINEMATICS, table, q, v)
        run(DUAL_SOLVE, table, NOTHING, NOTHING)
    return (time.perf_counter_ns() - start) / 1e3 / _CALLS


def floor_table(floors: Sequence[Floor]) -> Table:
    """Table with one line for each robot and mode."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    for name in ("robot", "mode"):
        table.add_column(name)
    for name in ("pinocchio µs", "kernel µs", "tick µs", "tick / (pinocchio + kernel)"):
        table.add_column(name, justify="right")
    for f in floors:
        times = (f"{us:.1f}" for us in (f.pinocchio_us, f.kernel_us, f.tick_us))
        table.add_row(f.robot, f.mode, *times, f"{f.ratio:.2f}")
    return table


def as_json(floors: Sequence[Floor]) -> dict[str, Any]:
    """The baselines as plain objects for JSON."""
    return {"floor": [asdict(floor) for floor in floors]}
