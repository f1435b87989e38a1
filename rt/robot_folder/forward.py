"""Finds the direction in which a biped faces, from the names of its feet or from its toes."""

from __future__ import annotations

import re

import numpy as np
import pinocchio as pin

from kilohertz.robots.clearance.link_shapes import Shapes, link_shapes
from kilohertz.robots.model.posture_check import LEAST_TOE
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.robot_folder.draft import Draft, placements
from kilohertz.rt.robot_folder.limbs import Limb, find_limbs
from kilohertz.rt.robot_folder.soles import find_sole

_LEFT, _RIGHT = re.compile(r"(^|_)l(eft)?(_|$)", re.I), re.compile(r"(^|_)r(ight)?(_|$)", re.I)
_QUARTER_RAD = 0.5 * np.pi


def find_forward_rad(draft: Draft) -> float:
    """Returns the direction in which a biped faces, from the x axis of its root link about z [rad].

    The links of the feet say which is left; if they do not, the toes point forward. The direction is one of
    the four axes of the root link. It is 0 for other robots, and where nothing tells it.
    """
    shapes = link_shapes(draft.robot)
    legs = find_limbs(draft, shapes).legs
    if len(legs) != 2:
        return 0.0
    data = placements(draft.robot, draft.posture_rad)
    forward = _by_names(draft, data, legs)
    if forward is None:
        forward = _by_toes(draft, data, legs, shapes)
    if forward is None:
        return 0.0
    quarters = round(float(np.arctan2(forward[1], forward[0])) / _QUARTER_RAD)
    return float(abs(quarters) * _QUARTER_RAD if quarters == -2 else quarters * _QUARTER_RAD)


def _by_names(draft: Draft, data: pin.Data, legs: tuple[Limb, ...]) -> Vector | None:
    left = [leg for leg in legs if _LEFT.search(leg.link)]
    right = [leg for leg in legs if _RIGHT.search(leg.link)]
    if len(left) != 1 or len(right) != 1:
        return None
    leftward = _place(draft, data, left[0]) - _place(draft, data, right[0])
    return np.array([leftward[1], -leftward[0]])


def _by_toes(draft: Draft, data: pin.Data, legs: tuple[Limb, ...], shapes: Shapes) -> Vector | None:
    """Returns the mean horizontal vector from the ankles to the middles of the soles, if it is clear."""
    toes, lengths = [], []
    for leg in legs:
        pose = data.oMf[draft.robot.pin_model.getFrameId(leg.link, pin.FrameType.BODY)]
        corners = find_sole(shapes[leg.link], -pose.rotation[2], pose.rotation[0])
        ankle = data.oMi[leg.joints[-1]].translation
        toes.append((pose.act(corners.mean(axis=0)) - ankle)[:2])
        lengths.append(float(np.ptp(corners, axis=0).max()))
    forward = np.mean(toes, axis=0)
    clear = np.linalg.norm(forward) > LEAST_TOE * max(lengths) and max(lengths) > 0.0
    return forward if clear else None


def _place(draft: Draft, data: pin.Data, leg: Limb) -> Vector:
    place: Vector = data.oMf[draft.robot.pin_model.getFrameId(leg.link, pin.FrameType.BODY)].act(leg.p_LE_m)
    return place
