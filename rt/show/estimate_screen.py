"""Prints the result of `khz log estimate` and `khz log identify` on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_estimate(console: Console, figures: Mapping[str, Any], verdicts: Sequence[str], yaml: str) -> None:
    """Prints the figures of an estimate, its verdicts, and the suggested gains.

    Args:
        console: where to print.
        figures: the figures, as in `--json`.
        verdicts: sentences about noise, innovations and thresholds.
        yaml: suggested keys as YAML; "" for none.
    """
    console.print(
        f"\n  {figures['samples']} samples in {figures['duration_s']:.2f} s, usually every "
        f"{1e3 * figures['period_s']:.3g} ms, longest gap {1e3 * figures['longest_gap_s']:.3g} ms"
    )
    if figures["position_rms_m"] is None:
        console.print("  the log has no truth: errors are unknown")
    else:
        x, y, z = (100.0 * value for value in figures["position_rms_m"])
        console.print(f"  position error, RMS: x {x:.2f}, y {y:.2f}, z {z:.2f} cm")
        for key, what, unit in (("tilt_rms_deg", "tilt", "deg"), ("yaw_rms_deg", "yaw", "deg")):
            if figures[key] is not None:
                console.print(f"  {what} error, RMS: {figures[key]:.2f} {unit}")
        if figures["velocity_rms_m_s"] is not None:
            x, y, z = (100.0 * value for value in figures["velocity_rms_m_s"])
            console.print(f"  velocity error, RMS of means over 0.1 s: x {x:.1f}, y {y:.1f}, z {z:.1f} cm/s")
    stop = figures["controller_stop"]
    if stop is None:
        console.print("  the controller, asked to stand, would not have stopped", style="green")
    else:
        console.print(
            f"  the controller, asked to stand, would have stopped at {stop['t_s']:.3f} s: {stop['reason']}",
            style="yellow",
            soft_wrap=True,
        )
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for name in ("spread", "expected", "measured", "unit"):
        table.add_column(name, justify="left" if name in ("spread", "unit") else "right")
    for name, values in figures["innovation"].items():
        unusual = not 0.4 < values["measured"] / values["expected"] < 1.5
        table.add_row(
            name,
            f"{values['expected']:.3g}",
            Text(f"{values['measured']:.3g}", style="yellow" if unusual else ""),
            values["unit"] or "SD",
        )
    console.print(table)
    for verdict in verdicts:
        console.print(f"  - {verdict}", soft_wrap=True)
    if yaml:
        console.print("\n  suggested for gains.yaml:\n")
        console.print("\n".join(f"    {line}" for line in yaml.splitlines()), soft_wrap=True)
