"""Prints a list of logs as a table in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PACES = {"lockstep": "lockstep", "timer": "real time", "robot": "robot", "import": "import"}


def print_logs(console: Console, entries: Sequence[Mapping[str, Any]]) -> None:
    """Prints the entries that `kilohertz.rt.log.listing.entries_of` returns."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("log", "robot", "scenario", "seed", "pace"):
        table.add_column(name, overflow="fold")
    table.add_column("s", justify="right")
    table.add_column("MB", justify="right")
    table.add_column("end", overflow="fold")
    for entry in entries:
        table.add_row(
            str(entry["file"]).rpartition("/")[2],
            entry["robot"] or "",
            entry["scenario"] or "",
            _text(entry["seed"]),
            _PACES.get(entry["pace"], "") if entry["pace"] else "",
            f"{entry['duration_s']:.1f}" if isinstance(entry["duration_s"], int | float) else "",
            f"{entry['bytes'] / 1e6:.1f}",
            _end(entry),
        )
    console.print(table)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _end(entry: Mapping[str, Any]) -> Text:
    at_s = entry["fell_at_s"]
    # A robot that is still controlled at the end of its run was not stopped by anything.
    text = "done" if entry["ended"] == "active" else _text(entry["ended"])
    if entry["fell"]:
        text = f"fell at {at_s:.2f} s" if isinstance(at_s, int | float) else "fell"
    if entry["first_tick"]:
        text += f" (from tick {entry['first_tick']} on)"
    return Text(text, style="yellow" if entry["fell"] or entry["duration_s"] is None else "")
