"""Plots the margins of a recorded run over time, with the first sign of trouble and the stop."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kilohertz.robots.model.rows import Vector
from kilohertz.rt.show.plot_style import ESTIMATE, FOURTH, LIMIT, STYLE, THIRD, TRUTH
from kilohertz.rt.why.causes import CAUSES, Verdict
from kilohertz.rt.why.margin_table import capture_point
from kilohertz.rt.why.margins import Margins
from kilohertz.rt.why.symptoms import external_force, smooth

POINTS_DRAWN = 4000
_BEFORE_S, _AFTER_S = 1.5, 0.5
"""Part of the run before the first sign and after the stop that is drawn [s]."""


def margins_figure(m: Margins, verdict: Verdict) -> Figure:
    """Plots torque, friction, capture point, force from outside, and doubt of the estimate."""
    with mpl.rc_context(STYLE):
        legged = bool(len(m.robot.contacts))
        figure = Figure(figsize=(11, 8 if legged else 3), layout="constrained")
        axes = list(figure.subplots(5 if legged else 1, 1, sharex=True, squeeze=False)[:, 0])
        limit = np.asarray(m.robot.torque_limit_Nm)
        used = np.abs(m.rows["command"]["tau_ff"]) / limit
        _line(axes[0], m, used.max(axis=1), "torque / limit", TRUTH, "largest of all joints")
        axes[0].axhline(1.0, color=LIMIT, linewidth=0.8)
        if legged:
            for c, name in enumerate(m.robot.contact_names):
                _line(
                    axes[1], m, m.cone_use[:, c], "cone used", (TRUTH, ESTIMATE, THIRD, FOURTH)[c % 4], name
                )
            axes[1].axhline(1.0, color=LIMIT, linewidth=0.8)
            _, out = capture_point(m)
            _line(axes[2], m, out, "capture point\noutside [m]", TRUTH, "")
            axes[2].axhline(0.0, color=LIMIT, linewidth=0.8)
            force = smooth(external_force(m))
            for axis, colour in enumerate((TRUTH, ESTIMATE, THIRD)):
                _line(axes[3], m, force[:, axis], "force from\noutside [N]", colour, "xyz"[axis])
            _line(axes[4], m, m.doubts.doubt, "doubt", TRUTH, "")
            axes[4].axhline(1.0, color=LIMIT, linewidth=0.8)
        _mark(axes, m, verdict)
        axes[-1].set_xlabel("time [s]")
        figure.suptitle(
            f"{m.header.robot_name} · {m.header.scenario['name']}: {CAUSES[verdict.cause]}",
            fontweight="bold",
            x=0.01,
            ha="left",
        )
    return figure


def _line(plot: Axes, m: Margins, values: Vector, name: str, colour: str, label: str) -> None:
    few = slice(None, None, max(1, len(values) // POINTS_DRAWN))
    plot.plot(m.t_s[few], values[few], color=colour, linewidth=0.9, label=label or None)
    plot.set_ylabel(name)
    if label:
        plot.legend(loc="upper left", fontsize=7, ncols=4)


def _mark(axes: Sequence[Axes], m: Margins, verdict: Verdict) -> None:
    t_s = m.t_s
    stop_s = float(t_s[min(verdict.stop, len(t_s) - 1)])
    for plot in axes:
        if verdict.at_s is not None:
            plot.axvline(verdict.at_s, color=FOURTH, linewidth=1.2)
        if verdict.stopped_because:
            plot.axvline(stop_s, color=LIMIT, linewidth=1.2, linestyle="--")
    if verdict.at_s is not None:
        axes[0].annotate(" first sign", (verdict.at_s, 1.0), xycoords=("data", "axes fraction"), fontsize=8)
        first = max(float(t_s[0]), verdict.at_s - _BEFORE_S)
        shown = (t_s >= first) & (t_s <= stop_s + _AFTER_S)
        axes[0].set_xlim(first, float(t_s[shown][-1]))
    # The scale is that of the time before the stop; what the robot does on the ground is not of interest.
    before = (t_s <= stop_s) & (t_s >= axes[0].get_xlim()[0])
    for plot in axes:
        lines = [line for line in plot.get_lines() if np.size(line.get_xdata()) > 2]
        y = [np.asarray(line.get_ydata())[np.asarray(line.get_xdata()) <= stop_s] for line in lines]
        values = np.concatenate(y) if y and before.any() else np.zeros(0)
        values = values[np.isfinite(values)]
        if len(values):
            low, high = float(values.min()), float(values.max())
            plot.set_ylim(low - 0.1 * (high - low) - 1e-3, high + 0.15 * (high - low) + 1e-3)
