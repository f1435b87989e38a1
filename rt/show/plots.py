"""Plots a run: latency, balance, footsteps, contact forces, torques, estimation errors and hands.

The plots are drawn after the run from its trace, so that they take no time from the tick.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.loop.histogram import LatencyHistogram
from kilohertz.rt.loop.trace import TRUTH as TRUE_STATE
from kilohertz.rt.loop.trace import Trace
from kilohertz.rt.run.summary import (
    active,
    base_velocity_error,
    com_error,
    hand_error,
    judged_com,
    rotate,
    tilt_error_rad,
)
from kilohertz.rt.show.hand_force_plot import hand_force_figure
from kilohertz.rt.show.latency_plot import latency_figure
from kilohertz.rt.show.plot_style import ESTIMATE, FOURTH, LIMIT, REFERENCE, STYLE, THIRD, TRUTH, save
from kilohertz.sim.scenario_schema import Flat, Scenario, Slope, Stairs
from kilohertz.sim.terrain import make_terrain

Vector = NDArray[np.float64]

AXIS_COLOURS = {"x": TRUTH, "y": ESTIMATE, "z": THIRD}
POINTS_DRAWN = 3000
BEYOND_LIMIT = 1.15
TITLE_OVER_PUSHES = 16.0
STANDS_SHARE, STANDS_S = 0.06, 0.1
"""A sole counts as a foothold if it carries this share of the robot's weight for this time."""


def write_plots(
    folder: Path,
    trace: Trace,
    robot: RobotModel,
    scenario: Scenario,
    stages: Mapping[str, LatencyHistogram],
    *,
    realtime: bool,
) -> list[Path]:
    """Writes every plot for which the run has data.

    Args:
        folder: an existing folder to write PNG files to.
        trace: history of the run; with fewer than two rows only the latency is plotted.
        robot: the robot of the run.
        scenario: the scenario of the run.
        stages: latency of the tick and of its stages, by their names in the summary.
        realtime: whether ticks were paced, so that the period is a deadline.

    Returns:
        The files written, in the order in which to look at them.
    """
    title = f"{robot.name} · {scenario.name}{'' if trace.against == TRUE_STATE else ', against the estimate'}"
    figures: dict[str, Figure] = {}
    with mpl.rc_context(STYLE):
        if stages["tick"].total:
            figures["latency"] = latency_figure(stages, title, realtime=realtime)
        if trace.rows >= 2:
            if robot.floating:
                figures["balance"] = balance_figure(trace, robot, scenario, title)
                if footholds(trace, robot):
                    figures["footsteps"] = footsteps_figure(trace, robot, scenario, title)
                if trace.against == TRUE_STATE:
                    figures["estimation"] = estimation_figure(trace, scenario, title)
            if robot.contacts:
                figures["contact_forces"] = contact_figure(trace, robot, scenario, title)
            figures["torques"] = torque_figure(trace, robot, title)
            if trace.kept("hand_active").any():
                figures["hands"] = hand_figure(trace, robot, scenario, title)
            if np.nan_to_num(trace.kept("f_WH_true")).any():
                figures["hand_forces"] = hand_force_figure(trace, robot, title)
        return save(figures, folder)


