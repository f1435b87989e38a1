"""Prints the summary of a log on one screen of a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from kilohertz.rt.show.screen import latency_table

EVENTS_SHOWN = 40


def print_log(console: Console, figures: Mapping[str, Any]) -> None:
    """Prints the figures that `kilohertz.rt.log.info.figures_of` returns for a log."""
    pace = {"lockstep": "in lockstep", "timer": "in real time", "robot": "paced by the robot"}
    rate = figures["bytes"] / 1e6 / max(figures["duration_s"], 1e-9) * 60.0
    console.print()
    console.print(
        Text.assemble(
            (f"{figures['robot']} · {figures['scenario']}", "bold"),
            f"   {figures['started']}, {figures['duration_s']:g} s {pace[figures['pace']]}",
            f", seed {figures['seed']}",
        )
    )
    lost = figures["rows_lost"]
    lines: list[RenderableType] = [
        Text(
            f"{figures['ticks']} ticks recorded, {lost} rows lost, {figures['overruns']} deadline misses; "
            f"{figures['bytes'] / 1e6:.1f} MB, {rate:.0f} MB/min",
            style="yellow" if lost or figures["overruns"] else "",
        ),
        Text(
            f"state at the end: {figures['ended']}" if figures["whole"] else figures["ended"],
            style="" if figures["whole"] else "yellow",
        ),
    ]
    if figures["gains"]:
        lines.append(Text(f"gain changes during the run: {figures['gains']}"))
    events = figures["events"]
    for event in events[:EVENTS_SHOWN]:
        lines.append(Text(f"{event['t_s']:8.3f} s  {event['kind']}: {event['text']}", style="dim"))
    if len(events) > EVENTS_SHOWN:
        lines.append(Text(f"and {len(events) - EVENTS_SHOWN} more events", style="dim"))
    console.print(_padded(*lines))
    console.print(_padded(latency_table(figures["latency_us"])))
    made = figures["provenance"]
    libraries = ", ".join(f"{name} {number}" for name, number in made["libraries"].items())
    console.print(
        _padded(
            Text(f"kilohertz {made['version']}; {libraries}", style="dim"),
            Text(
                f"configuration {made['config_sha256'][:12]}, model {made['model_sha256'][:12]}", style="dim"
            ),
        )
    )


def _padded(*renderables: RenderableType) -> Padding:
    return Padding(Group(*renderables), (1, 0, 0, 2), expand=False)
