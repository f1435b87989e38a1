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


def print_identified(console: Console, figures: Mapping[str, Any]) -> None:
    """Prints the figures of an identification; in brackets what the log does not determine."""
    residual = figures["residual_rms_Nm"]
    console.print(
        f"\n  torque residual, RMS: {residual['model']:.3g} Nm with the model, "
        f"{residual['identified']:.3g} Nm with the values below; the log determines "
        f"{figures['base_parameters_determined']} combinations of inertial parameters"
    )
    load = figures["load"]
    if load is not None:
        console.print(
            f"  {load['mass_kg']:+.3g} kg at {load['link']} alone explain "
            f"{100 * load['explained']:.0f} % of what friction does not"
        )
        if load["also_possible"]:
            console.print(
                f"  (or at {', '.join(load['also_possible'])}: this motion hardly tells them apart)"
            )
    joints = Table(box=None, padding=(0, 2), header_style="bold")
    joints.add_column("joint")
    for name in ("Coulomb [Nm]", "viscous [Nms]", "armature offset [kgm2]"):
        joints.add_column(name, justify="right")
    for name, values in figures["joints"].items():
        joints.add_row(name, *(_with_sd(v["value"], v["sd"], v["determined"]) for v in values.values()))
    console.print(joints)
    links = Table(box=None, padding=(0, 2), header_style="bold")
    links.add_column("link")
    for name in ("mass offset [kg]", "first moment x [kgm]", "y", "z"):
        links.add_column(name, justify="right")
    for name, found in figures["links"].items():
        if not any(found["determined"]):
            continue
        values = (found["mass_kg"], *found["first_moment_kgm"])
        deviations = (found["mass_sd_kg"], *found["first_moment_sd_kgm"])
        cells = zip(values, deviations, found["determined"], strict=True)
        links.add_row(name, *(_with_sd(*cell) for cell in cells))
    console.print(links)
    console.print("  in brackets: not determined by this log; excite the joint more, or in other postures")


def print_fit(console: Console, figures: Mapping[str, Any]) -> None:
    """Prints the figures of `khz fit`: those of an identification, and held-out residual, delay and noise."""
    print_identified(console, figures)
    residual = figures["held_out_residual_rms_Nm"]
    verdict = "better" if figures["better_on_held_out"] else "NOT better: do not use it"
    console.print(
        f"\n  on held-out data: {residual['model']:.3g} Nm with the model, {residual['fit']:.3g} Nm with the "
        f"fit, RMS: {verdict}"
    )
    if figures["delay_ms"] is not None:
        console.print(f"  delay from sensor sample to torque: {figures['delay_ms']:.2f} ms")
    for name, value in figures["noise"].items():
        if value is not None:
            console.print(f"  noise {name}: {value:.3g}")


def _with_sd(value: float, sd: float, determined: bool) -> str:
    text = f"{value:+.3g} ± {sd:.2g}"
    return text if determined else f"({text})"
