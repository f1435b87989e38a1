"""Plots of a study: success along each axis, over pairs of axes and by direction, and the ticks of its runs.

Blue is success, vermilion is none; the two differ for colour-blind readers too.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.projections.polar import PolarAxes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

from kilohertz.rt.show.plot_style import ESTIMATE, LIMIT, REFERENCE, STYLE, THIRD, TRUTH
from kilohertz.rt.study.findings import LEVELS, CellTable, Directions
from kilohertz.rt.study.statistics import Rate
from kilohertz.rt.study.thresholds import Threshold

SUCCESS_MAP = LinearSegmentedColormap.from_list("success", (LIMIT, "#F7F4EE", TRUTH))
NO_DATA = "#D9D9D9"
MOST_MARKS = 3000
"""Largest number of single runs that are drawn."""
NAME_WIDTH, NAME_LINES = 18, 3
"""Room for the name of a category [characters, lines]."""
TICKS = {"p50": ESTIMATE, "p99": THIRD, "p99.9": TRUTH, "max": LIMIT}
MOST_DECADES = 2.7
"""Number of decades along an axis from which on only powers of ten are labelled."""
RADIUS_POINTS = 165.0
"""Radius of a polar plot [points]."""
SMALLEST_WITH_TEXT = 200.0
"""Area of the smallest mark into which text fits [points²]."""
DARK = 0.5
"""Luminance below which text on a colour is white."""


def along_figure(tables: Sequence[CellTable]) -> Figure:
    """Plots the success rate along each axis, with the interval and the numbers of each cell."""
    columns = 1 if len(tables) == 1 else 2
    lines = math.ceil(len(tables) / columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.2 * columns, 3.5 * lines), layout="constrained")
        plots = figure.subplots(lines, columns, squeeze=False).ravel()
        for plot, table in zip(plots, tables, strict=False):
            _along(plot, table)
        for plot in plots[len(tables) :]:
            plot.set_visible(False)
    return figure


def _along(plot: Axes, table: CellTable) -> None:
    cells = table.cells[0]
    places = sorted(place[0] for place in table.rates)
    rates = [table.rates[(i,)] for i in places]
    numeric = table.numeric
    x = cells.centres[places] if numeric else np.array(places, dtype=float)
    y = np.array([rate.rate for rate in rates])
    error = _errors(rates)
    if numeric:
        if cells.edges is not None:
            half = 0.5 * np.diff(cells.edges)[places]
            plot.errorbar(x, y, xerr=half, fmt="none", ecolor=REFERENCE, elinewidth=0.7, alpha=0.6)
        plot.errorbar(x, y, yerr=error, fmt="o-", color=TRUTH, capsize=3, markersize=5, linewidth=1.0)
        if cells.edges is None:
            plot.set_xticks(cells.centres, cells.names)
        reach = cells.centres if cells.edges is None else cells.edges
        margin = 0.06 * max(float(reach[-1] - reach[0]), 1e-9)
        plot.set_xlim(float(reach[0]) - margin, float(reach[-1]) + margin)
    else:
        plot.bar(x, y, yerr=error, width=0.6, color=TRUTH, alpha=0.75, ecolor=REFERENCE, capsize=4)
        plot.set_xticks(range(len(cells.names)), [_wrapped(name) for name in cells.names])
        plot.set_xlim(-0.6, len(cells.names) - 0.4)
        plot.grid(visible=False, axis="x")
        plot.tick_params(axis="x", labelsize=8)
    for place, rate in zip(x, rates, strict=True):
        plot.annotate(
            f"{rate.successes}/{rate.of}",
            (float(place), 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            color=REFERENCE,
        )
    plot.set_ylim(-0.03, 1.03)
    plot.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    plot.set_xlabel(table.labels[0])
    plot.set_ylabel("success rate")


def _errors(rates: Sequence[Rate]) -> list[list[float]]:
    return [[each.rate - each.low for each in rates], [each.high - each.rate for each in rates]]


def _wrapped(name: str) -> str:
    return "\n".join(textwrap.wrap(name, NAME_WIDTH, max_lines=NAME_LINES, placeholder=" …"))


def map_figure(table: CellTable) -> Figure:
    """Plots the success rate over two axes; each cell says its rate, its runs and its interval."""
    across, up = table.cells
    columns, lines = len(across.names), len(up.names)
    rates = np.full((lines, columns), np.nan)
    for (i, j), rate in table.rates.items():
        rates[j, i] = rate.rate
    with mpl.rc_context(STYLE):
        figure = Figure(
            figsize=(min(13.0, 2.8 + 1.15 * columns), min(9.0, 1.5 + 0.62 * lines)), layout="constrained"
        )
        plot = figure.subplots()
        plot.set_facecolor(NO_DATA)
        mesh = plot.pcolormesh(
            np.arange(columns + 1) - 0.5,
            np.arange(lines + 1) - 0.5,
            np.ma.masked_invalid(rates),
            cmap=SUCCESS_MAP,
            vmin=0.0,
            vmax=1.0,
            edgecolors="white",
            linewidth=1.5,
        )
        for (i, j), rate in table.rates.items():
            _write_rate(plot, i, j, rate)
        for i in range(columns):
            for j in range(lines):
                if (i, j) not in table.rates:
                    plot.text(i, j, "no run", ha="center", va="center", fontsize=7, color=REFERENCE)
        for set_ticks, cells in ((plot.set_xticks, across), (plot.set_yticks, up)):
            if cells.edges is None:
                set_ticks(range(len(cells.names)), [_wrapped(name) for name in cells.names])
            else:
                set_ticks(np.arange(len(cells.edges)) - 0.5, [f"{edge:.3g}" for edge in cells.edges])
        plot.tick_params(labelsize=8)
        plot.set_xlabel(table.labels[0])
        plot.set_ylabel(table.labels[1])
        plot.grid(visible=False)
        plot.spines[:].set_visible(False)
        bar = figure.colorbar(
            mesh,
            ax=plot,
            format=PercentFormatter(1.0, decimals=0, symbol=" %"),
            label="success rate",
            pad=0.02,
        )
        bar.outline.set_visible(False)
    return figure


def _text_colour(rate: float) -> str:
    """Returns the colour of text on the colour of a success rate."""
    red, green, blue, _ = SUCCESS_MAP(rate)
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < DARK else "black"


def _write_rate(plot: Axes, i: int, j: int, rate: Rate) -> None:
    colour = _text_colour(rate.rate)
    plot.text(i, j + 0.16, f"{100 * rate.rate:.0f} %", ha="center", va="center", fontsize=9, color=colour)
    small = f"{rate.successes}/{rate.of}  [{100 * rate.low:.0f}, {100 * rate.high:.0f}]"
    plot.text(i, j - 0.22, small, ha="center", va="center", fontsize=7, color=colour)


def directions_figure(found: Directions, success: Sequence[bool]) -> Figure:
    """Plots runs by direction and magnitude, and where the success rate falls through each of `LEVELS`."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11.5, 6.2), layout="constrained")
        left = _polar(figure, 121, found)
        right = _polar(figure, 122, found)
        if found.vector.exact_rad and found.vector.magnitude.exact:
            _every_cell(left, found)
            left.set_title("a   successes of the runs of each vector", pad=18)
        else:
            _every_run(left, found, np.asarray(success))
            left.set_title("a   every run", pad=18)
        _thresholds(right, found)
        right.set_title("b   success rate falls through 95 % and 50 %", pad=18)
    return figure


