"""Latency of every stage of the tick on this host: `khz bench latency`.

The loop runs at 1 kHz as on a robot, on a core of its own and at FIFO priority where the host allows both. A
biped sways on both feet, an arm moves its hand, or any scenario runs. The simulator advances between ticks;
its time is not part of the tick.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kilohertz.controller.problem.soles import can_rest
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.host.footprint import Footprint
from kilohertz.rt.host.realtime import HostState
from kilohertz.rt.loop.control_loop import ControlLoop
from kilohertz.rt.loop.histogram import LatencyHistogram, latency_us
from kilohertz.rt.loop.stamps import START, WRITE
from kilohertz.rt.run.session import RunPlan, Session
from kilohertz.rt.show.latency_bins import log_bins
from kilohertz.rt.show.screen import PERCENTILES, host_lines, latency_table, tick_bars
from kilohertz.sim.scenario import default_scenario_name

ROWS_KEPT = 1000
BLOCK_TICKS = 1000
BINS_PER_DECADE = 30


@dataclass(frozen=True)
class BenchReport:
    """Result of a latency measurement.

    Attributes:
        robot, scenario, solver: what was run.
        ticks: number of ticks that were timed.
        overruns: periods that passed without a tick.
        latency: histogram of each stage.
        halves: A/A control: the tick in even and in odd seconds of the run. Both halves run the same code, so
            a difference between two runs that is smaller than the difference between the halves is noise.
        footprint: page faults, garbage collections and growth of memory after the warm-up.
        host: real-time privileges that the host granted.
        exit_code: exit status of the run.
        provenance: versions and hashes, as in the summary of a run.
    """

    robot: str
    scenario: str
    solver: str
    ticks: int
    overruns: int
    latency: dict[str, LatencyHistogram]
    halves: tuple[LatencyHistogram, LatencyHistogram]
    footprint: Footprint
    host: HostState
    exit_code: int
    provenance: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """The report as plain objects for JSON; times in microseconds."""
        edges_us, counts = log_bins(self.latency["tick"], BINS_PER_DECADE)
        bins = zip(edges_us[:-1].tolist(), edges_us[1:].tolist(), counts.tolist(), strict=True)
        return {
            "robot": self.robot,
            "scenario": self.scenario,
            "solver": self.solver,
            "ticks": self.ticks,
            "overruns": self.overruns,
            "latency_us": latency_us(self.latency),
            "control_us": {
                "even_seconds": self.halves[0].summary_us(),
                "odd_seconds": self.halves[1].summary_us(),
            },
            "histogram": [
                {"from_us": low, "to_us": high, "ticks": int(count)} for low, high, count in bins if count
            ],
            "footprint": asdict(self.footprint),
            "host": {
                "core": self.host.core,
                "granted": [measure.name for measure in self.host.measures if measure.granted],
                "refused": self.host.banners,
            },
            "provenance": self.provenance,
        }


class _Halves:
    """Histograms of the tick in even and in odd seconds, from the stage stamps of the loop."""

    def __init__(self, loop: ControlLoop[Any, Any, Any]) -> None:
        self.histograms = (LatencyHistogram(), LatencyHistogram())
        self._loop = loop

    def __call__(self, tick: int) -> None:
        stages = self._loop.stages
        row = stages.row
        duration_ns = stages.cells[row + WRITE] - stages.cells[row + START]
        self.histograms[tick // BLOCK_TICKS & 1].record(duration_ns)


def run_bench(
    robot: str, ticks: int, solver: Literal["osqp", "exact"] | None = None, scenario: str | None = None
) -> BenchReport:
    """Times the ticks of a robot in real time.

    Args:
        robot: name or folder.
        ticks: number of ticks; the scenario is cut or prolonged to as many milliseconds.
        solver: QP solver to use, instead of the one in the robot's gains.
        scenario: name or file; None lets a robot with flat soles sway and takes the default of any other.

    Raises:
        ConfigError: the robot or the scenario cannot be used.
    """
    if scenario is None:
        model = RobotModel.load(robot)
        scenario = "sway" if model.floating and can_rest(model) else default_scenario_name(model)
    duration_s = ticks * PERIOD_S
    session = Session(RunPlan(robot, scenario, duration_s, realtime=True, solver=solver, rows_kept=ROWS_KEPT))
    halves = _Halves(session.loop)
    result = session.run(each_tick=halves)
    return BenchReport(
        robot=result.robot.name,
        scenario=scenario,
        solver=session.gains.solver,
        ticks=result.loop.ticks,
        overruns=result.loop.overruns,
        latency=result.loop.latency,
        halves=halves.histograms,
        footprint=result.loop.footprint,
        host=result.host,
        exit_code=result.exit_code,
        provenance=result.summary["provenance"],
    )


def print_bench(console: Console, report: BenchReport) -> None:
    """Prints stage latencies, histogram, A/A control, footprint, and what the host granted."""
    title = Text.assemble(
        (f"{report.robot} · {report.scenario}", "bold"),
        f"   {report.ticks:,} ticks at 1 kHz, {report.solver}",
    )
    parts = (
        latency_table(latency_us(report.latency)),
        tick_bars(report.latency["tick"]),
        control_table(report),
        footprint_table(report.footprint),
        host_lines(report.host, report.overruns),
    )
    console.print(Group(Text(), title, *(Padding(part, (1, 0, 0, 2), expand=False) for part in parts)))


def control_table(report: BenchReport) -> Table:
    """A/A control: the same tick in even and in odd seconds of the run."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    table.add_column("A/A control, µs")
    for name in PERCENTILES:
        table.add_column(name, justify="right")
    for name, histogram in zip(("even seconds", "odd seconds"), report.halves, strict=True):
        figures = histogram.summary_us().values()
        table.add_row(name, *("-" if figure is None else f"{figure:.1f}" for figure in figures))
    return table


def footprint_table(footprint: Footprint) -> Table:
    """Page faults, garbage collections and growth of memory after the warm-up."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    for name, value in asdict(footprint).items():
        table.add_row(name, "unknown" if value is None else f"{value:g}")
    return table
