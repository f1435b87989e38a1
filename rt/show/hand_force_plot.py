"""Plot of the forces on the hands of an arm, and of how far they push the hands off their references."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.loop.trace import Trace
from kilohertz.rt.show.plot_style import ESTIMATE, THIRD, TRUTH

POINTS_DRAWN = 3000
COLOURS = {"x": TRUTH, "y": ESTIMATE, "z": THIRD}


def hand_force_figure(trace: Trace, robot: RobotModel, title: str) -> Figure:
    """Plots force, deflection and force over deflection of each hand on which a force acted.

    Args:
        trace: history of a run, of which the forces on the hands are known.
        robot: the robot of the run.
        title: beginning of the title.
    """
    forces = trace.kept("f_WH_true")
    hands = [h for h in range(len(robot.hand_names)) if np.nan_to_num(forces[:, h]).any()]
    few = slice(None, None, max(1, trace.rows // POINTS_DRAWN))
    t_s = trace.kept("t_s")[few]
    figure = Figure(figsize=(12, 6.2 * len(hands)), layout="constrained")
    grid = figure.add_gridspec(2 * len(hands), 2, width_ratios=(1.6, 1))
    for row, hand in enumerate(hands):
        force = figure.add_subplot(grid[2 * row, 0])
        off = figure.add_subplot(grid[2 * row + 1, 0], sharex=force)
        over = figure.add_subplot(grid[2 * row : 2 * row + 2, 1])
        idle = trace.kept("hand_active")[few, hand] == 0
        deflection = (trace.kept("p_WH_true") - trace.kept("p_WH_des"))[few, hand]
        deflection_mm = np.where(idle[:, None], np.nan, 1000.0 * deflection)
        for axis, (name, colour) in enumerate(COLOURS.items()):
            force_N = forces[few, hand, axis]
            force.plot(t_s, force_N, color=colour, label=name)
            off.plot(t_s, deflection_mm[:, axis], color=colour)
            over.plot(deflection_mm[:, axis], force_N, color=colour, linewidth=0.9)
        force.set(ylabel="force on the hand [N]", xlim=(t_s[0], t_s[-1]))
        force.set_title(robot.hand_names[hand])
        off.set(ylabel="deflection [mm]", xlabel="time [s]")
        over.set(xlabel="deflection [mm]", ylabel="force on the hand [N]")
        over.set_title("Force over deflection")
    figure.suptitle(f"{title}: forces on the hands", fontweight="bold", x=0.01, ha="left")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return figure
