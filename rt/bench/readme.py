"""The table of figures in the README, made by `khz bench --readme` from one run of every bench."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kilohertz.rt.bench import grow, torque_errors
from kilohertz.rt.bench import kernel_baseline as floor
from kilohertz.rt.bench import tsid_comparison as against
from kilohertz.rt.bench.grow import GrownTick, fit, run_grow
from kilohertz.rt.bench.kernel_baseline import Floor, run_floor
from kilohertz.rt.bench.latency import BenchReport, run_bench
from kilohertz.rt.bench.torque_errors import TorqueErrors, run_torque_errors
from kilohertz.rt.bench.tsid_comparison import Comparison, run_against
from kilohertz.rt.bench.tsid_environment import TsidMissingError

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
    """What the table is made of.

    Attributes:
        comparisons: with TSID, or alone.
        without_tsid: why TSID did not take part; empty where it did.
        errors: of torque, in closed loop.
        whole: a paced run of each of `_WHOLE` with each solver.
        grown: robots of many joints.
        floors: of the exact solver's tick.
        load: processes that wanted a core when it began, the load average of a minute.
    """

    comparisons: Sequence[Comparison]
    without_tsid: str
    errors: Sequence[TorqueErrors]
    whole: Sequence[BenchReport]
    grown: Sequence[GrownTick]
    floors: Sequence[Floor]
    load: float

    def as_json(self) -> dict[str, Any]:
        """All of it as plain objects for JSON."""
        return {
            **against.as_json(self.comparisons),
            "without_tsid": self.without_tsid,
            "load": self.load,
            **torque_errors.as_json(self.errors),
            "whole_tick": [report.as_json() for report in self.whole],
            **grow.as_json(self.grown),
            **floor.as_json(self.floors),
        }


def measure(ticks: int, say: Callable[[str], None]) -> Figures:
    """Runs every bench once, in nine minutes with 100,000 ticks.

    Args:
        ticks: of each of the paced runs.
        say: told what is being done.
    """
    without_tsid, load = "", os.getloadavg()[0]
    say("comparing with TSID ...")
    try:
        comparisons = run_against(against.ROBOTS, _COMPARED_TICKS)
    except TsidMissingError as error:
        without_tsid = str(error)
        say(f"TSID cannot take part: {without_tsid}")
        comparisons = run_against(against.ROBOTS, _COMPARED_TICKS, tsid=False)
    floors = run_floor(against.ROBOTS, _FLOOR_TICKS)
    say("growing robots ...")
    grown = run_grow()
    say("judging torques in closed loop ...")
    errors = run_torque_errors("g1")
    whole = []
    for scenario, told in _WHOLE.items():
        for solver in SOLVERS:
            say(f"timing {ticks} ticks of the whole loop with {solver}, {told} ...")
            whole.append(run_bench("g1", ticks, solver, scenario))
    return Figures(comparisons, without_tsid, errors, whole, grown, floors, load)


def render(figures: Figures) -> str:
    """The table and what has to be said of it, as Markdown."""
    return "\n".join(
        [
            "| the tick, on one core | OSQP | exact |",
            "|---|---|---|",
            *_whole_rows(figures.whole),
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
    name = f"the same, {joints} joints on {contacts} contacts, back to back"
    return [_row(name, [f"{largest[solver]:.0f} µs" for solver in SOLVERS])]


def _error_rows(errors: Sequence[TorqueErrors]) -> list[str]:
    cells = {(e.scenario, e.solver): f"{e.p99_Nm:.1g} Nm" for e in errors}
    robot = _NAMES[errors[0].robot]
    return [
        _row(f"torque from the optimum, p99, {robot} {told}", [cells[name, solver] for solver in SOLVERS])
        for name, told in _SCENARIOS.items()
    ]


def _whole_rows(whole: Sequence[BenchReport]) -> list[str]:
    rows = []
    for scenario, told in _WHOLE.items():
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
            _row(f"from reading to writing, {name} {told}, on its estimator: p50, p99, p99.9", latency),
            _row(f"in {ticks:,} such ticks: page faults, full garbage collections, growth of memory", taken),
        ]
    return rows


def _notes(figures: Figures) -> list[str]:
    compared, floor_, host = figures.comparisons, figures.floors[0], figures.whole[0]
    controls = [c.control for c in compared]
    granted = ", ".join(m.name for m in host.host.measures if m.granted)
    if figures.without_tsid:
        tsid = f"TSID could not take part ({figures.without_tsid})."
    else:
        differ = max(c.difference_Nm or 0.0 for c in compared if c.solver == "exact")
        tsid = (
            "TSID 1.10.0 solves the same problems in C++, in turn with these on the same core; its torques "
            f"are within {differ:.1g} Nm of the exact solver's."
        )
    return [
        "Medians where nothing else is said. Whole-body control is from the state to the torque.",
        tsid,
        f"The exact solver beside itself, timed alike: {min(controls):.2f} to {max(controls):.2f}.",
        f"{_NAMES[floor_.robot]} {_MODES[floor_.mode]}: pinocchio takes {floor_.pinocchio_us:.1f} µs and the "
        f"exact solver's compiled kernel {floor_.kernel_us:.1f} µs with nothing around them; the tick takes "
        f"{floor_.ratio:.2g} times their sum.",
        f"With nv = joints + 6 and nc contacts that tick takes {fit(figures.grown, 'exact')}.",
        f"{' '.join(host.provenance['kernel'].split()[:2])}; {os.cpu_count()} cores, which "
        f"{figures.load:.0f} other processes wanted at the time; granted: {granted or 'nothing'}.",
    ]
