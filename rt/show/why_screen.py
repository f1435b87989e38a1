"""Prints the worst ticks of a run, and one tick in full, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

MOST_ROWS = 60
"""Largest number of rows of the whole-body problem on the screen; `--json` has all."""

MOST_INTERVENTIONS = 60
"""Largest number of interventions on the screen; `--csv` and `--json` have all."""

_HEADINGS = {
    "q": "q_rad",
    "v": "v_rad_s",
    "tau": "tau_measured_Nm",
    "command": "tau_command_Nm",
    "limit": "limit_Nm",
    "q_des": "q_des_rad",
    "kp": "kp_Nm_rad",
    "kd": "kd_Nms_rad",
}
"""Headings of the table of joints, and the keys of their figures."""


def print_worst(console: Console, ticks: Sequence[Mapping[str, Any]]) -> None:
    """Prints a table of the worst ticks."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    for name in ("tick", "time", "worst of", "duration", "rung", "iterations", "residual"):
        table.add_column(name, justify="left" if name in ("worst of", "rung") else "right", no_wrap=True)
    for each in ticks:
        residual = each["residual_N"]
        table.add_row(
            str(each["tick"]),
            f"{each['t_s']:.3f} s",
            f"{each['worst_of']} {100.0 * each['badness']:.0f} %",
            f"{each['tick_us']:.0f} us",
            each["rung"],
            str(each["iterations"]),
            "-" if residual is None else f"{residual:.2g} N",
        )
    console.print(table)
    for each in ticks:
        console.print(f"tick {each['tick']}, used: {', '.join(each['margins'])}")


def print_interventions(console: Console, interventions: Sequence[Mapping[str, Any]]) -> None:
    """Prints a table of the interventions of `kilohertz.rt.why.interventions`."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    for name in ("from", "until", "part", "what", "where", "value", "limit", ""):
        table.add_column(name, justify="right" if name in ("from", "until", "value", "limit") else "left")
    for each in interventions[:MOST_INTERVENTIONS]:
        table.add_row(
            f"{each['t_s']:.3f} s",
            f"{each['until_s']:.3f} s",
            each["part"],
            each["text"] or each["what"],
            each["where"] or "",
            _figure(each["value"]),
            _figure(each["limit"]),
            each["unit"] or "",
        )
    if interventions:
        console.print(table)
    if len(interventions) > MOST_INTERVENTIONS:
        console.print(f"and {len(interventions) - MOST_INTERVENTIONS} more: --csv FILE has all of them")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def print_tick(console: Console, tick: Mapping[str, Any]) -> None:
    """Prints everything about one tick; of a log that lacks its beginning, what was recorded of it."""
    console.print(
        f"tick {tick['tick']}, {tick['t_s']:.3f} s: {tick['state']}, {tick['behaviour']} "
        f"({tick['behaviour_state']}), {tick['rung']}, {tick['iterations']} iterations"
    )
    replayed = not tick.get("recorded_only", False)
    if replayed:
        same = "as recorded" if tick["command_as_recorded"] else "NOT as recorded"
        console.print(f"command {same}; residuals: {_numbers(tick['residuals'])}")
    for key in ("reason", "remark"):
        if tick.get(key):
            console.print(f"{key}: {tick[key]}")
    for name, each in tick["contacts"].items():
        console.print(
            f"{name}: closed {each['closed']}, planned {each['planned']}, normal force "
            f"{_number(each['normal_force_N'])} N, wrench in solution {_list(each['wrench_in_solution'])}"
        )
    for name, values in tick["balance"].items():
        console.print(f"{name}: {_list(values)}")
    _print_joints(console, tick["joints"])
    if replayed:
        _print_problem(console, tick)
    else:
        console.print("the log begins in the middle of its run: rows of the problem are not known")


def _print_problem(console: Console, tick: Mapping[str, Any]) -> None:
    for name, each in tick["tasks"].items():
        console.print(f"task {name}: reference {_list(each['reference'])}, weights {_list(each['weights'])}")
    for row in tick["rows"][:MOST_ROWS]:
        console.print(
            f"row of {row['task']}: wanted {_number(row['wanted'])}, reached {_number(row['reached'])}, "
            f"weight {_number(row['weight'])}"
        )
    if len(tick["rows"]) > MOST_ROWS:
        console.print(f"{len(tick['rows']) - MOST_ROWS} more rows: see --json")
    active = ", ".join(f"{each['name']} ({each['multiplier']:.3g})" for each in tick["active_constraints"])
    console.print(f"active constraints (multiplier): {active or 'none'}")


def _print_joints(console: Console, joints: Mapping[str, Mapping[str, float]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    table.add_column("joint", no_wrap=True)
    for name in _HEADINGS:
        table.add_column(name, justify="right", no_wrap=True)
    for name, values in joints.items():
        table.add_row(name.removesuffix("_joint"), *(_number(values[key]) for key in _HEADINGS.values()))
    console.print(table)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _list(values: Sequence[float]) -> str:
    return "[" + ", ".join(f"{value:.4g}" for value in values) + "]"


def _numbers(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.2g}" for name, value in values.items())
