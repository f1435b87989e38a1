"""Builds the arrays by which soles may roll over their edges, at set-up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pinocchio as pin

from kilohertz.controller.problem.contact_geometry import ContactGeometry, cone_rows
from kilohertz.controller.problem.tables import Contacts, Rolling
from kilohertz.robots.model.kin import FZ, ORIGIN, Floats, Kin, X, Y
from kilohertz.robots.model.robot_model import RobotModel

_STRIP = 0.1
"""Width of the strip along an edge that carries a sole that rolls, relative to half the width of the sole."""
_ALIGNED = 0.95
"""A joint rolls the sole if the cosine of the angle between its axis and the sole's x axis is larger."""


def can_roll(robot: RobotModel, geometry: ContactGeometry) -> bool:
    """Returns whether a contact is a sole with a straight inner and outer edge, of a robot with free feet."""
    corners = geometry.cone_corners_C
    return robot.floating and geometry.kind == "surface" and len(corners) == 4 and _half_m(corners)[1] > 0.0


def rolling_arrays(
    robot: RobotModel,
    geometry: Sequence[ContactGeometry],
    contacts: Contacts,
    kin: Kin,
    edge_frame: Sequence[int],
) -> Rolling:
    """Returns the arrays of one robot.

    Args:
        robot: the robot.
        geometry: geometry of each contact.
        contacts: the contact slots, with the wrench cones of the whole soles.
        kin: kinematics; the placement of the edge frames is that of the centres for now.
        edge_frame: index in `kin` of the edge frame of each contact; -1 for none.
    """
    n = len(contacts.offset)
    rolling = Rolling(
        ankle=np.full(n, -1, np.int64),
        edge_frame=np.full(n, -1, np.int64),
        half_width_m=np.zeros(n),
        centre=np.zeros((n, 3)),
        flat_cone=contacts.cone.copy(),
        edge_cone=contacts.cone.copy(),
        flat=np.zeros(n),
    )
    for c, frame in enumerate(edge_frame):
        if frame < 0:
            continue
        half_length, half_width = _half_m(geometry[c].cone_corners_C)
        strip = 0.5 * _STRIP * half_width
        corners = np.array([[x, y, 0.0] for x in (-half_length, half_length) for y in (-strip, strip)])
        rows = cone_rows(corners, robot.contacts[c].friction / np.sqrt(2.0), geometry[c].select)
        if len(rows) != len(geometry[c].rows):
            continue
        rolling.ankle[c] = _ankle(robot, c, geometry[c])
        rolling.edge_frame[c] = frame
        rolling.half_width_m[c] = half_width - strip
        rolling.centre[c] = kin.placement[c, ORIGIN]
        rolling.edge_cone[c, : len(rows), :] = rows
        rolling.edge_cone[c, len(rows), :] = 0.0
        rolling.edge_cone[c, len(rows), FZ] = 1.0
    return rolling


def _half_m(corners: Floats) -> tuple[float, float]:
    """Returns half the length and width of a sole, or zeros for no rectangle about its centre [m]."""
    half = np.abs(corners[:, :2]).max(axis=0)
    square = np.allclose(np.abs(corners[:, :2]), half, atol=1e-3)
    return (float(half[X]), float(half[Y])) if square else (0.0, 0.0)


def _ankle(robot: RobotModel, contact: int, geometry: ContactGeometry) -> int:
    """Returns the index of the last joint of the leg whose axis is along the sole's x axis; -1 for none."""
    model, data, frame = robot.pin_model, robot.pin_model.createData(), robot.contacts[contact].frame_id
    J = pin.computeFrameJacobian(model, data, robot.q_nominal, frame, pin.LOCAL)
    turn = geometry.R_FC[:, X] @ J[3:, robot.n_base :]
    chain = [j for j in range(robot.na) if abs(turn[j]) > _ALIGNED]
    return chain[-1] if chain else -1
