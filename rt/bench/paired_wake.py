"""Wake-up latency of the loop and of cyclictest on the same core: `khz bench against cyclictest`.

Both wake every millisecond, 150 us apart, idle and under stress-ng. Their order is swapped after each block,
because disturbances of a host are often synchronous with the millisecond.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.bench.disturb import stress
from kilohertz.rt.doctor.measure import LARGEST_REFERENCE_P99_US, WakeUps, measure_paired
from kilohertz.rt.host.footprint import StealMeter
from kilohertz.rt.host.realtime import DEFAULT_PRIORITY, prepare_realtime

BLOCKS = 8
BARS = {"p50": 1.3, "p90": 1.3, "p99": 1.3, "p99.9": 1.5}
LARGEST_STOLEN_SHARE = 0.02

Progress = Callable[[str], object]


@dataclass(frozen=True)
class PairedWake:
    """Wake-up latency under one load.

    Attributes:
        load: `idle` or `stress-ng`.
        wakes: number of wake-ups of the loop.
        missed: periods that the loop missed.
        ours_us, cyclictest_us: latency of the loop and of cyclictest, by percentile [us].
        ratio: latency of the loop over that of cyclictest, by percentile.
        stolen_share: share of the time taken by the hypervisor; None where the kernel does not report it.
        conclusive: whether cyclictest was on time, so that the ratios describe the loop and not the host.
        holds: whether every ratio is within its limit in `BARS`.
    """

    load: str
    wakes: int
    missed: int
    ours_us: dict[str, float | None]
    cyclictest_us: dict[str, float | None]
    ratio: dict[str, float]
    stolen_share: float | None
    conclusive: bool
    holds: bool


def compare(load: str, wake_ups: WakeUps, stolen_share: float | None) -> PairedWake:
    """Compares the wake-ups under one load.

    Raises:
        ConfigError: cyclictest reported no figures.
    """
    ours, other = wake_ups.ours.summary_us(), wake_ups.reference.summary_us()
    if not wake_ups.reference.total:
        raise ConfigError("cyclictest did not run: it needs FIFO priority; run as root, or see `khz doctor`")
    ratio = {name: (ours[name] or 0.0) / max(other[name] or 0.0, 1e-3) for name in BARS}
    late = (other["p99"] or 0.0) > LARGEST_REFERENCE_P99_US
    stolen = (stolen_share or 0.0) > LARGEST_STOLEN_SHARE
    return PairedWake(
        load=load,
        wakes=wake_ups.ours.total,
        missed=wake_ups.missed,
        ours_us=ours,
        cyclictest_us=other,
        ratio=ratio,
        stolen_share=stolen_share,
        conclusive=not (late or stolen),
        holds=all(ratio[name] <= bar for name, bar in BARS.items()),
    )


def run_paired_wake(block_s: float, progress: Progress) -> list[PairedWake]:
    """Measures idle and under stress-ng.

    Args:
        block_s: length of each of the 2 x 8 blocks, whole seconds [s].
        progress: called with each line of progress.

    Raises:
        ConfigError: cyclictest or stress-ng is missing, or there is no FIFO priority.
    """
    if shutil.which("cyclictest") is None:
        raise ConfigError("cyclictest is not installed: apt install rt-tests")
    results = []
    for load in ("idle", "stress-ng"):
        progress(f"{load}: {BLOCKS * block_s:g} s ...")
        # The load starts first: once this process is bound to its core, the load would inherit that core.
        with stress(load != "idle"), prepare_realtime() as host:
            if not host.granted(f"FIFO priority {DEFAULT_PRIORITY}"):
                raise ConfigError("there is no FIFO priority: run as root, or see `khz doctor`")
            steal = StealMeter()
            began_s, before_s = time.monotonic(), steal.read_s()
            wake_ups = measure_paired(host.core, DEFAULT_PRIORITY, BLOCKS * block_s, BLOCKS)
            seconds, after_s = time.monotonic() - began_s, steal.read_s()
            steal.close()
        share = None if before_s is None or after_s is None else (after_s - before_s) / seconds
        results.append(compare(load, wake_ups, share))
    return results


def wake_table(results: list[PairedWake]) -> Table:
    """Table of both latencies and their ratio by percentile, for each load."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    for name in ("load", "wake-up, µs"):
        table.add_column(name)
    for name in BARS:
        table.add_column(name, justify="right")
    table.add_column("")
    for result in results:
        missed = f"{result.missed} of {result.wakes} missed"
        table.add_row(result.load, "Kilohertz", *(f"{result.ours_us[name]:.1f}" for name in BARS), missed)
        table.add_row("", "cyclictest", *(f"{result.cyclictest_us[name]:.1f}" for name in BARS))
        verdict = "within limits" if result.holds else "above limits"
        verdict = verdict if result.conclusive else f"inconclusive ({verdict}): cyclictest itself was late"
        table.add_row("", "ratio", *(f"{result.ratio[name]:.2f}" for name in BARS), verdict)
    table.add_row("", "limit", *(f"{bar:.1f}" for bar in BARS.values()))
    return table


def as_json(results: list[PairedWake]) -> dict[str, Any]:
    """The comparison as plain objects for JSON."""
    return {"against_cyclictest": [asdict(result) for result in results]}
