"""Prints the summary of a run on one screen of a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kilohertz.controller.problem.soles import can_rest
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.host.realtime import HostState
from kilohertz.rt.loop.histogram import LatencyHistogram
from kilohertz.rt.loop.trace import TRUTH
from kilohertz.rt.run.result import SessionResult
from kilohertz.rt.show.latency_bins import log_bins
from kilohertz.sim.scenario_schema import Scenario

BAR_CELLS = 36
MOST_BARS = 16
# The finest of these that needs at most MOST_BARS bars is used.
BINS_PER_DECADE = (20, 12, 6, 3)
EVENTS_SHOWN, SETS_SHOWN = 12, 12
SMALLEST_SHOWN = 1e-12
PERCENTILES = ("p50", "p90", "p99", "p99.9", "max")


def print_run(console: Console, result: SessionResult, setup_s: float | None = None) -> None:
    """Prints the commands, the outcome, the figures with their names in the JSON, and the latency.

    Args:
        console: console to print on.
        result: result of the run.
        setup_s: time from the start of the command to the first tick [s]; None if unknown.
    """
    summary = result.summary
    pace = "in real time" if result.plan.paced else "in lockstep"
    if result.plan.endpoint is not None:
        pace += f" over {result.plan.endpoint}"
    setup = "" if setup_s is None else f", after {setup_s:.1f} s of set-up"
    uses_truth = result.scenario.estimator == "truth"
    simulated = summary["measured_against"] == TRUTH
    console.print()
    console.print(
        Text.assemble(
            (f"{result.robot.name} · {result.scenario.name}", "bold"),
            f"   {summary['duration_s']:g} s {'simulated' if simulated else 'run'} {pace}, "
            f"which took {result.wall_s:.1f} s{setup}",
            f"; seed {result.plan.seed}" if simulated else "",
            ", true state instead of an estimate" if uses_truth else "",
        )
    )
    console.print(_padded(scenario_table(result.scenario), verdict(result)))
    for note in result.robot.notes:
        console.print(Text(f"  note: {note}", "dim"))
    if not simulated:
        text = "The robot sends no true state: tracking is judged against the estimate, torques as measured."
        console.print(_padded(Text(text, "yellow")))
    console.print(_padded(figures_table(summary)))
    if summary["gains_sets"]:
        console.print(_padded(gains_table(summary)))
    console.print(_padded(latency_table(summary["latency_us"])))
    console.print(_padded(tick_bars(result.loop.latency["tick"])))
    if summary.get("link") is not None:
        console.print(_padded(link_line(summary["link"])))
    if "shadow" in summary:
        console.print(_padded(shadow_line(summary["shadow"])))
    if result.plan.paced:
        console.print(_padded(host_lines(result.host, result.loop.overruns)))


def scenario_table(scenario: Scenario) -> RenderableType:
    """Returns the scenario's commands and events in order of time."""
    rows = [(command.at_s, command.kind, _values(command.params)) for command in scenario.commands]
    for event in scenario.events:
        if event.push is not None:
            impulse = ", ".join(f"{value:g}" for value in event.push.impulse_Ns)
            rows.append((event.at_s, "push", f"{event.push.link} by [{impulse}] Ns"))
        if event.payload is not None:
            rows.append((event.at_s, "payload", f"{event.payload.mass_kg:g} kg on {event.payload.link}"))
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim")
    # One column for name and values: rich would truncate the names before a column that is empty in all rows.
    width = max(len(kind) for _, kind, _ in rows) if rows else 0
    for at_s, kind, text in sorted(rows, key=lambda row: row[0]):
        what = Text.assemble(kind.ljust(width + 2), (text, "dim")) if text else Text(kind)
        table.add_row(f"{at_s:g} s", what)
    return table


def verdict(result: SessionResult) -> RenderableType:
    """Returns whether the robot fell, the final state if it was stopped, and the last events."""
    lines = []
    if result.fell:
        lines.append(Text(f"FELL after {result.fell_at_s:.3f} s", style="bold red"))
    elif result.exit_code:
        lines.append(Text(f"stopped: {result.loop.exit_state}", style="bold red"))
    elif result.robot.floating and result.fell is not None:
        lines.append(Text("did not fall", style="bold green"))
    else:
        lines.append(Text("done", style="bold green"))
    shown = [event for event in result.events if event["kind"] not in ("push", "payload")]
    shown = [event for event in shown if not event["text"].startswith("starts in")]
    if len(shown) > EVENTS_SHOWN:
        n = len(shown) - EVENTS_SHOWN
        lines.append(Text(f"{n} earlier events are left out here: all are in --json", style="dim"))
    lines += [
        Text(f"{event['t_s']:8.3f} s  {event['text']}", style="yellow") for event in shown[-EVENTS_SHOWN:]
    ]
    return Group(*lines)


def gains_table(summary: Mapping[str, Any]) -> Table:
    """Returns a table of the sets of gains that were in force, with their figures; the newest at the end."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    table.add_column("gains", justify="right")
    table.add_column("verdict")
    for name in ("in force", "com error", "effort", "chatter", "torque margin"):
        table.add_column(name, justify="right")
    sets = summary["gains_sets"]
    if len(sets) > SETS_SHOWN:
        table.add_row("...", f"{len(sets) - SETS_SHOWN} more in --json")
    for each in sets[-SETS_SHOWN:]:
        torque, com = each["torque"], each["tracking"]["com_rms_m"]
        table.add_row(
            str(each["generation"]),
            each["verdict"]["state"] if each["verdict"] is not None else "at the start",
            f"{each['in_force_s']:.2f} s",
            _scaled(com, 1e3, "mm"),
            _scaled(torque["effort"], 100.0, "%"),
            _scaled(torque["chatter_Nm"], 1.0, "Nm/ms"),
            _scaled(torque["torque_margin"], 100.0, "%"),
        )
    return table


def _scaled(value: float | None, factor: float, unit: str) -> str:
    return "-" if value is None else f"{factor * value:.3g} {unit}"


def figures_table(summary: Mapping[str, Any]) -> Table:
    """Returns a table of the figures of tracking, estimation, solver, torque, energy and payload."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    table.add_column("figure", no_wrap=True)
    table.add_column("value", justify="right")
    table.add_column("key in --json", style="dim", no_wrap=True)
    for section in ("tracking", "estimation", "qp", "torque", "energy", "payload"):
        for name, value in summary[section].items():
            if value is None or value == {} or name not in _LABELS:
                continue
            entries = value.items() if isinstance(value, dict) else [("", value)]
            for part, figure in entries:
                if figure is not None:
                    key = f"{section}.{name}" + (f".{part}" if part else "")
                    label = f"{part} {_LABELS[name]}" if part else _LABELS[name]
                    table.add_row(label, _shown(figure) + _unit(name), key)
    return table


_LABELS = {
    "com_rms_m": "centre of mass tracking error, RMS",
    "hand_rms_m": "tracking error, RMS",
    "hand_max_m": "tracking error, max",
    "relative_rms_m": "relative position of both hands, RMS error",
    "relative_max_m": "relative position of both hands, max error",
    "relative_rms_deg": "relative orientation of both hands, RMS error",
    "relative_max_deg": "relative orientation of both hands, max error",
    "mean_velocity_m_s": "mean walking velocity, x y",
    "yaw_rate_rad_s": "mean yaw rate while walking",
    "velocity_rms_m_s": "base velocity estimation error, RMS x y z",
    "tilt_rms_deg": "tilt estimation error, RMS",
    "position_drift_m": "position estimate drift, x y z",
    "solver": "QP solver",
    "solved": "ticks with a QP solution",
    "softened": "ticks with softened limits",
    "fallback": "ticks without a QP solution",
    "iterations_p99": "QP iterations, p99",
    "worst_dynamics_residual_Nm": "dynamics residual, max",
    "worst_cone_violation_N": "friction cone violation, max",
    "peak_fraction": "largest ratio of torque to limit",
    "saturated_joints": "joints saturated in over 1 % of ticks",
    "mechanical_J": "mechanical work of the motors",
    "electrical_J": "electrical energy of the motors",
    "cost_of_transport": "energy of walking over weight and distance",
    "mass_kg": "estimated payload mass at the end",
    "p_BP_m": "estimated payload position in the base frame, x y z",
}


_UNITS = {
    "_m_s": " m/s",
    "_rad_s": " rad/s",
    "_deg": " deg",
    "_Nm": " Nm",
    "_J": " J",
    "_N": " N",
    "_m": " m",
    "_kg": " kg",
}


def _unit(name: str) -> str:
    return next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")


def latency_table(latency_us: Mapping[str, Mapping[str, float | None]]) -> Table:
    """Returns the percentiles of the tick and its stages [us]; stages that were not measured are left out."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    table.add_column("latency µs")
    for name in PERCENTILES:
        table.add_column(name, justify="right")
    for stage, figures in latency_us.items():
        if figures["max"] is not None:
            cells = ("-" if figures[name] is None else f"{figures[name]:.1f}" for name in PERCENTILES)
            table.add_row(stage, *cells, style="bold" if stage == "tick" else "")
    return table


def tick_bars(histogram: LatencyHistogram) -> RenderableType:
    """Returns the tick's latency histogram as bars; their length is the logarithm of the count."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim")
    table.add_column(justify="right")
    table.add_column(style="blue")
    if not histogram.total:
        return table
    shortest_ns, longest_ns = max(histogram.percentile_ns(0.0) or 1, 1), max(histogram.max_ns, 1)
    decades = math.log10(longest_ns / shortest_ns)
    fine = [n for n in BINS_PER_DECADE if n * decades <= MOST_BARS]
    edges_us, counts = log_bins(histogram, fine[0] if fine else BINS_PER_DECADE[-1])
    scale = BAR_CELLS / math.log10(10.0 * counts.max())
    table.add_row("tick µs", "ticks", Text("log scale", style="dim"))
    gap = False
    for low, high, count in zip(edges_us[:-1], edges_us[1:], counts, strict=True):
        if count:
            bar = "█" * max(1, round(scale * math.log10(10.0 * count)))
            table.add_row(f"{_us(low)} - {_us(high)}", f"{int(count):,}", bar)
        elif not gap:
            table.add_row("...", "", "")
        gap = not count
    return table


def _us(value: float) -> str:
    return f"{value:.3g}" if value < 1000.0 else f"{value:,.0f}"


def shadow_line(shadow: Mapping[str, Any]) -> RenderableType:
    """Returns whether it would have been safe to take over, and how far the torques differ.

    Args:
        shadow: section `shadow` of the summary.
    """
    largest = shadow["torque_p99_fraction"]
    differs = "unknown" if largest is None else f"{100.0 * largest:.1f} % of the limit (p99)"
    compared = f"torques of {shadow['compared']} states compared with the {shadow['against']}"
    text = f"{compared}: they differ by {differs}"
    if shadow["safe_to_take_over"]:
        return Text(f"watched only; {text}; it would have been safe to take over", style="green")
    because = "; ".join(shadow["reasons"])
    return Text(f"watched only; {text}; not safe to take over: {because}", style="yellow")


def link_line(link: Mapping[str, Any]) -> RenderableType:
    """Returns the counts of accepted and late commands, and the round-trip time.

    Args:
        link: link figures of the summary; times in us.
    """
    trip = link["round_trip_us"]
    parts = [f"{link['commands_accepted']} commands accepted by the robot, {link['commands_late']} late"]
    if trip["p50"] is not None:
        times = ", ".join(f"{name} {value:.0f}" for name, value in trip.items())
        parts.append(f"round trip state -> command [µs]: {times}")
    if link["commands_accepted"] is None:
        parts = ["the robot sent no command counts at the end"]
    return Text("; ".join(parts))


def host_lines(host: HostState, overruns: int) -> RenderableType:
    """Returns the number of deadline misses, and the real-time requests that the host refused."""
    style = "yellow" if overruns else "green"
    lines = [Text(f"{overruns} deadline misses on core {host.core}", style=style)]
    lines += [Text(banner, style="yellow") for banner in host.banners]
    return Group(*lines)


def robots_table(robots: Iterable[RobotModel]) -> Table:
    """Returns a table of robots: joints, base, mass and licence."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    for column, justify in (
        ("robot", "left"), ("joints", "right"), ("base", "left"), ("mass kg", "right"), ("licence", "left"),
        ("", "left"),
    ):  # fmt: skip
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for robot in robots:
        base = "floating" if robot.floating else "fixed"
        note = "" if not robot.floating or can_rest(robot) else "point feet: cannot stand still"
        table.add_row(
            robot.name, str(robot.na), base, f"{robot.mass_kg:.1f}", robot.description.licence, note
        )
    return table


def _padded(*renderables: RenderableType) -> Padding:
    return Padding(Group(*renderables), (1, 0, 0, 2), expand=False)


def _values(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in params.items())


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) > SMALLEST_SHOWN else "0"
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], Mapping):
        return str(len(value))
    if isinstance(value, Mapping):
        return " and ".join(value)
    if isinstance(value, (list, tuple)):
        return "  ".join(_shown(part) for part in value) or "none"
    return "-" if value is None else str(value)