def _polar(figure: Figure, place: int, found: Directions) -> PolarAxes:
    plot = figure.add_subplot(place, projection="polar")
    assert isinstance(plot, PolarAxes)
    vector = found.vector
    plot.set_theta_zero_location("N")
    highest = vector.magnitude.span[1]
    plot.set_ylim(0.0, 1.06 * highest)
    unit = vector.magnitude.label.rpartition(" ")[2].strip("[]") if "[" in vector.magnitude.label else ""
    plot.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g} {unit}".strip() if x else ""))
    plot.set_rlabel_position(22.5)
    plot.tick_params(axis="y", labelsize=8, labelcolor=REFERENCE)
    for text in plot.get_yticklabels():
        text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
    if vector.turns:
        names = ("+x  0°", "45°", "+y\n90°", "135°", "−x  180°", "225°", "−y\n270°", "315°")
        plot.set_xticks(np.arange(8) * math.pi / 4, names)
    else:
        margin = 0.05 * (vector.span_rad[1] - vector.span_rad[0]) + 1e-3
        plot.set_thetamin(math.degrees(vector.span_rad[0] - margin))
        plot.set_thetamax(math.degrees(vector.span_rad[1] + margin))
    lowest = vector.magnitude.span[0]
    if lowest > 0.0:
        turn = np.linspace(0.0, 2.0 * math.pi, 200)
        plot.fill_between(turn, 0.0, lowest, color=NO_DATA, linewidth=0, zorder=0.5)
    return plot


def _every_run(plot: PolarAxes, found: Directions, success: np.ndarray[Any, Any]) -> None:
    vector = found.vector
    few = slice(None, None, math.ceil(len(success) / MOST_MARKS))
    angle, size, good = vector.angle_rad[few], vector.magnitude.values[few], success[few]
    plot.scatter(
        angle[good],
        size[good],
        s=16,
        color=TRUTH,
        alpha=0.75,
        linewidth=0,
        label=f"success ({success.sum()})",
    )
    lost = int((~success).sum())
    plot.scatter(
        angle[~good], size[~good], s=22, color=LIMIT, marker="x", linewidth=1.1, label=f"no success ({lost})"
    )
    plot.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2)


