"""Round trip from a sent state to the received command over the wire protocol: `khz bench link`.

Another process serves a simulated robot at 1 kHz and the controller runs here, idle and under stress-ng. The
clock of the robot process measures from the state that is ready to send to the command that has arrived:
packing, sending, the controller's network thread, every wake-up, unpacking and the tick. The simulation
step is not part of the round trip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.table import Table

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.bench.disturb import stress
from kilohertz.rt.loop.outcome import EXIT_INTERRUPTED
from kilohertz.rt.run.background_server import served
from kilohertz.rt.run.session import RunPlan, Session

LARGEST_P99_US = 600.0

Progress = Callable[[str], object]


@dataclass(frozen=True)
class RoundTrip:
    """Round trips under one load.

    Attributes:
        load: `idle` or `stress-ng`.
        robot: name of the robot.
        ticks: number of ticks of the controller.
        overruns: periods that the controller missed.
        accepted, late: commands that the robot accepted, and that arrived too late.
        predicted: states that did not arrive in time and were predicted.
        round_trip_us: from state sent to command received, by percentile [us].
        tick_us: the controller's part of the round trip, by percentile [us].
        exit_code: exit status of the run.
    """

    load: str
    robot: str
    ticks: int
    overruns: int
    accepted: int | None
    late: int | None
    predicted: int
    round_trip_us: dict[str, float | None]
    tick_us: dict[str, float | None]
    exit_code: int


def run_link_bench(robot: str, seconds: float, progress: Progress) -> list[RoundTrip]:
    """Runs a robot over the link, idle and under stress-ng.

    Args:
        robot: name or folder.
        seconds: duration of each of the two runs [s].
        progress: called with each line of progress.

    Raises:
        ConfigError: the robot cannot be used, or stress-ng is missing.
        LinkLostError: the link was lost before the run began.
    """
    scenario = "sway" if RobotModel.load(robot).floating else "default-arm"
    plan = RunPlan(robot, scenario, duration_s=seconds, realtime=True)
    results = []
    for load in ("idle", "stress-ng"):
        with served(plan) as endpoint:
            session = Session(replace(plan, endpoint=endpoint))
            progress(f"{load}: {seconds:g} s ...")
            with stress(load != "idle"):
                result = session.run()
        if result.exit_code == EXIT_INTERRUPTED:
            raise KeyboardInterrupt
        link = result.summary["link"]
        results.append(
            RoundTrip(
                load=load,
                robot=result.robot.name,
                ticks=result.loop.ticks,
                overruns=result.loop.overruns,
                accepted=link["commands_accepted"],
                late=link["commands_late"],
                predicted=link["states_predicted"],
                round_trip_us=link["round_trip_us"],
                tick_us=result.summary["latency_us"]["tick"],
                exit_code=result.exit_code,
            )
        )
    return results


def link_table(results: list[RoundTrip]) -> Table:
    """Table with one line for each load."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    table.add_column("load")
    names = list(results[0].round_trip_us)
    for name in names:
        table.add_column(f"{name} µs", justify="right")
    for name in ("tick p99 µs", "commands", "late", "overruns", "predicted"):
        table.add_column(name, justify="right")
    for result in results:
        times = [result.round_trip_us[name] for name in names] + [result.tick_us["p99"]]
        counts = (result.accepted, result.late, result.overruns, result.predicted)
        shown = ["-" if value is None else f"{value:.0f}" for value in (*times, *counts)]
        table.add_row(result.load, *shown)
    table.add_row("limit", *("" if name != "p99" else f"{LARGEST_P99_US:.0f}" for name in names))
    return table


def as_json(results: list[RoundTrip]) -> dict[str, Any]:
    """The figures as plain objects for JSON."""
    return {"link": [asdict(result) for result in results]}
