"""The soles of a robot: their corners and their contact frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.rows import Vector

# A sole whose normal is within this angle of the link's z axis is taken as level.
LEVEL_DEG = 1.0
# If the link's x axis points further away from forward than this, it is not taken as the direction of the
# toes.
TOES_OUT_DEG = 45.0


@dataclass(frozen=True)
class ContactModel:
    """A sole of the robot, with its contact frame F at the mean of the corners and z away from the ground.

    F has the axes of the link if the link's z axis is the normal of the sole and its x axis points forward,
    as in most models. Otherwise the z axis of F is the normal of the sole (for a point or an edge, the
    vertical of the nominal posture) and its x axis points forward in the nominal posture.

    Attributes:
        name: name of the contact in robot.yaml.
        link: link of the model that carries the sole.
        frame_id: index of the operational frame "contact/<name>" in the pinocchio model.
        corners_F: (k, 3) corners in F [m]; a point foot has k = 1, an edge k = 2.
        friction: Coulomb coefficient that the controller may use.
        force_sensor: whether the robot measures the normal force of this contact.
    """

    name: str
    link: str
    frame_id: int
    corners_F: Vector
    friction: float
    force_sensor: bool


def sole_axes(corners: Vector, R_WL: Vector) -> Vector:
    """Returns the axes of a contact frame: z is the normal of the sole, x points forward.

    The result is the identity if the link's own axes already have these directions.

    Args:
        corners: (k, 3) corners in the link's axes, relative to their mean [m].
        R_WL: (3, 3) rotation of the link in the nominal posture, with the base level and its heading along x.
            It gives the sign of the normal, and the normal itself if the corners span no plane.

    Returns:
        (3, 3) rotation R_LF of the contact frame in the link's frame.
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
    """Returns the height of the lowest corner of all soles in the world, in a configuration q (nq,) [m]."""
    data = model.createData()
    pin.framesForwardKinematics(model, data, q)
    return min(
        float((contact.corners_F @ data.oMf[contact.frame_id].rotation.T)[:, 2].min())
        + float(data.oMf[contact.frame_id].translation[2])
        for contact in contacts
    )
