"""Plots the estimate from a log: pose against truth, contacts, innovations and biases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.offline.estimate import Comparison, Estimate, Samples
from kilohertz.rt.show.plot_style import ESTIMATE, FOURTH, LIMIT, REFERENCE, STYLE, THIRD, TRUTH, save

Array = NDArray[np.float64]

_COLOURS = (TRUTH, ESTIMATE, THIRD, FOURTH)
_AXES = "xyz"


def write_estimate_plots(
    folder: Path,
    title: str,
    robot: RobotModel,
    samples: Samples,
    estimate: Estimate,
    comparison: Comparison | None,
    stop: dict[str, Any] | None,
) -> list[Path]:
    """Writes all plots of an estimate; returns the files in the order in which to look at them.

    Args:
        folder: an existing folder.
        title: title of the plots.
        robot: the robot.
        samples: samples of the log.
        estimate: estimate at these samples.
        comparison: estimate against truth; None without truth.
        stop: when and why the controller would have stopped; None if it would not.
    """
    t_s = samples.t_s - samples.t_s[0]
    with mpl.rc_context(STYLE):
        figures = {
            "position": position_figure(t_s, estimate, comparison, samples.t_s[0], title),
            "orientation": orientation_figure(t_s, estimate, comparison, samples.t_s[0], title),
            "velocity": velocity_figure(t_s, estimate, comparison, samples.t_s[0], title),
            "contacts": contacts_figure(t_s, robot, estimate, title),
            "innovations": innovations_figure(t_s, robot, estimate, stop, title),
            "biases": biases_figure(t_s, estimate, title),
        }
        return save(figures, folder)


def _three(title: str, what: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    axes[2].set_xlabel("time since the first sample [s]")
    figure.suptitle(f"{title}: {what}", fontweight="bold", x=0.01, ha="left")
    return figure, axes


def _legend(figure: Figure, axes: Any) -> Figure:
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=4)
    return figure


def position_figure(
    t_s: Array, estimate: Estimate, comparison: Comparison | None, start_s: float, title: str
) -> Figure:
    """Plots the position of the tracked link and its truth; without truth, that of the base."""
    figure, axes = _three(title, "position")
    for i, axis in enumerate(_AXES):
        plot = axes[i]
        if comparison is None:
            p, sd, times = estimate.q[:, i], estimate.position_sd[:, i], t_s
        else:
            times = comparison.t_s - start_s
            p = comparison.p[:, i]
            sd = np.interp(times, t_s, estimate.position_sd[:, i])
            plot.plot(times, comparison.p_true[:, i], color=TRUTH, label="truth")
        plot.fill_between(times, p - 2 * sd, p + 2 * sd, color=ESTIMATE, alpha=0.2, linewidth=0, label="2 SD")
        plot.plot(times, p, color=ESTIMATE, label="estimate")
        plot.set_ylabel(f"{axis} [m]")
    return _legend(figure, axes)


def orientation_figure(
    t_s: Array, estimate: Estimate, comparison: Comparison | None, start_s: float, title: str
) -> Figure:
    """Plots roll, pitch and yaw of the tracked link and their truth; without truth, those of the base."""
    figure, axes = _three(title, "orientation")
    for i, axis in enumerate(("roll", "pitch", "yaw")):
        plot = axes[i]
        if comparison is None:
            rpy = Rotation.from_quat(estimate.q[:, 3:7]).as_euler("ZYX")[:, ::-1]
            plot.plot(t_s, np.rad2deg(np.unwrap(rpy[:, i])), color=ESTIMATE, label="estimate")
        else:
            times = comparison.t_s - start_s
            angle = np.unwrap(comparison.rpy[:, i])
            error = np.angle(np.exp(1j * (comparison.rpy_true[:, i] - angle)))
            plot.plot(times, np.rad2deg(angle + error), color=TRUTH, label="truth")
            plot.plot(times, np.rad2deg(angle), color=ESTIMATE, label="estimate")
        plot.set_ylabel(f"{axis} [deg]")
    return _legend(figure, axes)


def velocity_figure(
    t_s: Array, estimate: Estimate, comparison: Comparison | None, start_s: float, title: str
) -> Figure:
    """Plots the velocity in the world and that of the truth, both as means over 0.1 s."""
    figure, axes = _three(title, "velocity in the world")
    for i, axis in enumerate(_AXES):
        plot = axes[i]
        if comparison is None:
            v = Rotation.from_quat(estimate.q[:, 3:7]).apply(estimate.v[:, :3])
            plot.plot(t_s, v[:, i], color=ESTIMATE, label="estimate")
        else:
            times = comparison.t_s - start_s
            plot.plot(times, comparison.v_true[:, i], color=TRUTH, label="truth, mean of 0.1 s")
            plot.plot(times, comparison.v[:, i], color=ESTIMATE, label="estimate, mean of 0.1 s")
        plot.set_ylabel(f"{axis} [m/s]")
    return _legend(figure, axes)


def contacts_figure(t_s: Array, robot: RobotModel, estimate: Estimate, title: str) -> Figure:
    """Plots normal force and state of each contact."""
    names = robot.contact_names
    figure = Figure(figsize=(11, 1.5 + 2.0 * len(names)), layout="constrained")
    axes = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for c, name in enumerate(names):
        plot, force_N = axes[c], estimate.force_N[:, c]
        top = max(float(np.nanmax(force_N, initial=1.0)), 1.0)
        closed = estimate.contact[:, c]
        plot.fill_between(t_s, 0.0, top, where=closed, step="post", color=THIRD, alpha=0.15, linewidth=0,
                          label="closed")  # fmt: skip
        plot.plot(t_s, force_N, color=_COLOURS[c % 4], linewidth=0.9, label="normal force")
        plot.set(ylabel="force [N]", title=name)
    axes[-1].set_xlabel("time since the first sample [s]")
    figure.suptitle(f"{title}: contacts", fontweight="bold", x=0.01, ha="left")
    return _legend(figure, axes)


def innovations_figure(
    t_s: Array, robot: RobotModel, estimate: Estimate, stop: dict[str, Any] | None, title: str
) -> Figure:
    """Plots the normalised innovations of each contact, and the estimator's doubt."""
    figure, axes = _three(title, "innovations, normalised")
    for part, what in enumerate(("position", "orientation")):
        plot = axes[part]
        for c, name in enumerate(robot.contact_names):
            size = np.sqrt(np.maximum(estimate.surprise[:, c, part], 0.0) / 3.0)
            size[size == 0.0] = np.nan
            plot.plot(t_s, size, color=_COLOURS[c % 4], linewidth=0.8, label=name)
        plot.axhline(1.0, color=REFERENCE, linestyle="--", linewidth=1.0, label="expected RMS")
        plot.set_ylabel(f"{what} / SD")
    axes[2].plot(t_s, estimate.doubt, color=REFERENCE)
    axes[2].axhline(1.0, color=LIMIT, linewidth=1.0)
    axes[2].set_ylabel("doubt\n(1: diverged)")
    if stop is not None:
        for plot in axes:
            plot.axvline(stop["t_s"], color=LIMIT, linestyle=":", linewidth=1.2)
        axes[2].annotate(" the controller would stop", (stop["t_s"], 0.9), xycoords=("data", "axes fraction"),
                         fontsize=8, color=LIMIT)  # fmt: skip
    return _legend(figure, axes)


def biases_figure(t_s: Array, estimate: Estimate, title: str) -> Figure:
    """Plots the estimated biases of gyro and accelerometer."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    for plot, bias, label in (
        (axes[0], estimate.gyro_bias, "gyro [rad/s]"),
        (axes[1], estimate.accel_bias, "accelerometer [m/s²]"),
    ):
        for i, axis in enumerate(_AXES):
            plot.plot(t_s, bias[:, i], color=_COLOURS[i], label=axis)
        plot.set_ylabel(label)
    axes[1].set_xlabel("time since the first sample [s]")
    figure.suptitle(f"{title}: estimated biases", fontweight="bold", x=0.01, ha="left")
    return _legend(figure, axes)
