"""Reports of studies on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

LISTED = 20
"""Largest number of failures that are listed; the report and the folder hold all."""


def print_sweep(console: Console, report: Mapping[str, Any]) -> None:
    """Prints the report of a sweep (`kilohertz.rt.study.sweep.run_study`)."""
    rate = report["success_rate"]
    if rate is not None:
        text = f"{rate['successes']} of {rate['of']} runs were a success"
        console.print(f"\n  {text}: {percent(rate)}")
    for status, count in report["status"].items():
        if status != "done":
            console.print(f"  {count} {'run' if count == 1 else 'runs'} {status}")
    factor = report["realtime_factor_per_worker"]
    speed = "" if factor is None else f", {factor:.2f} x real time per worker"
    console.print(f"  {report['done'] - report['resumed']} runs in {report['wall_s']:.1f} s{speed}")
    failures = report["failures"]
    if failures:
        console.print(f"\n  no success ({len(failures)}), each with the command that repeats it:")
    for failure in failures[:LISTED]:
        console.print(f"    {failure['index']:6d}  {failure['problem']}", markup=False, soft_wrap=True)
        console.print(f"            {failure['repeat']}", markup=False, soft_wrap=True)
    if len(failures) > LISTED:
        console.print(f"    and {len(failures) - LISTED} more: see {report['folder']}/failures", markup=False)
    console.print(
        f"\n  written to {report['folder']}: runs.parquet, timing.parquet", soft_wrap=True, markup=False
    )


def print_difference(console: Console, found: Mapping[str, Any]) -> None:
    """Prints the comparison of two studies (`kilohertz.rt.study.difference.difference`)."""
    console.print(f"\n  {found['runs']} runs in common, {found['not_in_common']} others left out")
    for name, rate in zip(("first", "second"), found["success_rate"], strict=True):
        console.print(f"  {found[name]}: {percent(rate)}", markup=False, soft_wrap=True)
    console.print(
        f"  success of the first only {found['only_first']}, of the second only {found['only_second']}: "
        f"p = {found['p']:.2g}"
    )
    console.print(f"  verdict on the second: {found['verdict']}")


def percent(rate: Mapping[str, Any]) -> str:
    """Returns a success rate with its interval, such as `94.0 % (95 % interval 87.5 to 97.2 %)`."""
    return f"{100 * rate['rate']:.1f} % (95 % interval {100 * rate['low']:.1f} to {100 * rate['high']:.1f} %)"


def print_tuning(console: Console, report: Mapping[str, Any]) -> None:
    """Prints the report of a search for gains (`kilohertz.rt.study.tune.run_tuning`)."""
    candidates = report["candidates"]
    given_up = sum(each["given_up"] for each in candidates)
    console.print(
        f"\n  {len(candidates) - 1} sets of gains tried in {report['runs']} runs, {given_up} given up early, "
        f"in {report['wall_s']:.1f} s"
    )
    best = report["best"]
    console.print(f"  cost on the runs of the search: {report['start_cost']:.4g} -> {best['mean_cost']:.4g}")
    for key, value in best["gains"].items():
        start = report["start"][key]
        console.print(f"    {key}: {'not set' if start is None else f'{start:g}'} -> {value:g}", markup=False)
    fresh = report["fresh"]
    if fresh is None:
        return
    before, after = fresh["before"]["mean_cost"], fresh["after"]["mean_cost"]
    console.print(
        f"\n  on {fresh['runs']} seeds that the search has not used: cost {before:.4g} -> {after:.4g}, "
        f"p = {fresh['p']:.2g}"
    )
    for name, rate in zip(("before", "after"), fresh["success_rate"], strict=True):
        console.print(f"  success {name}: {percent(rate)}")
    if report["gains_file"]:
        console.print(f"\n  written to {report['gains_file']}", soft_wrap=True, markup=False)