def balance_figure(trace: Trace, robot: RobotModel, scenario: Scenario, title: str) -> Figure:
    """Plots centre of mass, its reference, centre of pressure and capture point, from above and over time."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    grid = figure.add_gridspec(3, 2, width_ratios=(1, 1.5))
    above = figure.add_subplot(grid[:, 0])
    t_s, few = trace.kept("t_s"), _few(trace)
    com = judged_com(trace)
    # The controller's reference is in its estimated world frame, which drifts: draw it relative to the true
    # soles. While damping there is no reference.
    reference = np.where(active(trace)[:, None], com + com_error(trace), np.nan)
    cop = center_of_pressure(trace)
    capture = com[:, :2] + trace.kept("v_WC_true")[:, :2] / pendulum_frequency(trace)[:, None]

    for index, contact in enumerate(robot.contacts):
        for row, alpha in ((0, 0.10), (len(t_s) - 1, 0.25)):
            sole = _sole_outline(trace, robot, index, row)
            above.add_patch(Polygon(sole, closed=True, facecolor=REFERENCE, alpha=alpha, edgecolor="none"))
        middle = _sole_outline(trace, robot, index, len(t_s) - 1).mean(axis=0)
        above.annotate(contact.name, middle, ha="center", va="center", fontsize=8, color=REFERENCE)
    above.plot(cop[few, 0], cop[few, 1], color=FOURTH, linewidth=0.5, alpha=0.8, label="centre of pressure")
    above.plot(capture[few, 0], capture[few, 1], color=THIRD, linewidth=0.9, label="capture point")
    above.plot(reference[few, 0], reference[few, 1], color=REFERENCE, linestyle="--", label="CoM reference")
    above.plot(com[few, 0], com[few, 1], color=TRUTH, label=f"CoM, {_known(trace)}")
    above.set_aspect("equal", adjustable="datalim")
    above.set(xlabel="x [m]", ylabel="y [m]")
    above.set_title("Top view")

    for row, (axis, name) in enumerate(zip(range(3), "xyz", strict=True)):
        plot = figure.add_subplot(grid[row, 1])
        if axis < 2:
            plot.plot(t_s[few], cop[few, axis], color=FOURTH, linewidth=0.5, alpha=0.8)
            plot.plot(t_s[few], capture[few, axis], color=THIRD, linewidth=0.9)
        plot.plot(t_s[few], reference[few, axis], color=REFERENCE, linestyle="--")
        plot.plot(t_s[few], com[few, axis], color=TRUTH)
        plot.set(ylabel=f"{name} [m]", xlim=(t_s[0], t_s[-1]))
        _show_at_least(plot, 0.02)
        _mark_pushes(plot, scenario, named=row == 0)
        if row < 2:
            plot.tick_params(labelbottom=False)
        else:
            plot.set_xlabel("time [s]")
    figure.suptitle(f"{title}: balance", fontweight="bold", x=0.01, ha="left")
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def footholds(trace: Trace, robot: RobotModel) -> list[tuple[int, int]]:
    """Finds every foothold of a run.

    Returns:
        (contact index, trace row in the middle of the stance) of each foothold, in order of time; empty if no
        foot was lifted.
    """
    down = trace.kept("normal_true_N") > STANDS_SHARE * robot.mass_kg * GRAVITY_M_S2
    if down.all():
        return []
    shortest = STANDS_S * trace.rows / max(float(trace.kept("t_s")[-1] - trace.kept("t_s")[0]), 1e-9)
    found = []
    for contact in range(down.shape[1]):
        changes = np.flatnonzero(np.diff(np.concatenate(([0], down[:, contact].astype(np.int8), [0]))))
        for first, end in zip(changes[::2], changes[1::2], strict=True):
            if end - first > shortest:
                found.append((contact, int(first + end - 1) // 2))
    return sorted(found, key=lambda foothold: foothold[1])


_FOOTSTEPS_WIDTH = 11.1
"""Width of the axes in a figure that is 12 inches wide [inch]."""


def footsteps_figure(trace: Trace, robot: RobotModel, scenario: Scenario, title: str) -> Figure:
    """Plots footholds, centre of mass, capture point and centre of pressure, from above and from the side."""
    few, com = _few(trace), trace.kept("p_WR_true")
    cop = center_of_pressure(trace)
    capture = com[:, :2] + trace.kept("v_WC_true")[:, :2] / pendulum_frequency(trace)[:, None]
    soles = [(c, row, _sole_outline(trace, robot, c, row)) for c, row in footholds(trace, robot)]
    shown = np.vstack([com[:, :2], *[sole for _, _, sole in soles]])
    middle, (x_span, y_span) = (shown.max(axis=0) + shown.min(axis=0)) / 2.0, np.ptp(shown, axis=0) + 0.2
    # Both axes of the top view have the same scale: a robot that walks sideways needs a taller figure.
    height = float(np.clip(_FOOTSTEPS_WIDTH * y_span / x_span, 2.4, 7.0))
    figure = Figure(figsize=(12, height + 4.0), layout="constrained")
    above, side = figure.subplots(2, 1, sharex=True, height_ratios=(height, 2.4))
    x_half = max(x_span, y_span * _FOOTSTEPS_WIDTH / height) / 2.0
    for contact, row, sole in soles:
        colour = (TRUTH, ESTIMATE)[contact % 2]
        above.add_patch(Polygon(sole, closed=True, facecolor=colour, alpha=0.2, edgecolor=colour))
        z = trace.kept("p_WF_true")[row, contact, 2]
        ends = [sole[:, 0].min(), sole[:, 0].max()]
        side.plot(ends, [z, z], color=colour, linewidth=3.0, solid_capstyle="butt")
    above.plot(cop[few, 0], cop[few, 1], color=FOURTH, linewidth=0.6, alpha=0.8,
               label="centre of pressure (ZMP)")  # fmt: skip
    above.plot(capture[few, 0], capture[few, 1], color=THIRD, linewidth=0.9, label="capture point (DCM)")
    above.plot(com[few, 0], com[few, 1], color=REFERENCE, label="CoM")
    side.plot(com[few, 0], trace.kept("p_WC_true")[few, 2], color=REFERENCE)
    if isinstance(scenario.ground, (Flat, Slope, Stairs)):
        terrain = make_terrain(scenario.ground)
        x = np.linspace(com[:, 0].min() - 0.3, com[:, 0].max() + 0.3, 2000)
        y = float(np.median(com[:, 1]))
        side.plot(x, [terrain.height_at(float(u), y) for u in x], color=LIMIT, linewidth=0.8, label="ground")
        side.legend(loc="upper left")
    above.set(ylabel="y [m]", xlim=middle[0] + np.array([-x_half, x_half]))
    y_half = x_half * height / _FOOTSTEPS_WIDTH
    above.set(ylim=middle[1] + np.array([-y_half, y_half]))
    above.set_title("Top view")
    side.set(xlabel="x [m]", ylabel="z [m]")
    side.set_title("Side view")
    figure.suptitle(f"{title}: footsteps", fontweight="bold", x=0.01, ha="left")
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def pendulum_frequency(trace: Trace) -> Vector:
    """Returns (n,) natural frequency of the linear inverted pendulum above the feet [rad/s].

    Source: Pratt et al., "Capture Point", Humanoids 2006.
    """
    stance_height = trace.kept("p_WF_true")[:, :, 2].mean(axis=1)
    height_m = np.maximum(trace.kept("p_WC_true")[:, 2] - stance_height, 0.05)
    frequency: Vector = np.sqrt(GRAVITY_M_S2 / height_m)
    return frequency


def center_of_pressure(trace: Trace) -> Vector:
    """Returns (n, 3) true centre of pressure of all contacts in the world [m]; NaN without contact force."""
    normal_N = trace.kept("normal_true_N")
    moment = np.einsum("nc,ncx->nx", normal_N, np.nan_to_num(trace.kept("cop_true_W")))
    total_N = normal_N.sum(axis=1, keepdims=True)
    cop: Vector = np.divide(moment, total_N, out=np.full_like(moment, np.nan), where=total_N > 1.0)
    return cop


def contact_figure(trace: Trace, robot: RobotModel, scenario: Scenario, title: str) -> Figure:
    """Plots the normal force of each contact, and the tangential force with its friction limit."""
    contacts = robot.contacts
    figure = Figure(figsize=(12, 6.2), layout="constrained")
    axes = figure.subplots(2, len(contacts), sharex=True, sharey="row", squeeze=False)
    t_s, few = trace.kept("t_s")[_few(trace)], _few(trace)
    for column, contact in enumerate(contacts):
        true_N = trace.kept("normal_true_N")[few, column]
        force_N = np.linalg.norm(trace.kept("f_true_W")[few, column], axis=1)
        commanded = trace.kept("w_F")[few, column]
        normal, tangential = axes[0, column], axes[1, column]
        if trace.forces_measured:
            normal.plot(t_s, true_N, color=TRUTH, label=_known(trace, "measured"))
        normal.plot(t_s, commanded[:, 2], color=ESTIMATE, linewidth=0.9, label="commanded")
        normal.set_title(f"{contact.name}, µ = {contact.friction:g}", pad=TITLE_OVER_PUSHES)
        tangential.fill_between(t_s, contact.friction * np.maximum(true_N, 0.0), color=LIMIT, alpha=0.12,
                                label="friction cone of the controller")  # fmt: skip
        tangential.plot(t_s, np.sqrt(np.maximum(force_N**2 - true_N**2, 0.0)), color=TRUTH)
        tangential.plot(t_s, np.linalg.norm(commanded[:, :2], axis=1), color=ESTIMATE, linewidth=0.9)
        tangential.set(xlabel="time [s]", xlim=(t_s[0], t_s[-1]))
        for plot in (normal, tangential):
            _mark_pushes(plot, scenario, named=plot is normal and column == 0)
    axes[0, 0].set_ylabel("normal force [N]")
    axes[1, 0].set_ylabel("tangential force [N]")
    figure.suptitle(f"{title}: contact forces", fontweight="bold", x=0.01, ha="left")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    cone, cone_label = axes[1, 0].get_legend_handles_labels()
    figure.legend(handles + cone, labels + cone_label, loc="outside lower center", ncols=3)
    return figure


def torque_figure(trace: Trace, robot: RobotModel, title: str) -> Figure:
    """Plots the torque of each joint divided by its limit; panel titles give the limit and the peak ratio."""
    joints = robot.joint_names
    columns = min(6, len(joints))
    rows = -(-len(joints) // columns)
    figure = Figure(figsize=(max(2.1 * columns, 8.0), 1.35 * rows + 0.9), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    few = _few(trace)
    t_s = trace.kept("t_s")[few]
    limits = robot.torque_limit_Nm
    peaks, applied = trace.peak_torque_fraction, trace.kept("tau_true")
    if not np.isfinite(peaks).all():
        # The robot does not measure its torques: those commanded take their place.
        peaks, applied = np.abs(trace.kept("tau") / limits).max(axis=0), np.full_like(applied, np.nan)
    shown = float(np.clip(1.2 * peaks.max(), 0.25, BEYOND_LIMIT))
    for joint, name in enumerate(joints):
        plot = axes[joint]
        for low in (1.0, -BEYOND_LIMIT):
            plot.axhspan(low, low + BEYOND_LIMIT - 1.0, color=LIMIT, alpha=0.15, linewidth=0)
        plot.plot(t_s, trace.kept("tau")[few, joint] / limits[joint], color=ESTIMATE, linewidth=0.8)
        plot.plot(t_s, applied[few, joint] / limits[joint], color=TRUTH, linewidth=0.9)
        share = f"{100.0 * peaks[joint]:.0f} % of {limits[joint]:.3g} Nm"
        plot.set_title(f"{name.removesuffix('_joint')}  {share}", fontsize=7.0, fontweight="normal")
        plot.set(ylim=(-shown, shown), xlim=(t_s[0], t_s[-1]))
        plot.tick_params(labelsize=7)
    for empty, plot in enumerate(axes[len(joints) :], len(joints)):
        plot.set_visible(False)
        axes[empty - columns].tick_params(labelbottom=True)
    figure.supylabel("torque / limit", fontsize=9)
    figure.supxlabel("time [s]", fontsize=9)
    figure.suptitle(f"{title}: joint torques", fontweight="bold", x=0.01, ha="left")
    figure.legend(
        handles=[
            Line2D([], [], color=TRUTH, label=_known(trace, "measured", "applied")),
            Line2D([], [], color=ESTIMATE, label="commanded"),
            Line2D([], [], color=LIMIT, alpha=0.3, linewidth=6, label="beyond the limit"),
        ],
        loc="outside upper right",
        ncols=3,
        fontsize=8,
    )
    return figure


def estimation_figure(trace: Trace, scenario: Scenario, title: str) -> Figure:
    """Plots the estimation errors of the base: velocity, tilt and position."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    velocity, tilt, position = figure.subplots(3, 1, sharex=True)
    few = _few(trace)
    t_s = trace.kept("t_s")[few]
    position_error = (trace.kept("q_est")[:, :3] - trace.kept("q_true")[:, :3])[few]
    for axis, (name, colour) in enumerate(AXIS_COLOURS.items()):
        velocity.plot(t_s, base_velocity_error(trace)[few, axis], color=colour, linewidth=0.9, label=name)
        position.plot(t_s, 1000.0 * position_error[:, axis], color=colour, linewidth=0.9)
    tilt.plot(t_s, np.degrees(tilt_error_rad(trace)[few]), color=TRUTH, linewidth=0.9)
    velocity.set(ylabel="base velocity\nerror [m/s]")
    tilt.set(ylabel="tilt\nerror [deg]")
    for plot, span in ((velocity, 0.02), (tilt, 0.1), (position, 2.0)):
        _show_at_least(plot, span)
    tilt.set_ylim(bottom=0.0)
    position.set(ylabel="base position\nerror [mm]", xlabel="time [s]", xlim=(t_s[0], t_s[-1]))
    for plot in (velocity, tilt, position):
        _mark_pushes(plot, scenario, named=plot is velocity)
    figure.suptitle(f"{title}: estimate minus truth", fontweight="bold", x=0.01, ha="left")
    figure.legend(*velocity.get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return figure


def hand_figure(trace: Trace, robot: RobotModel, scenario: Scenario, title: str) -> Figure:
    """Plots reference, true position and tracking error of each hand that had a target."""
    hands = [h for h in range(len(robot.hand_names)) if trace.kept("hand_active")[:, h].any()]
    figure = Figure(figsize=(max(5.5 * len(hands), 8.0), 7), layout="constrained")
    axes = figure.subplots(4, len(hands), sharex=True, squeeze=False)
    few = _few(trace)
    t_s = trace.kept("t_s")[few]
    for column, hand in enumerate(hands):
        idle = trace.kept("hand_active")[few, hand] == 0
        error = hand_error(trace, hand, robot.floating)[few]
        true = trace.kept("p_WH_true")[few, hand]
        for axis, name in enumerate("xyz"):
            plot = axes[axis, column]
            plot.plot(t_s, _hidden(true[:, axis] + error[:, axis], idle), color=REFERENCE, linestyle="--",
                      label="reference")  # fmt: skip
            plot.plot(t_s, true[:, axis], color=TRUTH, label=_known(trace))
            plot.set_ylabel(f"{name} [m]")
            _show_at_least(plot, 0.02)
        axes[0, column].set_title(robot.hand_names[hand])
        distance_mm = 1000.0 * np.linalg.norm(error, axis=1)
        axes[3, column].plot(t_s, _hidden(distance_mm, idle), color=LIMIT, linewidth=1.0)
        axes[3, column].set(ylabel="error [mm]", xlabel="time [s]", xlim=(t_s[0], t_s[-1]), ylim=(0.0, None))
        for plot in axes[:, column]:
            _mark_pushes(plot, scenario, named=False)
    figure.suptitle(f"{title}: hands", fontweight="bold", x=0.01, ha="left")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


def _known(trace: Trace, instead: str = "estimated", true: str = "true") -> str:
    """Returns the word for values of the true state, or for what is drawn in their place on hardware."""
    return true if trace.against == TRUE_STATE else instead


def _show_at_least(plot: Axes, span: float) -> None:
    """Widens the vertical axis to at least `span`, so that small noise does not look like large motion."""
    low, high = plot.get_ylim()
    missing = max(0.0, span - (high - low)) / 2.0
    plot.set_ylim(low - missing, high + missing)


def _few(trace: Trace) -> slice:
    """Returns a slice that thins the trace to about `POINTS_DRAWN` rows; a plot has fewer pixels."""
    return slice(None, None, max(1, trace.rows // POINTS_DRAWN))


def _hidden(values: Vector, mask: NDArray[np.bool_]) -> Vector:
    shown: Vector = np.where(mask, np.nan, values)
    return shown


def _mark_pushes(plot: Axes, scenario: Scenario, *, named: bool) -> None:
    for event in scenario.events:
        if event.push is None:
            continue
        plot.axvspan(event.at_s, event.at_s + event.push.duration_s, color=FOURTH, alpha=0.35, linewidth=0)
        if named:
            size = float(np.linalg.norm(event.push.impulse_Ns))
            plot.annotate(f" push {size:.3g} Ns", (event.at_s, 1.0), xycoords=("data", "axes fraction"),
                          fontsize=8, color=FOURTH, va="bottom")  # fmt: skip


def _sole_outline(trace: Trace, robot: RobotModel, contact: int, row: int) -> Vector:
    """Returns (k, 2) corners of a sole in the world [m], at its true position and the heading of the base."""
    orientation = np.repeat(trace.kept("q_true")[row : row + 1, 3:7], 1, axis=0)
    ahead = rotate(orientation, np.array([1.0, 0.0, 0.0]))[0]
    heading = np.arctan2(ahead[1], ahead[0])
    turn = np.array([[np.cos(heading), -np.sin(heading)], [np.sin(heading), np.cos(heading)]])
    corners = _hull_order(np.asarray(robot.contacts[contact].corners_F)[:, :2])
    outline: Vector = trace.kept("p_WF_true")[row, contact, :2] + corners @ turn.T
    return outline


def _hull_order(corners: Vector) -> Vector:
    middle = corners.mean(axis=0)
    angles = np.arctan2(corners[:, 1] - middle[1], corners[:, 0] - middle[0])
    ordered: Vector = corners[np.argsort(angles)]
    return ordered