def _every_cell(plot: PolarAxes, found: Directions) -> None:
    """Draws the cells of a grid, in which many runs have the same vector."""
    sectors, rings = found.rings.cells
    outside = plot.get_ylim()[1]
    between = 2.0 * math.pi / len(sectors.names)
    for (i, j), rate in found.rings.rates.items():
        place = (float(sectors.centres[i]), float(rings.centres[j]))
        colour = SUCCESS_MAP(rate.rate)
        # Neighbours on small rings do not overlap.
        size = min(420.0, (0.9 * between * RADIUS_POINTS * place[1] / outside) ** 2)
        plot.scatter(*place, s=size, color=[colour], edgecolor=REFERENCE, linewidth=0.5, clip_on=False)
        if size < SMALLEST_WITH_TEXT:
            continue
        text = f"{rate.successes}/{rate.of}"
        plot.annotate(
            text, place, ha="center", va="center", fontsize=6.5, color=_text_colour(rate.rate), zorder=5
        )


def _thresholds(plot: PolarAxes, found: Directions) -> None:
    vector, cells = found.vector, found.sectors.cells[0]
    lowest, highest = vector.magnitude.span
    if cells.edges is not None:
        bounds = list(zip(cells.edges[:-1], cells.edges[1:], strict=True))
    else:
        gaps = np.diff(cells.centres)
        half = 0.5 * float(gaps.min()) if len(gaps) else math.pi / 4
        bounds = [(x - half, x + half) for x in cells.centres]
    colours = dict(zip(LEVELS, (THIRD, TRUTH), strict=True))
    for (start, stop), levels in zip(bounds, found.thresholds, strict=True):
        if levels is None or not any(level.bounded for level in levels):
            turn = np.linspace(start, stop, 24)
            plot.fill_between(turn, lowest, highest, color=NO_DATA, linewidth=0)
            continue
        for share, each in zip((0.32, 0.68), levels, strict=True):
            _threshold(plot, (start, stop), start + share * (stop - start), each, (lowest, highest), colours)
    for level, colour in colours.items():
        plot.plot([], [], color=colour, linewidth=2.2, label=f"{100 * level:.0f} % succeed")
    plot.plot([], [], color=REFERENCE, marker="^", linestyle="", label="interval open beyond tested values")
    plot.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3)


def _threshold(
    plot: PolarAxes,
    bounds: tuple[float, float],
    at: float,
    found: Threshold,
    tested: tuple[float, float],
    colours: Mapping[float, str],
) -> None:
    """Draws a threshold as an arc and its interval as a bar, which ends in an arrow where it is open."""
    if not found.bounded:
        return
    colour = colours[found.level]
    turn = np.linspace(*bounds, 24)
    if found.estimate is not None:
        plot.fill_between(turn, tested[0], found.estimate, color=colour, alpha=0.13, linewidth=0)
        plot.plot(turn, np.full(24, found.estimate), color=colour, linewidth=2.2)
    elif found.above:
        plot.fill_between(turn, tested[0], tested[1], color=colour, alpha=0.13, linewidth=0)
    low = tested[0] if found.low is None else found.low
    high = tested[1] if found.high is None else found.high
    plot.plot([at, at], [low, high], color=colour, linewidth=1.3)
    for bound, place, out in ((found.low, low, "v"), (found.high, high, "^")):
        if bound is None:
            angle = math.degrees(at) + (180.0 if out == "v" else 0.0)
            plot.plot([at], [place], color=colour, marker=(3, 0, angle), markersize=7, linestyle="")
        else:
            plot.plot([at], [place], color=colour, marker=(2, 0, math.degrees(at) + 90.0), markersize=8)


def ticks_figure(timing: Sequence[Mapping[str, Any]]) -> Figure:
    """Plots the distribution, over the runs, of the percentiles and the longest of the ticks of each run."""
    rows = [row for row in timing if row.get("tick_max_us") is not None]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.0, 3.8), layout="constrained")
        plot = figure.subplots()
        share = np.arange(1, len(rows) + 1) / len(rows)
        for name, colour in TICKS.items():
            values = np.sort([float(row[f"tick_{name}_us"]) for row in rows])
            label = "worst tick" if name == "max" else f"{name} of the run"
            plot.step(
                [values[0], *values],
                [0.0, *share],
                where="post",
                color=colour,
                linewidth=2.0 if name == "max" else 1.2,
                label=f"{label}: median {_time(float(np.median(values)))}",
            )
        plot.set_xscale("log")
        shortest, longest = plot.get_xlim()
        decades = math.log10(longest / shortest)
        plot.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < MOST_DECADES else (1.0,)))
        plot.xaxis.set_minor_formatter(NullFormatter())
        plot.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _time(x)))
        plot.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
        plot.set_ylim(0.0, 1.02)
        plot.set_xlabel("duration of the tick")
        plot.set_ylabel("share of runs")
        plot.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _time(value_us: float) -> str:
    for factor, unit in ((1e6, "s"), (1e3, "ms")):
        if value_us >= factor:
            return f"{value_us / factor:.3g} {unit}"
    return f"{value_us:.3g} µs"
