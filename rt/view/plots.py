"""Live plots of the cockpit: tracking, torque over limit, tick latency and QP iterations.

Their time axis is in seconds before the moment that is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import viser
from numpy.typing import NDArray

from kilohertz.rt.show.plot_style import ESTIMATE, FOURTH, LIMIT, REFERENCE, THIRD, TRUTH
from kilohertz.rt.view.history import LATENCY_EDGES_US, MEDIAN_TICK, WORST_TICK, History

Vector = NDArray[np.float64]

SHOWN_S = 10.0
POINTS = 250
"""Largest number of points of a curve; each is the extreme value of its share of the messages."""
HEIGHT_PX = 150
LOG: Any = {"distr": 3, "log": 10}
"""A logarithmic axis, in uPlot's words."""
TOP_JOINTS = 3
PER_MILLE = (500, 990, 999)
_MM_PER_M = 1000.0


def extremes(values: Vector, count: int) -> Vector:
    """Returns at most `count` values, each the one farthest from zero of a group of consecutive values.

    Args:
        values: (n,) values, NaN where unknown.
        count: largest number of values to return.
    """
    if len(values) <= count:
        return values
    size = -(-len(values) // count)
    padded = np.full(-(-len(values) // size) * size, np.nan)
    padded[: len(values)] = values
    groups = padded.reshape(-1, size)
    known = np.where(np.isnan(groups), -1.0, np.abs(groups))
    found: Vector = groups[np.arange(len(groups)), known.argmax(axis=1)]
    return found


class Plots:
    """The plots, in a panel of their own.

    Args:
        server: web server of the cockpit.
        history: history of the run, for the names of its joints.
    """

    def __init__(self, server: viser.ViserServer, history: History) -> None:
        gui = server.gui
        self._joints = [str(name).removesuffix("_joint") for name in history.hello["joint_names"]]
        self._floating = bool(history.hello["floating"])
        self._panel = panel = gui.add_panel()
        with panel.add_tab("Run"):
            self._tracking = (
                _plot(
                    gui,
                    "centre of mass: reference - estimate [mm]",
                    ("x", "y", "z"),
                    (TRUTH, ESTIMATE, THIRD),
                )
                if self._floating
                else None
            )
            self._torque = _plot(gui, "highest torque over limit [%]", ("highest joint",), (LIMIT,))
            self._worst = gui.add_markdown("")
            self._tick = _plot(gui, "tick [us]", ("longest", "median"), (FOURTH, TRUTH))
            self._iterations = _plot(gui, "QP iterations", ("most",), (ESTIMATE,))
        with panel.add_tab("Latency"):
            self._histogram = _plot(
                gui, "number of ticks by duration [us]", ("ticks",), (REFERENCE,), log=True
            )
            self._figures = gui.add_markdown("")
        panel.dock_left()
        panel.set_width(330)

    def update(self, history: History, until_s: float) -> None:
        """Draws the time up to `until_s` [s], as seconds before it."""
        names = ("t_s", "p_WC_des", "p_WC", "tau_share_max", WORST_TICK, MEDIAN_TICK, "qp_iterations_max")
        t_s, p_des, p, shares, worst, median, iterations = history.since(until_s - SHOWN_S, until_s, *names)
        if not len(t_s):
            return
        few = np.linspace(0, len(t_s) - 1, min(POINTS, len(t_s))).astype(int) if len(t_s) > POINTS else None
        times = (t_s if few is None else t_s[few]) - until_s
        self._draw(self._tracking, times, [*(_MM_PER_M * (p_des - p)).T] if self._floating else [])
        percent = 100.0 * shares
        self._draw(self._torque, times, [percent.max(axis=1)])
        order = np.argsort(-percent[-1])[:TOP_JOINTS]
        self._worst.content = " · ".join(f"{self._joints[i]} {percent[-1][i]:.0f} %" for i in order)
        self._draw(self._tick, times, [worst, median])
        self._draw(self._iterations, times, [iterations])
        self._draw_latency(history)

    def _draw(self, plot: Any, times: Vector, curves: Sequence[Vector]) -> None:
        if plot is not None:
            drawn = [_resampled(curve, len(times)) for curve in curves]
            plot.data = (times, *drawn)

    def _draw_latency(self, history: History) -> None:
        counted = np.flatnonzero(history.latency)
        if len(counted):
            bins = slice(max(0, counted[0] - 1), counted[-1] + 2)
            middle_us = np.sqrt(LATENCY_EDGES_US[1:] * LATENCY_EDGES_US[:-1])[bins]
            # On a logarithmic axis there is no 0.
            self._histogram.data = (middle_us, np.maximum(history.latency[bins], 0.5))
        self._figures.content = latency_text(history)

    def remove(self) -> None:
        """Removes the plots."""
        self._panel.remove()


def latency_text(history: History) -> str:
    """Returns the percentiles of the tick's duration and the number of ticks, in words."""
    total = int(history.latency.sum())
    if not total:
        return ""
    counts = np.cumsum(history.latency)
    # In whole ticks per thousand: 99.9 % of 1000 ticks are 999.
    bins = {per_mille: int(np.searchsorted(counts, -(-total * per_mille // 1000))) for per_mille in PER_MILLE}
    figures = [
        f"p{per_mille / 10:g}: {LATENCY_EDGES_US[1 + bin_]:.0f} us" for per_mille, bin_ in bins.items()
    ]
    return f"{total} ticks; at most " + ", ".join(figures) + f"; {history.dropped} not seen"


def _resampled(curve: Vector, count: int) -> Vector:
    """(count,) values of a curve, of which none of the extreme ones is left out."""
    if len(curve) == count:
        return curve
    found = extremes(curve, count)
    resampled: Vector = found[np.linspace(0, len(found) - 1, count).astype(int)]
    return resampled


def _plot(gui: Any, title: str, names: Sequence[str], colours: Sequence[str], *, log: bool = False) -> Any:
    series: list[dict[str, Any]] = [{"label": "t"}]
    series += [
        {"label": name, "stroke": colour, "width": 1.5} for name, colour in zip(names, colours, strict=True)
    ]
    return gui.add_uplot(
        data=tuple(np.array(LATENCY_EDGES_US[[0, -1]]) if log else np.zeros(2) for _ in series),
        series=tuple(series),
        title=title,
        # A fixed range: the page does not follow a moving one when it is short of time.
        scales=(
            {"x": {"time": False, "range": (LATENCY_EDGES_US[0], LATENCY_EDGES_US[-1]), **LOG}, "y": LOG}
            if log
            else {"x": {"time": False, "range": (-SHOWN_S, 0.0)}}
        ),
        legend={"show": len(names) > 1},
        height=2 * HEIGHT_PX if log else HEIGHT_PX,
    )
