"""Checks of the nominal posture of a robot: soles level and of one height, feet and hands on the right links.

A robot whose posture breaks one of these rules falls within a second. It is refused with the remedy instead.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pinocchio as pin
from scipy.spatial import ConvexHull, QhullError

from kilohertz.robots.model.contact_model import ContactModel
from kilohertz.robots.model.rows import Vector

Location = tuple[str, ...]

LEVEL_SOLE_DEG = 5.0
"""Largest tilt of a sole in the nominal posture [deg]."""
HIGHEST_SOLE_M = 0.2
"""A contact that is higher above the lowest one is a palm or a knee and does not stand on the ground [m]."""
LEAST_TOE = 0.1
"""Smallest distance from the ankle to the middle of the sole, as a fraction of the sole's length, that shows
which way the feet point."""
ONE_HEIGHT_M = 0.02
"""Largest height of the lowest corner of a sole over that of the lowest sole [m]."""
THINNEST_SUPPORT_M = 0.01
"""Soles that span a thinner area are points or a line, on which the robot cannot stand still [m]."""
NARROWEST_RANGE = 0.01
"""Smallest range of a joint that can be controlled: its barriers overlap below [rad, or m if it slides]."""


def sole_tilt_deg(data: pin.Data, contact: ContactModel) -> float:
    """Returns the angle between a sole and the horizontal [deg]; for an edge its slope, for a point 0.

    Args:
        data: pinocchio's data, with the placements of all frames.
        contact: the sole.
    """
    return float(np.degrees(np.linalg.norm(_tilt_W(data, contact))))


def _tilt_W(data: pin.Data, contact: ContactModel) -> Vector:
    """Returns the (3,) rotation vector in the world that would level the sole [rad]."""
    R_WF = data.oMf[contact.frame_id].rotation
    if len(contact.corners_F) >= 3:
        return _rotation_between(R_WF[:, 2], np.array([0.0, 0.0, 1.0]))
    if len(contact.corners_F) == 2:
        edge = R_WF @ (contact.corners_F[1] - contact.corners_F[0])
        return _rotation_between(edge, np.array([edge[0], edge[1], 0.0]))
    return np.zeros(3)


def _rotation_between(a: Vector, b: Vector) -> Vector:
    axis = np.cross(a, b)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return np.zeros(3)
    angle: Vector = axis / sine * np.arctan2(sine, float(a @ b))
    return angle


def support_corners(data: pin.Data, contacts: tuple[ContactModel, ...]) -> Vector:
    """Returns the (k, 2) corners of all soles in the world, seen from above [m]."""
    corners: Vector = np.vstack([[data.oMf[c.frame_id].act(p)[:2] for p in c.corners_F] for c in contacts])
    return corners


def support_margin_m(com_xy: Vector, corners: Vector) -> float | None:
    """Returns the distance of the centre of mass from the edge of the support polygon [m].

    Args:
        com_xy: (2,) horizontal position of the centre of mass [m].
        corners: (k, 2) corners of all soles, seen from above [m].

    Returns:
        The distance, negative outside the polygon; None if the soles span no area.
    """
    spread = np.linalg.svd(corners - corners.mean(axis=0), compute_uv=False)
    if len(corners) < 3 or spread[1] < THINNEST_SUPPORT_M:
        return None
    try:
        hull = ConvexHull(corners)
    except QhullError:
        return None
    return float(-(hull.equations[:, :2] @ com_xy + hull.equations[:, 2]).max())


def posture_problems(
    model: pin.Model, q: Vector, contacts: tuple[ContactModel, ...]
) -> Iterator[tuple[Location, str]]:
    """Yields the location in robot.yaml and a sentence for each problem of the nominal posture.

    Args:
        model: pinocchio model of the robot, with the frames of its soles.
        q: (nq,) nominal posture with a level base.
        contacts: soles of the robot.
    """
    data = model.createData()
    pin.framesForwardKinematics(model, data, q)
    if not contacts:
        return
    yield from _swapped(model, data, contacts)
    ground_m = min(_lowest(data, contact) for contact in contacts)
    contacts = tuple(c for c in contacts if _lowest(data, c) < ground_m + HIGHEST_SOLE_M)
    tilted = [c for c in contacts if sole_tilt_deg(data, c) > LEVEL_SOLE_DEG]
    for contact in tilted:
        tilt = sole_tilt_deg(data, contact)
        remedy = _levelling(model, data, q, contact)
        yield ("posture_rad",), f"leaves {contact.name} {tilt:.0f} deg from level; {remedy}"
    if tilted:
        return
    lows = [_lowest(data, contact) for contact in contacts]
    ground = contacts[int(np.argmin(lows))].name
    for contact, low in zip(contacts, lows, strict=True):
        if low - min(lows) > ONE_HEIGHT_M:
            yield (
                ("posture_rad",),
                f"leaves {contact.name} {low - min(lows):.2f} m higher than {ground}; bend the legs so "
                "that all soles have one height",
            )
            return


def _swapped(
    model: pin.Model, data: pin.Data, contacts: tuple[ContactModel, ...]
) -> Iterator[tuple[Location, str]]:
    """Yields a problem if the left foot is to the right, as seen in the direction in which the feet point."""
    by_name = {contact.name: contact for contact in contacts}
    if not {"left_foot", "right_foot"} <= set(by_name):
        return
    feet = [by_name[name] for name in ("left_foot", "right_foot")]
    toes = np.mean([_toes_W(model, data, foot) for foot in feet], axis=0)
    length_m = max(float(np.ptp(foot.corners_F, axis=0).max()) for foot in feet)
    # A ball has no toes: where its lowest point lies from the joint is only a matter of the knee's angle.
    if length_m == 0.0 or np.linalg.norm(toes) <= LEAST_TOE * length_m:
        return
    left, right = (data.oMf[foot.frame_id].translation[:2] for foot in feet)
    leftward = np.array([-toes[1], toes[0]])
    if (left - right) @ leftward < 0.0:
        yield (
            ("contacts", "left_foot", "link"),
            f"'{by_name['left_foot'].link}' is to the right of '{by_name['right_foot'].link}' in the "
            "nominal posture: the links of left_foot and right_foot are swapped",
        )


def _toes_W(model: pin.Model, data: pin.Data, foot: ContactModel) -> Vector:
    """Returns the (2,) horizontal vector from the ankle's last joint to the middle of the sole [m]."""
    middle: Vector = data.oMf[foot.frame_id].act(foot.corners_F.mean(axis=0))[:2]
    joint = int(model.frames[foot.frame_id].parentJoint)
    offset: Vector = middle - data.oMi[joint].translation[:2]
    return offset


