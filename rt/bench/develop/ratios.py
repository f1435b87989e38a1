"""Ratios of Kilohertz to TSID, and bytecodes per step, from one run of `khz bench against tsid`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.bench.bytecodes import SOLVERS, STANDING, WALKING, bytecodes_line, count_bytecodes
from kilohertz.rt.bench.develop.tsid_comparison import Comparison
from kilohertz.rt.bench.latency import run_bench
from kilohertz.rt.loop.outcome import EXIT_DONE, EXIT_INTERRUPTED

WHOLE_TICKS = 5000
_STANDING_MODE = "both feet"

Ratios = dict[str, dict[str, float | None]]


def run_ratios(robot: str, comparisons: Sequence[Comparison], ticks: int = WHOLE_TICKS) -> dict[str, Any]:
    """Times whole ticks of a robot, counts its bytecodes, and forms the ratios.

    Args:
        robot: name or folder.
        comparisons: results of the comparison with TSID, those of other robots among them or not.
        ticks: number of ticks of each real-time run.

    Returns:
        `whole_tick_over_tsid`: median of the whole tick (read, estimate, control, write) over the median of
        TSID's control; `control_over_tsid`: the same for the control alone; both by solver and motion, at
        1 kHz. None where it is not measured: TSID solves no walking problem here. `bytecodes_per_step`: by
        solver and motion.
    """
    name = RobotModel.load(robot).name
    standing = {
        c.solver: c for c in comparisons if (c.robot, c.mode, c.paced) == (name, _STANDING_MODE, True)
    }
    whole_us = {solver: _whole_tick_us(robot, ticks, solver) for solver in standing}
    return {
        "robot": name,
        "whole_tick_over_tsid": _over_tsid(standing, whole_us),
        "control_over_tsid": _over_tsid(standing, {solver: c.here_us for solver, c in standing.items()}),
        "bytecodes_per_step": count_bytecodes(robot),
    }


def _whole_tick_us(robot: str, ticks: int, solver: Any) -> float | None:
    """Median of the whole tick of a swaying biped [us]; None where the run did not end well."""
    report = run_bench(robot, ticks, solver, "sway")
    if report.exit_code == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    return report.latency["tick"].summary_us()["p50"] if report.exit_code == EXIT_DONE else None


def _over_tsid(standing: Mapping[str, Comparison], here_us: Mapping[str, float | None]) -> Ratios:
    ratios: Ratios = {solver: {STANDING: None, WALKING: None} for solver in SOLVERS}
    for solver, comparison in standing.items():
        here = here_us[solver]
        if here is not None and comparison.tsid_us is not None:
            ratios[solver][STANDING] = here / comparison.tsid_us
    return ratios


def lines(measured: Mapping[str, Any]) -> Iterator[str]:
    """The ratios and counts as lines of text."""
    for key, name in (("whole_tick_over_tsid", "whole tick"), ("control_over_tsid", "control alone")):
        for solver, by_motion in measured[key].items():
            if by_motion[STANDING] is not None:
                yield f"{name} with {solver}, standing, 1 kHz: {by_motion[STANDING]:.2f} of TSID's control"
    yield bytecodes_line(measured["bytecodes_per_step"])
