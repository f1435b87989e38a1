"""Plots the latency of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from kilohertz.rt.loop.histogram import LATENCY_KEYS, LatencyHistogram
from kilohertz.rt.show.latency_bins import log_bins
from kilohertz.rt.show.plot_style import ESTIMATE, LIMIT, REFERENCE, THIRD, TRUTH

MOST_FINE = 2000.0
"""Largest ratio of the ends of an axis that has room for three tick labels per decade."""

_MARKS = (("p50", "o", TRUTH), ("p99", "s", ESTIMATE), ("p99.9", "D", THIRD), ("max", "X", LIMIT))


def latency_figure(stages: Mapping[str, LatencyHistogram], title: str, *, realtime: bool) -> Figure:
    """Plots the histogram of the whole tick (both axes logarithmic), and percentiles of each stage."""
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    tick = stages["tick"]
    edges_us, counts = log_bins(tick, 30)
    left.stairs(counts, edges_us, fill=True, color=TRUTH, alpha=0.85)
    left.set(yscale="log", xlabel="duration of the tick [µs]", ylabel="ticks")
    _log_time(left.xaxis)
    left.set_title(f"{title}: latency of {tick.total:,} ticks")
    top = float(counts.max())
    left.set_ylim(0.7, top * 12.0)
    for height, (name, value) in zip((6.0, 3.0, 1.5, 6.0, 6.0), tick.summary_us().items(), strict=True):
        if value is None or name == "p90":
            continue
        left.axvline(value, color=REFERENCE, linewidth=0.8, linestyle=":")
        left.text(value, top * height, f" {name}\n {value:.0f} µs", fontsize=8, va="center", color=REFERENCE)
    if realtime:
        left.axvline(1000.0, color=LIMIT, linewidth=1.2)
        left.text(1000.0, 1.0, " period", color=LIMIT, fontsize=8, rotation=90, va="bottom", ha="right")

    measured = [key for key in LATENCY_KEYS if key in stages and stages[key].total]
    for row, key in enumerate(measured):
        values = stages[key].summary_us()
        low, high = _at_least(values["p50"]), _at_least(values["max"])
        right.plot([low, high], [row, row], color="#B0B0B0", linewidth=2.0, solid_capstyle="round", zorder=1)
        for name, marker, colour in _MARKS:
            right.scatter(_at_least(values[name]), row, marker=marker, color=colour, s=32, zorder=2)
    right.set_yticks(range(len(measured)), measured)
    right.invert_yaxis()
    right.set_xlabel("duration [µs]")
    _log_time(right.xaxis)
    right.set_title("Stages")
    right.legend(
        handles=[Line2D([], [], linestyle="", marker=m, color=c, label=n) for n, m, c in _MARKS],
        loc="lower center", bbox_to_anchor=(0.5, 1.04), ncols=4, handletextpad=0.1,
    )  # fmt: skip
    return figure


def _log_time(axis: Any) -> None:
    """Makes an axis logarithmic, with labels like 200 instead of 2 x 10^2; long axes show powers of 10."""
    axis.axes.set_xscale("log")
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < MOST_FINE * low else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _at_least(value: float | None, floor_us: float = 0.05) -> float:
    """Returns a duration of at least `floor_us` [us], because a logarithmic axis cannot show 0."""
    return max(value or 0.0, floor_us)