def _lowest(data: pin.Data, contact: ContactModel) -> float:
    return min(float(data.oMf[contact.frame_id].act(corner)[2]) for corner in contact.corners_F)


def _levelling(model: pin.Model, data: pin.Data, q: Vector, contact: ContactModel) -> str:
    """Returns the remedy for a tilted sole: the joint near the foot that levels it, and its new position."""
    turn_W = _tilt_W(data, contact)
    joint = int(model.frames[contact.frame_id].parentJoint)
    jacobian = pin.computeJointJacobians(model, data, q)
    for _ in range(3):  # the joints of an ankle and the one above
        if model.joints[joint].nv != 1:
            break
        axis_W = jacobian[3:, model.joints[joint].idx_v]
        along = float(axis_W @ turn_W)
        if abs(along) > 0.9 * float(np.linalg.norm(turn_W)):
            index = model.joints[joint].idx_q
            position = float(q[index]) + along
            if model.lowerPositionLimit[index] <= position <= model.upperPositionLimit[index]:
                return f"with {model.names[joint]}: {position:.3f} it is level"
        joint = int(model.parents[joint])
    return "change the joints of hip, knee and ankle until their angles add up to level"


def narrow_joints(names: tuple[str, ...], lower: Vector, upper: Vector) -> Iterator[tuple[Location, str]]:
    """Yields the location and a sentence for each joint whose range is too small to be controlled.

    Args:
        names: names of the na joints.
        lower: (na,) lower position limits [rad, or m for a sliding joint].
        upper: (na,) upper position limits [rad, or m for a sliding joint].
    """
    for name, low, high in zip(names, lower, upper, strict=True):
        if 0.0 <= high - low < NARROWEST_RANGE:
            yield (
                ("model",),
                f"has joint '{name}', whose range is only {high - low:.4f} (from {low:g} to {high:g}): "
                f"fix it with locked_joints_rad: {{{name}: {0.5 * (low + high):g}}}, or correct its limits",
            )


def still_hands(model: pin.Model, root_joint: int, links: dict[str, str]) -> Iterator[tuple[Location, str]]:
    """Yields the location and a sentence for each hand that no joint moves.

    Args:
        model: pinocchio model of the robot.
        root_joint: joint of the base: 0 for a fixed base, 1 for a floating one.
        links: link of each hand by the hand's name.
    """
    for name, link in links.items():
        if model.frames[model.getFrameId(link, pin.FrameType.BODY)].parentJoint <= root_joint:
            yield (
                ("hands", name, "link"),
                f"'{link}' is part of the base and no joint moves it: name a link at the end of an arm",
            )
