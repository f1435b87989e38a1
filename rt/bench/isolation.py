"""Effect of load in other processes on the duration of the tick: `khz bench isolation`.

One run at 1 kHz in blocks of half a second. In every second block a disturbance runs in another process, so
that quiet and disturbed ticks alternate and changes of the host affect both alike. Each disturbance is
compared with all quiet ticks. Quiet blocks are also compared with each other (A/A control). Each change of
p99.9 comes with a 90 % bootstrap interval over blocks, because few ticks decide p99.9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.bench.disturb import PROGRAMS, Disturbance, RecorderAtWork
from kilohertz.rt.log.recorder import can_record
from kilohertz.rt.loop.control_loop import ControlLoop
from kilohertz.rt.loop.histogram import PERCENTILES
from kilohertz.rt.loop.outcome import EXIT_INTERRUPTED
from kilohertz.rt.loop.stamps import START, WRITE
from kilohertz.rt.run.session import RunPlan, Session

BLOCK_TICKS = 500
# After a disturbance is suspended, its data stays in the caches for a moment.
SETTLING_TICKS = 50
ROWS_KEPT = 1000
QUIET, CONTROL = "none", "none (A/A control)"
RECORDER = "recorder with backlog"
LARGEST_MOVE = 0.05
TAIL = "p99.9"
RESAMPLINGS = 400
LIKELY_PERCENT = (5.0, 95.0)

Vector = NDArray[np.float64]
Blocks = dict[str, list[Vector]]


@dataclass(frozen=True)
class Disturbed:
    """Duration of the tick under one disturbance.

    Attributes:
        disturbance: what ran in another process.
        ticks: number of ticks that were timed.
        tick_us: duration of the tick by percentile [us].
        moved: relative change of p99.9 against quiet ticks, 0.05 for 5 % more. None for the quiet ticks; for
            the A/A control it compares the second half of the quiet blocks with the first.
        likely: 90 % bootstrap interval of `moved`, resampled by blocks.
    """

    disturbance: str
    ticks: int
    tick_us: dict[str, float | None]
    moved: float | None
    likely: tuple[float, float] | None


class Switch(Protocol):
    """A disturbance in another process."""

    def resume(self) -> None:
        """Resumes it."""

    def pause(self) -> None:
        """Suspends it."""


class Alternation:
    """Switches disturbances on and off between ticks, and records the ticks under each of them.

    Args:
        disturbances: disturbances by name.
        loop: the loop to time, from its stage stamps.
        ticks: largest number of ticks.
    """

    def __init__(
        self, disturbances: Mapping[str, Switch], loop: ControlLoop[Any, Any, Any], ticks: int
    ) -> None:
        quiet = (QUIET, CONTROL)
        order = [name for at, disturbed in enumerate(disturbances) for name in (quiet[at % 2], disturbed)]
        # With an odd number of disturbances the two quiet halves swap places from round to round.
        if len(disturbances) % 2:
            order += [
                name for at, disturbed in enumerate(disturbances) for name in (quiet[1 - at % 2], disturbed)
            ]
        self.order = tuple(order)
        # Memory is written here for the first time, so that the tick causes no page fault.
        self._durations_ns = memoryview(bytearray(8 * ticks)).cast("q")
        self._disturbances = disturbances
        self._loop = loop

    def __call__(self, tick: int) -> None:
        """Takes the tick that has just ended, and switches disturbances at the start of a block."""
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
            self._durations_ns[tick] = stages.cells[row + WRITE] - stages.cells[row + START]

    def blocks_us(self) -> Blocks:
        """Duration of the ticks of each block, by disturbance, without missed and settling ticks [us]."""
        durations_us: Vector = np.frombuffer(self._durations_ns, dtype=np.int64).astype(np.float64) / 1000.0
        blocks: Blocks = {name: [] for name in self.order}
        for block, start in enumerate(range(0, len(durations_us), BLOCK_TICKS)):
            ticks = durations_us[start : start + BLOCK_TICKS]
            if (ticks > 0.0).any():
                blocks[self.order[block % len(self.order)]].append(ticks[ticks > 0.0])
        return blocks


def run_isolation(robot: str, seconds: float) -> list[Disturbed]:
    """Times the tick under each disturbance.

    Args:
        robot: name or folder.
        seconds: duration of the run [s].

    Raises:
        ConfigError: the robot cannot be used.
    """
    scenario = "sway" if RobotModel.load(robot).floating else "default-arm"
    ticks = round(seconds / PERIOD_S)
    with ExitStack() as stack:
        disturbances: dict[str, Switch] = {}
        for name, program in PROGRAMS.items():
            disturbance = Disturbance(program)
            stack.callback(disturbance.end)
            disturbances[name] = disturbance
        log = Path(stack.enter_context(TemporaryDirectory(prefix="kilohertz-"))) if can_record() else None
        session = Session(
            RunPlan(robot, scenario, duration_s=ticks * PERIOD_S, realtime=True, rows_kept=ROWS_KEPT, log=log)
        )
        recorder = RecorderAtWork(session)
        if log is not None:
            disturbances[RECORDER] = recorder
        alternation = Alternation(disturbances, session.loop, ticks)

        def each_tick(tick: int) -> None:
            if tick == 0:
                recorder.pause()
            alternation(tick)
            if tick == ticks - 1:
                recorder.resume()

        if session.run(each_tick=each_tick).exit_code == EXIT_INTERRUPTED:
            raise KeyboardInterrupt
    return compare(alternation.blocks_us())


def compare(blocks: Blocks) -> list[Disturbed]:
    """Compares the ticks under each disturbance with the quiet ones.

    Args:
        blocks: duration of the ticks of each block, by disturbance [us].
    """
    random = np.random.default_rng(0)
    quiet = blocks[QUIET] + blocks[CONTROL]
    results = []
    for name, own in blocks.items():
        against = {QUIET: [], CONTROL: blocks[QUIET]}.get(name, quiet)
        moved, likely = _moved(own, against, random) if own and against else (None, None)
        ticks = np.concatenate(own) if own else np.zeros(0)
        tick_us = {
            percentile: float(np.percentile(ticks, at)) if ticks.size else None
            for percentile, at in PERCENTILES.items()
        }
        tick_us["max"] = float(ticks.max()) if ticks.size else None
        results.append(Disturbed(name, ticks.size, tick_us, moved, likely))
    return results


def _moved(
    own: Sequence[Vector], against: Sequence[Vector], random: np.random.Generator
) -> tuple[float, tuple[float, float]]:
    """Relative change of p99.9 between two pools of blocks, and its bootstrap interval.

    Blocks are resampled, not ticks, because a disturbance by the host lasts for many ticks.
    """

    def tail_us(blocks: Sequence[Vector]) -> float:
        return float(np.percentile(np.concatenate(blocks), PERCENTILES[TAIL]))

    def drawn(blocks: Sequence[Vector]) -> list[Vector]:
        return [blocks[at] for at in random.integers(len(blocks), size=len(blocks))]

    ratios = [tail_us(drawn(own)) / tail_us(drawn(against)) for _ in range(RESAMPLINGS)]
    low, high = np.percentile(ratios, LIKELY_PERCENT) - 1.0
    return tail_us(own) / tail_us(against) - 1.0, (float(low), float(high))


def isolation_table(results: list[Disturbed]) -> Table:
    """Table with one line for each disturbance."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    table.add_column("disturbance")
    table.add_column("ticks", justify="right")
    for name in results[0].tick_us:
        table.add_column(f"{name} µs", justify="right")
    table.add_column(f"change of {TAIL}", justify="right")
    table.add_column("90 % interval", justify="right")
    for result in results:
        times = ("-" if value is None else f"{value:.1f}" for value in result.tick_us.values())
        moved = "" if result.moved is None else f"{100.0 * result.moved:+.1f} %"
        likely = (
            ""
            if result.likely is None
            else "{:+.1f} to {:+.1f} %".format(*(100.0 * x for x in result.likely))
        )
        table.add_row(result.disturbance, str(result.ticks), *times, moved, likely)
    blank = [""] * (1 + len(results[0].tick_us))
    table.add_row("limit", *blank, f"{100.0 * LARGEST_MOVE:+.1f} %")
    return table


def as_json(results: list[Disturbed]) -> dict[str, Any]:
    """The figures as plain objects for JSON."""
    return {"isolation": [asdict(result) for result in results]}
