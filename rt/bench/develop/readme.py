"""Table of latency figures in the documentation, from one run of every benchmark: `khz bench readme`."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kilohertz.rt.bench.bytecodes import Counts, count_bytecodes
from kilohertz.rt.bench.develop import grow, torque_errors
from kilohertz.rt.bench.develop import kernel_baseline as floor
from kilohertz.rt.bench.develop import tsid_comparison as against
from kilohertz.rt.bench.develop.grow import GrownTick, fit, run_grow
from kilohertz.rt.bench.develop.kernel_baseline import Floor, run_floor
from kilohertz.rt.bench.develop.torque_errors import TorqueErrors, run_torque_errors
from kilohertz.rt.bench.develop.tsid_comparison import Comparison, run_against
from kilohertz.rt.bench.develop.tsid_environment import TsidMissingError
from kilohertz.rt.bench.latency import BenchReport, run_bench
from kilohertz.rt.loop.outcome import EXIT_INTERRUPTED

SOLVERS: tuple[Literal["osqp", "exact"], ...] = ("osqp", "exact")
_WIDTH = 112
_COMPARED_TICKS = 1000
_FLOOR_TICKS = 500
_NAMES = {"g1": "G1", "ur5": "UR5", "panda": "Panda"}
_MODES = {"both feet": "on both feet", "one foot": "on one foot", "hand": "drawing circles"}
_PACES = {False: "back to back", True: "paced at 1 kHz"}
_WHOLE = {"sway": "swaying on both feet", "walk-on": "walking at 0.5 m/s"}
_SCENARIOS = {"sway": "swaying", "push-lateral": "pushed by 14 Ns"}


@dataclass(frozen=True)
class Figures:
    """Figures that the table shows.

    Attributes:
        comparisons: comparison with TSID, or of the solvers alone.
        without_tsid: why TSID is missing; empty where it is not.
        errors: torque errors in closed loop.
        whole: a real-time run of each scenario of `_WHOLE` with each solver.
        grown: ticks of robots with many joints.
        floors: baseline of the exact solver's tick.
        bytecodes: bytecodes per step by solver and motion.
        load: load average over one minute at the start.
    """

    comparisons: Sequence[Comparison]
    without_tsid: str
    errors: Sequence[TorqueErrors]
    whole: Sequence[BenchReport]
    grown: Sequence[GrownTick]
    floors: Sequence[Floor]
    bytecodes: Counts
    load: float

    def as_json(self) -> dict[str, Any]:
        """The figures as plain objects for JSON."""
        return {
            **against.as_json(self.comparisons),
            "without_tsid": self.without_tsid,
            "load": self.load,
            **torque_errors.as_json(self.errors),
            "whole_tick": [report.as_json() for report in self.whole],
            **grow.as_json(self.grown),
            **floor.as_json(self.floors),
            "bytecodes_per_step": self.bytecodes,
        }


def measure(ticks: int, progress: Callable[[str], None]) -> Figures:
    """Runs every benchmark once; takes nine minutes with 100,000 ticks.

    Args:
        ticks: number of ticks of each real-time run.
        progress: called with each line of progress.
    """
    without_tsid, load = "", os.getloadavg()[0]
    progress("comparing with TSID ...")
    try:
        comparisons = run_against(against.ROBOTS, _COMPARED_TICKS)
    except TsidMissingError as error:
        without_tsid = str(error)
        progress(f"without TSID: {without_tsid}")
        comparisons = run_against(against.ROBOTS, _COMPARED_TICKS, tsid=False)
    floors = run_floor(against.ROBOTS, _FLOOR_TICKS)
    progress("timing robots with 6 to 100 joints ...")
    grown = run_grow()
    progress("measuring torque errors in closed loop ...")
    errors = run_torque_errors("g1")
    whole = []
    for scenario, motion in _WHOLE.items():
        for solver in SOLVERS:
            progress(f"timing {ticks} ticks of the whole loop with {solver}, {motion} ...")
            whole.append(run_bench("g1", ticks, solver, scenario))
            if whole[-1].exit_code == EXIT_INTERRUPTED:
                raise KeyboardInterrupt
    progress("counting bytecodes ...")
    bytecodes = count_bytecodes("g1")
    return Figures(comparisons, without_tsid, errors, whole, grown, floors, bytecodes, load)


def render(figures: Figures) -> str:
    """The table and the notes below it, as Markdown."""
    return "\n".join(
        [
            "| the tick, on one core | OSQP | exact |",
            "|---|---|---|",
            *_whole_rows(figures.whole),
            *_bytecode_rows(figures.bytecodes),
            *_compared_rows(figures.comparisons),
            *_grown_rows(figures.grown),
            *_error_rows(figures.errors),
            "",
            textwrap.fill(" ".join(_notes(figures)), _WIDTH),
        ]
    )


def _row(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def _compared_rows(comparisons: Sequence[Comparison]) -> list[str]:
    rows: dict[tuple[str, str, bool], dict[str, str]] = {}
    for c in comparisons:
        ratio = "" if c.ratio is None else f", {c.ratio:.2f} of TSID"
        rows.setdefault((c.robot, c.mode, c.paced), {})[c.solver] = f"{c.here_us:.0f} µs{ratio}"
    return [
        _row(
            f"whole-body control, {_NAMES[robot]} {_MODES[mode]}, {_PACES[paced]}",
            [cells[solver] for solver in SOLVERS],
        )
        for (robot, mode, paced), cells in rows.items()
    ]


def _grown_rows(grown: Sequence[GrownTick]) -> list[str]:
    joints = max(tick.joints for tick in grown)
    contacts = max(tick.contacts for tick in grown)
    largest = {t.solver: t.us for t in grown if (t.joints, t.contacts) == (joints, contacts)}
    name = f"whole-body control, {joints} joints on {contacts} contacts, back to back"
    return [_row(name, [f"{largest[solver]:.0f} µs" for solver in SOLVERS])]


def _error_rows(errors: Sequence[TorqueErrors]) -> list[str]:
    cells = {(e.scenario, e.solver): f"{e.p99_Nm:.1g} Nm" for e in errors}
    robot = _NAMES[errors[0].robot]
    return [
        _row(
            f"torque error, p99, {robot} {motion}",
            [cells[name, solver] for solver in SOLVERS],
        )
        for name, motion in _SCENARIOS.items()
    ]


def _whole_rows(whole: Sequence[BenchReport]) -> list[str]:
    rows = []
    for scenario, motion in _WHOLE.items():
        by_solver = {report.solver: report for report in whole if report.scenario == scenario}
        latency, taken = [], []
        for solver in SOLVERS:
            report = by_solver[solver]
            tick = report.latency["tick"].summary_us()
            latency.append(", ".join(f"{tick[name] or 0.0:.0f}" for name in ("p50", "p99", "p99.9")) + " µs")
            f = report.footprint
            faults, grown = f.minor_faults + f.major_faults, f.rss_growth_bytes
            kilobytes = "?" if grown is None else f"{max(grown, 0) / 1024:.0f} kB"
            taken.append(f"{faults}, {f.full_collections}, {kilobytes}")
        name, ticks = _NAMES[whole[0].robot], min(report.ticks for report in by_solver.values())
        rows += [
            _row(f"whole tick, from reading to writing, {name} {motion}: p50, p99, p99.9", latency),
            _row(
                f"in {ticks:,} such ticks: page faults, full garbage collections, growth of memory",
                taken,
            ),
        ]
    return rows


def _bytecode_rows(counts: Counts) -> list[str]:
    motions = next(iter(counts.values()))
    return [
        _row(f"bytecodes per step, G1 {motion}", [str(counts[solver][motion]) for solver in SOLVERS])
        for motion in motions
    ]


def _notes(figures: Figures) -> list[str]:
    compared, floor_, host = figures.comparisons, figures.floors[0], figures.whole[0]
    controls = [c.control for c in compared]
    granted = ", ".join(m.name for m in host.host.measures if m.granted)
    if figures.without_tsid:
        tsid = f"TSID was not available ({figures.without_tsid})."
    else:
        differ = max(c.difference_Nm or 0.0 for c in compared if c.solver == "exact")
        tsid = (
            "TSID 1.10.0 solves the same problems in C++ on the same core, in turn with Kilohertz; its "
            f"torques are within {differ:.1g} Nm of the exact solver's."
        )
    return [
        "Durations are medians unless stated otherwise. Whole-body control is the part from the state to the "
        "torque. A torque error is the largest difference of a joint torque from the optimum of the tick.",
        tsid,
        f"A/A control, the exact solver against itself: {min(controls):.2f} to {max(controls):.2f}.",
        f"{_NAMES[floor_.robot]} {_MODES[floor_.mode]}: alone, pinocchio takes {floor_.pinocchio_us:.1f} µs "
        f"and the exact solver's compiled kernel {floor_.kernel_us:.1f} µs; the whole-body tick takes "
        f"{floor_.ratio:.2g} times their sum.",
        f"With nv = joints + 6 and nc contacts, that tick takes {fit(figures.grown, 'exact')}.",
        f"{' '.join(host.provenance['kernel'].split()[:2])}; {os.cpu_count()} cores, "
        f"load average {figures.load:.0f} at the start; granted by the host: {granted or 'nothing'}.",
    ]
