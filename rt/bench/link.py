"""How long a state takes to its command over the link, idle and under stress-ng: `khz bench --link`.

A simulation served by another process at 1 kHz, the whole controller here; the robot's own clock measures,
from the state that is ready to be sent to its command that has come: packing and sending, the network threads
of both ends, every wake-up, unpacking, the tick, and the same way back. What the robot does before it has a
state, which here is the simulation, is not the link's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.table import Table

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.bench.disturb import stress
from kilohertz.rt.run.background_server import served
from kilohertz.rt.run.session import RunPlan, Session

SECONDS = 60.0
LARGEST_P99_US = 600.0

Say = Callable[[str], object]


@dataclass(frozen=True)
class RoundTrip:
    """The link under one load.

    Attributes:
        load: `idle` or `stress-ng`.
        robot: what was controlled.
        ticks, overruns: of the controller.
        accepted, late: commands, as the robot counts them.
        predicted: states that did not come in time.
        round_trip_us: from a state sent to its command taken, by percentile.
        tick_us: of that, the controller's own time, by percentile.
        exit_code: of the run.
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


def run_link_bench(robot: str, seconds: float, say: Say) -> list[RoundTrip]:
    """Runs a robot over the link, idle and under stress-ng.

    Args:
        robot: name or folder.
        seconds: of each run.
        say: told what goes on.

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
            say(f"{load}: {seconds:g} s ...")
            with stress(load != "idle"):
                result = session.run()
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
    """A line for each load."""
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
    table.add_row("at most", *("" if name != "p99" else f"{LARGEST_P99_US:.0f}" for name in names))
    return table


def as_json(results: list[RoundTrip]) -> dict[str, Any]:
    """The figures as plain objects for JSON."""
    return {"link": [asdict(result) for result in results]}
