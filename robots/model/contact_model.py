"""A sole of the robot: where it is, and where its frame stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.rows import Vector

# A sole that is drawn level to within this is meant to be level.
LEVEL_DEG = 1.0
# A foot that is turned out further than this does not point where its link's x does.
TOES_OUT_DEG = 45.0


@dataclass(frozen=True)
class ContactModel:
    """A sole. Its frame F stands at the mean of the corners, z out of the ground.

    The axes of F are those of the link where its z is the normal of the sole and its x points forward,
    as they do in most models. Elsewhere z is the normal (of a point or an edge: the vertical of the
    nominal posture) and x is forward in the nominal posture.

    Attributes:
        name: as in robot.yaml.
        link: link of the model that carries it.
        frame_id: of the operational frame "contact/<name>" in the pinocchio model.
        corners_F: (k, 3) corners in F [m]; k = 1 is a point foot, 2 an edge.
        friction: coefficient the controller may count on.
        force_sensor: whether the robot measures the normal force.
    """

    name: str
    link: str
    frame_id: int
    corners_F: Vector
    friction: float
    force_sensor: bool


def sole_axes(corners: Vector, R_WL: Vector) -> Vector:
    """Axes of a contact frame: z the normal of the sole, x forward.

    They are the link's own where those already are so.

    Args:
        corners: (k, 3) corners in the link's axes, relative to their mean [m].
        R_WL: (3, 3) the link's rotation in the nominal posture, base level and facing x. It tells the
            outside of the sole, and the normal where the corners span no plane.

    Returns:
        (3, 3) R_LF.
    """
    up_L, forward_L = R_WL[2], R_WL[0]
    normal = up_L
    if len(corners) >= 3:
        normal = np.linalg.svd(corners)[2][2]
        normal = normal if normal @ up_L > 0.0 else -normal
    if normal[2] > np.cos(np.deg2rad(LEVEL_DEG)) and forward_L[0] > np.cos(np.deg2rad(TOES_OUT_DEG)):
        return np.eye(3)
    if abs(forward_L @ normal) > 0.999:  # a sole that faces forward: its toes point up
        forward_L = up_L
    forward_L = forward_L - (forward_L @ normal) * normal
    forward_L = forward_L / np.linalg.norm(forward_L)
    return np.column_stack((forward_L, np.cross(normal, forward_L), normal))


def lowest_corner(model: pin.Model, contacts: tuple[ContactModel, ...], q: Vector) -> float:
    """Height of the lowest corner of all soles in a configuration q [m]."""
    data = model.createData()
    pin.framesForwardKinematics(model, data, q)
    return min(
        float((contact.corners_F @ data.oMf[contact.frame_id].rotation.T)[:, 2].min())
        + float(data.oMf[contact.frame_id].translation[2])
        for contact in contacts
    )
