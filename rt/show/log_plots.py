"""Plots a log: latency, each tick, joint torques, and balance as estimated by the controller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from kilohertz.rt.log.file import LogReader, read_rows
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.info import latency_of
from kilohertz.rt.log.schema import WARM_UP
from kilohertz.rt.show.latency_plot import latency_figure
from kilohertz.rt.show.plot_style import ESTIMATE, FOURTH, LIMIT, REFERENCE, STYLE, THIRD, TRUTH, save

POINTS_DRAWN = 3000


def write_log_plots(folder: Path, reader: LogReader) -> list[Path]:
    """Writes every plot for which the log has data.

    Args:
        folder: an existing folder to write PNG files to.
        reader: open log, at its beginning.

    Returns:
        The files written, in the order in which to look at them.
    """
    header = reader.header
    reader.require(*(reader.row.names or ()))
    rows = read_rows(reader)
    rows = rows[rows["tick"] != WARM_UP]
    title = f"{header.robot_name} · {header.scenario['name']}"
    figures: dict[str, Figure] = {}
    with mpl.rc_context(STYLE):
        if len(rows):
            stages = latency_of(rows["stamps_ns"], header.pace)
            figures["latency"] = latency_figure(stages, title, realtime=header.pace != "lockstep")
            figures["ticks"] = ticks_figure(rows, header, reader.events, title)
            figures["torques"] = torques_figure(rows, header, title)
            if header.contact_names:
                figures["balance"] = balance_figure(rows, header, title)
        return save(figures, folder)


def _times(rows: NDArray[Any], header: LogHeader) -> NDArray[np.float64]:
    times: NDArray[np.float64] = rows["tick"] * (header.period_ns * 1e-9)
    return times


def _few(rows: NDArray[Any]) -> slice:
    return slice(None, None, max(1, len(rows) // POINTS_DRAWN))


def ticks_figure(rows: NDArray[Any], header: LogHeader, events: list[dict[str, Any]], title: str) -> Figure:
    """Plots the duration of every tick and QP solution, with events, ladder rung and gain changes."""
    figure = Figure(figsize=(11, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    t_s, stamps = _times(rows, header), rows["stamps_ns"]
    # Draw every tick: the user looks for single late ones.
    above.plot(t_s, (stamps["write"] - stamps["start"]) / 1e3, ".", color=TRUTH, markersize=2, label="tick")
    above.plot(
        t_s, (stamps["solve"] - stamps["assemble"]) / 1e3, ".", color=ESTIMATE, markersize=2, label="QP solve"
    )
    if header.pace != "lockstep":
        above.axhline(header.period_ns / 1e3, color=LIMIT, linewidth=1.0, label="period")
    above.set(yscale="log", ylabel="duration [µs]")
    for event in events:
        above.axvline(event["t_s"], color=FOURTH, linewidth=0.8, alpha=0.6)
        above.annotate(f" {event['kind']}", (event["t_s"], 1.0), xycoords=("data", "axes fraction"),
                       fontsize=7, color=FOURTH, rotation=90, va="top")  # fmt: skip
    below.step(t_s, rows["rung"], color=REFERENCE, where="post", label="ladder rung")
    below.step(t_s, rows["gains_generation"], color=THIRD, where="post", label="gain changes")
    highest = max(int(rows["rung"].max()), int(rows["gains_generation"].max()), 1)
    below.set(xlabel="time [s]", xlim=(t_s[0], t_s[-1] + 1e-9), ylim=(-0.1, highest + 0.5))
    below.yaxis.set_major_locator(MaxNLocator(integer=True))
    below.legend(loc="upper left", ncols=2)
    figure.suptitle(f"{title}: tick by tick", fontweight="bold", x=0.01, ha="left")
    figure.legend(*above.get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return figure


def torques_figure(rows: NDArray[Any], header: LogHeader, title: str) -> Figure:
    """Plots the commanded and the measured torque of each joint divided by its limit."""
    joints = header.joint_names
    columns = min(6, len(joints))
    lines = -(-len(joints) // columns)
    figure = Figure(figsize=(max(2.1 * columns, 8.0), 1.35 * lines + 0.9), layout="constrained")
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    few = _few(rows)
    t_s = _times(rows, header)[few]
    limits = np.array(header.torque_limit_Nm)
    commanded, measured = rows["command"]["tau_ff"] / limits, rows["sensors"]["tau"] / limits
    for joint, name in enumerate(joints):
        plot = axes[joint]
        plot.plot(t_s, commanded[few, joint], color=ESTIMATE, linewidth=0.8, label="commanded")
        plot.plot(t_s, measured[few, joint], color=TRUTH, linewidth=0.8, label="measured")
        share = f"{100.0 * np.abs(commanded[:, joint]).max():.0f} % of {limits[joint]:.3g} Nm"
        plot.set_title(f"{name.removesuffix('_joint')}  {share}", fontsize=7.0, fontweight="normal")
        plot.tick_params(labelsize=7)
    for plot in axes[len(joints) :]:
        plot.set_visible(False)
    figure.supylabel("torque / limit", fontsize=9)
    figure.supxlabel("time [s]", fontsize=9)
    figure.suptitle(f"{title}: joint torques", fontweight="bold", x=0.01, ha="left")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, fontsize=8)
    return figure


def balance_figure(rows: NDArray[Any], header: LogHeader, title: str) -> Figure:
    """Plots estimated and desired centre of mass, and the desired normal force of each contact."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    axes = figure.subplots(4, 1, sharex=True)
    few = _few(rows)
    t_s, balance = _times(rows, header)[few], rows["balance"][few]
    for axis, name in enumerate("xyz"):
        plot = axes[axis]
        plot.plot(t_s, balance["p_WC_des"][:, axis], color=REFERENCE, linestyle="--", label="reference")
        plot.plot(t_s, balance["p_WC"][:, axis], color=ESTIMATE, label="estimate")
        plot.set_ylabel(f"{name} [m]")
    for contact, name in enumerate(header.contact_names):
        colour = (TRUTH, ESTIMATE, THIRD, FOURTH)[contact % 4]
        axes[3].plot(t_s, balance["w_F"][:, 6 * contact + 2], color=colour, linewidth=0.9, label=name)
    axes[3].set(ylabel="desired normal\nforce [N]", xlabel="time [s]", xlim=(t_s[0], t_s[-1] + 1e-9))
    axes[3].legend(loc="upper left", ncols=4)
    figure.suptitle(f"{title}: estimated centre of mass", fontweight="bold", x=0.01, ha="left")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure
