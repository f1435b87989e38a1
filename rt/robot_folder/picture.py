"""Draws a robot in its nominal posture: from the side, from the front, and its soles from above."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.spatial import ConvexHull

from kilohertz.robots.model.rows import Vector
from kilohertz.rt.robot_folder.examine import Examination
from kilohertz.rt.show.plot_style import ESTIMATE, LIMIT, REFERENCE, STYLE, TRUTH

_WIDTH, _HEIGHT = 12.0, 4.8


def picture(found: Examination) -> Figure:
    """Returns the figure of an examination: side view, front view, and support polygon or holding torques."""
    with rc_context(STYLE):
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        side, front, third = figure.subplots(1, 3)
        bones = _bones(found)
        for axes, across, title in ((side, 0, "from the right side"), (front, 1, "from behind")):
            for bone in bones:
                sign = -1.0 if across else 1.0
                axes.plot(sign * bone[:, across], bone[:, 2], color=REFERENCE, marker="o", markersize=3)
            if found.robot.floating:
                sign = -1.0 if across else 1.0
                axes.plot(sign * found.com_m[across], found.com_m[2], "o", color=ESTIMATE, markersize=9)
                axes.axhline(0.0, color=REFERENCE, linewidth=0.8)
            axes.set(title=title, ylabel="z [m]", aspect="equal")
            axes.set_xlabel("x, forward [m]" if across == 0 else "-y, to the right [m]")
            axes.set_adjustable("datalim")
        _support(third, found) if len(found.support_m) else _torques(third, found)
        figure.suptitle(found.robot.name)
        return figure


def _bones(found: Examination) -> list[Vector]:
    """Returns lines in the world between the origins of joints, and to hands and soles."""
    robot, model = found.robot, found.robot.pin_model
    data = model.createData()
    pin.framesForwardKinematics(model, data, robot.q_nominal)
    root = 1 if robot.floating else 0
    bones = []
    for joint in range(root + 1, model.njoints):
        ends = data.oMi[int(model.parents[joint])].translation, data.oMi[joint].translation
        bones.append(np.array(ends))
    for hand in robot.hands:
        frame = model.frames[hand.frame_id]
        bones.append(np.array([data.oMi[frame.parentJoint].translation, data.oMf[hand.frame_id].translation]))
    for contact in robot.contacts:
        pose = data.oMf[contact.frame_id]
        corners = [pose.act(corner) for corner in contact.corners_F]
        ankle = data.oMi[model.frames[contact.frame_id].parentJoint].translation
        bones.append(np.array([ankle, pose.translation]))
        bones.append(np.array([*corners, corners[0]]))
    return bones


def _support(axes: Axes, found: Examination) -> None:
    corners = found.support_m
    if found.margin_m is not None:
        outline = corners[ConvexHull(corners).vertices]
        axes.fill(-outline[:, 1], outline[:, 0], color=TRUTH, alpha=0.15, label="support")
    axes.plot(-corners[:, 1], corners[:, 0], "s", color=TRUTH, markersize=4, label="corners of the soles")
    inside = found.margin_m is None or found.margin_m >= 0.0
    axes.plot(
        -found.com_m[1], found.com_m[0], "o", color=ESTIMATE if inside else LIMIT, label="centre of mass"
    )
    axes.set(title="from above", xlabel="-y, to the right [m]", ylabel="x, forward [m]", aspect="equal")
    axes.set_adjustable("datalim")
    axes.legend(loc="upper right")


def _torques(axes: Axes, found: Examination) -> None:
    names = [joint.name for joint in found.joints]
    axes.barh(names, [100.0 * joint.fraction for joint in found.joints], color=TRUTH)
    axes.axvline(100.0, color=LIMIT)
    axes.invert_yaxis()
    axes.set(title="holding torque", xlabel="% of the limit")
