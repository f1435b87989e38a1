"""Prints the comparison of two logs on one screen of a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kilohertz.rt.log.compare import SIGMAS, Comparison, Difference

_LABELS = {
    "com_tracking_m": ("centre of mass tracking error, RMS", 1e3, "mm"),
    "hand_tracking_m": ("worst hand tracking error, RMS", 1e3, "mm"),
    "effort": ("effort: torque over its limit, RMS", 100.0, "%"),
    "chatter_Nm": ("chatter: change of torque in a tick, RMS", 1.0, "Nm/ms"),
    "torque_margin": ("least torque margin in a second, mean", 100.0, "%"),
    "power_W": ("mechanical power of all joints, mean", 1.0, "W"),
    "without_solution": ("ticks not on the ladder's first rung", 100.0, "%"),
}
_STYLES = {"better": "green", "worse": "red", "same": ""}


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Prints a table of all figures, and a sentence that says what is better and worse."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    table.add_column("figure", no_wrap=True)
    for name in ("A", "B", "change", "noise", "B is"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in comparison.differences:
        label, factor, unit = _LABELS[each.figure]
        table.add_row(
            label,
            *(f"{factor * value:.3g} {unit}" for value in (each.a, each.b)),
            _percent(each, each.b - each.a),
            _percent(each, SIGMAS * each.noise, sign="\u00b1"),
            Text(each.verdict, _STYLES[each.verdict]),
        )
    console.print(table)
    seconds = comparison.seconds
    console.print(f"\n{sentence(comparison)}; compared: {seconds[0]:g} s of A, {seconds[1]:g} s of B")
    for note in comparison.notes:
        console.print(Text(f"note: {note}", "dim"))


def sentence(comparison: Comparison) -> str:
    """Returns in which figures B is better and worse than A."""
    named = {
        verdict: ", ".join(each.figure for each in comparison.differences if each.verdict == verdict)
        for verdict in ("better", "worse")
    }
    told = [f"B is {verdict} in {names}" for verdict, names in named.items() if names]
    return "; ".join(told) or "B is neither better nor worse than A by more than noise"


def _percent(each: Difference, change: float, sign: str = "") -> str:
    return f"{sign}{100.0 * change / each.a:{'' if sign else '+'}.2g} %" if each.a else "-"
