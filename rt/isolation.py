"""What work in other processes does to the tick: `khz bench --isolation`.

One run at 1 kHz. Every half second another disturbance goes on in another process, or none; so quiet and
disturbed ticks are neighbours, and what the host does by itself falls on all alike. The quiet blocks make two
pools, whose difference is what the figures are worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from robots.model import RobotModel
from rt.disturb import PROGRAMS, Disturbance
from rt.histogram import LatencyHistogram
from rt.loop import ControlLoop
from rt.session import PERIOD_S, RunPlan, Session
from rt.stamps import START, WRITE

BLOCK_TICKS = 500
# What was paused needs a moment to be gone from the caches.
SETTLING_TICKS = 50
ROWS_KEPT = 1000
QUIET, CONTROL = "nothing", "nothing, again"
LARGEST_MOVE = 0.05


@dataclass(frozen=True)
class Disturbed:
    """The tick beside one disturbance.

    Attributes:
        disturbance: what went on in another process.
        ticks: how many were timed.
        tick_us: by percentile.
        moved: p99.9 against that of quiet ticks, 0.05 for 5 % more; None for the quiet ones.
    """

    disturbance: str
    ticks: int
    tick_us: dict[str, float | None]
    moved: float | None


class Alternation:
    """Turns disturbances on and off between ticks, and times the ticks by what goes on.

    Args:
        disturbances: by name.
        loop: whose ticks to time; its own stamps are read.
    """

    def __init__(self, disturbances: Mapping[str, Disturbance], loop: ControlLoop) -> None:
        quiet = (QUIET, CONTROL)
        order = [name for at, disturbed in enumerate(disturbances) for name in (quiet[at % 2], disturbed)]
        # With an odd number the two quiet pools change their places from round to round.
        if len(disturbances) % 2:
            order += [
                name for at, disturbed in enumerate(disturbances) for name in (quiet[1 - at % 2], disturbed)
            ]
        self.order = tuple(order)
        self.histograms = {name: LatencyHistogram() for name in dict.fromkeys(self.order)}
        self._disturbances = disturbances
        self._loop = loop

    def __call__(self, tick: int) -> None:
        """Called after each tick."""
        block, within = divmod(tick, BLOCK_TICKS)
        name = self.order[block % len(self.order)]
        if within == 0:
            before = self._disturbances.get(self.order[(block - 1) % len(self.order)])
            if before is not None and block:
                before.pause()
            now = self._disturbances.get(name)
            if now is not None:
                now.resume()
        elif within >= SETTLING_TICKS:
            stages = self._loop.stages
            row = stages.row
            self.histograms[name].record(stages.cells[row + WRITE] - stages.cells[row + START])


def run_isolation(robot: str, seconds: float) -> list[Disturbed]:
    """Times ticks beside each of the disturbances.

    Args:
        robot: name or folder.
        seconds: of the whole run.

    Raises:
        ConfigError: the robot cannot be used.
    """
    scenario = "sway" if RobotModel.load(robot).floating else "default-arm"
    ticks = round(seconds / PERIOD_S)
    with ExitStack() as stack:
        disturbances = {}
        for name, program in PROGRAMS.items():
            disturbances[name] = disturbance = Disturbance(program)
            stack.callback(disturbance.end)
        session = Session(
            RunPlan(robot, scenario, duration_s=ticks * PERIOD_S, realtime=True, rows_kept=ROWS_KEPT)
        )
        alternation = Alternation(disturbances, session.loop)
        session.run(each_tick=alternation)
    return compare(alternation.histograms)


def compare(histograms: Mapping[str, LatencyHistogram]) -> list[Disturbed]:
    """Each pool of ticks beside the quiet ones."""
    quiet = histograms[QUIET].summary_us()["p99.9"]
    results = []
    for name, histogram in histograms.items():
        tick_us = histogram.summary_us()
        tail = tick_us["p99.9"]
        moved = None if quiet is None or tail is None or name == QUIET else tail / quiet - 1.0
        results.append(Disturbed(name, histogram.total, tick_us, moved))
    return results


def isolation_table(results: list[Disturbed]) -> Table:
    """A line for each pool of ticks."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    table.add_column("in another process")
    table.add_column("ticks", justify="right")
    for name in results[0].tick_us:
        table.add_column(f"{name} µs", justify="right")
    table.add_column("p99.9 moved", justify="right")
    for result in results:
        times = ("-" if value is None else f"{value:.1f}" for value in result.tick_us.values())
        moved = "" if result.moved is None else f"{100.0 * result.moved:+.1f} %"
        table.add_row(result.disturbance, str(result.ticks), *times, moved)
    return table


def as_json(results: list[Disturbed]) -> dict[str, Any]:
    """The figures as plain objects for JSON."""
    return {"isolation": [asdict(result) for result in results]}
