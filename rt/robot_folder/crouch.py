"""Finds a nominal posture: knees and elbows bent, soles level, centre of mass over their middle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin
from scipy.optimize import least_squares

from kilohertz.robots.clearance.link_shapes import Shapes
from kilohertz.robots.model.contact_model import sole_axes
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.robot_folder.draft import Draft, free_range, placements
from kilohertz.rt.robot_folder.limbs import Limb, Limbs
from kilohertz.rt.robot_folder.soles import find_sole, lowest_point

BENT_LEG, BENT_LEG_ON_POINTS, BENT_ARM = 0.95, 0.78, 0.9
"""Distance from the first joint of a limb to its end, as a fraction of the largest one: for legs with soles,
for legs on points, and for arms."""
_PLAY = 0.02
"""Fraction of a joint's range that stays free at its limits."""
_SCAN = 121
_STRAIGHTER = (0.0, 0.3, 0.6, 0.9)
"""How far legs whose soles cannot be levelled are straightened, as a fraction of the way."""
_LEVEL_RAD = float(np.deg2rad(2.0))
_KEEP = 0.02
"""Weight of the distance to the start posture [1 / rad]; other errors are in units near 1 cm and 0.1 rad."""


@dataclass(frozen=True)
class Sole:
    """A sole that was found.

    Attributes:
        leg: leg with the sole.
        corners_L: (k, 3) corners in the frame of the leg's link [m].
    """

    leg: Limb
    corners_L: Vector


@dataclass(frozen=True)
class Crouch:
    """A nominal posture with its soles.

    Attributes:
        posture_rad: (na,) joint positions.
        soles: soles in the order of the legs.
    """

    posture_rad: Vector
    soles: tuple[Sole, ...]


def find_crouch(draft: Draft, limbs: Limbs, shapes: Shapes) -> Crouch:
    """Finds the nominal posture of a robot on legs."""
    posture = draft.posture_rad.copy()
    data = placements(draft.robot, posture)
    soles = tuple(_sole(draft, data, leg, shapes) for leg in limbs.legs)
    places = _places(draft, posture, soles)
    for limb in limbs.arms:
        if not draft.from_keyframe:
            _bend(draft, posture, limb.joints[-6:], limb.link, limb.p_LE_m, BENT_ARM, +1)
    for sole in soles:
        two_feet, flat = len(soles) == 2, len(sole.corners_L) >= 3
        bent = BENT_LEG if flat else BENT_LEG_ON_POINTS
        middle = sole.corners_L.mean(axis=0)
        _bend(draft, posture, sole.leg.joints, sole.leg.link, middle, bent, 1 if two_feet else -1)
    height = _height(draft, posture, soles, places)
    for _ in range(3):  # a round foot touches the ground at another point in another posture
        for straightness in _STRAIGHTER:
            # An ankle at its limit cannot level the sole of a leg that is bent this far.
            target = height + straightness * (float(places[:, 2].mean()) - height)
            posture = _level(draft, posture, soles, places[:, :2], target)
            if _tilt(draft, posture, soles) < _LEVEL_RAD:
                break
        data = placements(draft.robot, posture)
        soles = tuple(
            sole if len(sole.corners_L) > 1 else _sole(draft, data, sole.leg, shapes) for sole in soles
        )
    return Crouch(posture, soles)


def _sole(draft: Draft, data: pin.Data, leg: Limb, shapes: Shapes) -> Sole:
    model = draft.robot.pin_model
    R_WL = data.oMf[model.getFrameId(leg.link, pin.FrameType.BODY)].rotation
    corners = find_sole(shapes[leg.link], -R_WL[2], R_WL[0])
    if len(corners) == 1:
        corners = lowest_point(shapes[leg.link], -R_WL[2])[None]
    return Sole(leg, corners)


def _limits(draft: Draft, index: int) -> tuple[float, float]:
    robot = draft.robot
    low, high = free_range(float(robot.position_lower_rad[index]), float(robot.position_upper_rad[index]))
    play = _PLAY * min(high - low, 1.0)
    return low + play, high - play


def _bend(
    draft: Draft,
    posture: Vector,
    joints: tuple[int, ...],
    link: str,
    end_L: Vector,
    fraction: float,
    forward: int,
) -> None:
    """Bends the knee or elbow of a limb in place: the joint that changes the length of the limb most.

    Args:
        draft: the model.
        posture: (na,) posture, changed in place.
        joints: joints of the limb; its length is that from the first of them to the end.
        link: link at the end.
        end_L: (3,) end in the frame of the link [m].
        fraction: length of the bent limb as a fraction of the largest length.
        forward: direction in which a joint that can bend both ways moves: 1 bends a knee forward, as a
            human's, and -1 backward.
    """
    model = draft.robot.pin_model
    root = 1 if draft.robot.floating else 0
    frame = model.getFrameId(link, pin.FrameType.BODY)

    def length(index: int, value: float) -> float:
        trial = posture.copy()
        trial[index] = value
        data = placements(draft.robot, trial)
        return float(np.linalg.norm(data.oMf[frame].act(end_L) - data.oMi[joints[0]].translation))

    best: tuple[float, int, Vector, Vector] | None = None
    for joint in joints[1:]:
        index = joint - root - 1
        low, high = _limits(draft, index)
        values = np.linspace(max(low, -2.8), min(high, 2.8), _SCAN)
        lengths = np.array([length(index, value) for value in values])
        if best is None or np.ptp(lengths) > best[0]:
            best = (float(np.ptp(lengths)), index, values, lengths)
    if best is None or best[0] < 1e-3:
        return
    _, index, values, lengths = best
    axis_y = float(_axis_W(draft, posture, index + root + 1)[1])
    target, straight = fraction * lengths.max(), values[int(np.argmax(lengths))]
    # The bent positions on both sides of the straight one; the one that is reached with less motion, or that
    # bends in the wanted direction if the joint can do both.
    sides = []
    for side in (1.0, -1.0):
        there = np.flatnonzero((side * (values - straight) >= 0.0) & (lengths <= target))
        if len(there):
            sides.append((side, float(values[there[0] if side > 0 else there[-1]])))
    if not sides or abs(posture[index] - straight) > abs(sides[0][1] - straight):
        return
    wanted = np.sign(axis_y * forward) or 1.0
    posture[index] = next((value for side, value in sides if side == wanted), sides[0][1])


def _axis_W(draft: Draft, posture: Vector, joint: int) -> Vector:
    data = placements(draft.robot, posture)
    axis: Vector = data.J[3:, draft.robot.pin_model.joints[joint].idx_v]
    return axis


def _places(draft: Draft, posture: Vector, soles: tuple[Sole, ...]) -> Vector:
    """Returns the (n, 3) middles of the soles with the base level at the origin [m]."""
    data, model = placements(draft.robot, posture), draft.robot.pin_model
    return np.array(
        [
            data.oMf[model.getFrameId(sole.leg.link, pin.FrameType.BODY)].act(sole.corners_L.mean(axis=0))
            for sole in soles
        ]
    )


def _tilt(draft: Draft, posture: Vector, soles: tuple[Sole, ...]) -> float:
    """Returns the largest angle of a sole with the floor [rad]; 0 for points and edges."""
    data, model, worst = placements(draft.robot, posture), draft.robot.pin_model, 0.0
    for sole in soles:
        if len(sole.corners_L) >= 3:
            R_WL = data.oMf[model.getFrameId(sole.leg.link, pin.FrameType.BODY)].rotation
            R_LF = sole_axes(sole.corners_L - sole.corners_L.mean(axis=0), R_WL)
            worst = max(worst, float(np.arccos(min(1.0, abs((R_WL @ R_LF)[2, 2])))))
    return worst


def _height(draft: Draft, posture: Vector, soles: tuple[Sole, ...], straight: Vector) -> float:
    """Returns the height of the soles under the base if bent legs are turned at the hips until upright.

    Args:
        draft: the model.
        posture: (na,) posture with bent legs.
        soles: soles at their ends.
        straight: (n, 3) places of the soles before the legs were bent [m].
    """
    data, heights = placements(draft.robot, posture), []
    for sole, place, before in zip(soles, _places(draft, posture, soles), straight, strict=True):
        hip = data.oMi[sole.leg.joints[0]].translation
        length = float(np.linalg.norm(place - hip))
        aside = min(abs(float(before[1] - hip[1])), 0.7 * length)
        heights.append(float(hip[2]) - float(np.sqrt(length**2 - aside**2)))
    return float(np.mean(heights))


def _level(draft: Draft, start: Vector, soles: tuple[Sole, ...], places: Vector, height: float) -> Vector:
    """Returns the posture near `start` whose soles are level, at one height and below the centre of mass.

    Args:
        draft: the model.
        start: (na,) posture with bent legs.
        soles: soles at their ends.
        places: (n, 2) horizontal places of the soles, of which only the differences count [m].
        height: height of the soles with the base at the origin [m].
    """
    robot = draft.robot
    model = robot.pin_model
    root = 1 if robot.floating else 0
    frames = [model.getFrameId(sole.leg.link, pin.FrameType.BODY) for sole in soles]
    middles = [sole.corners_L.mean(axis=0) for sole in soles]
    data = placements(robot, start)
    axes = [
        sole_axes(sole.corners_L - middle, data.oMf[frame].rotation)
        for sole, middle, frame in zip(soles, middles, frames, strict=True)
    ]
    joints = sorted({joint - root - 1 for sole in soles for joint in sole.leg.joints})
    limits = np.array([_limits(draft, index) for index in joints])

    def errors(values: Vector) -> Vector:
        trial = start.copy()
        trial[joints] = values
        now = placements(robot, trial)
        com = now.com[0][:2]
        rows: list[float] = [*(_KEEP * (values - start[joints]))]
        found = np.array([now.oMf[frame].act(middle) for frame, middle in zip(frames, middles, strict=True)])
        wanted = places - places.mean(axis=0) + com
        rows += list(100.0 * (found[:, 2] - height))
        rows += list(100.0 * (found[:, :2].mean(axis=0) - com))
        rows += list(30.0 * (found[:, :2] - wanted).ravel())
        for sole, frame, R_LF in zip(soles, frames, axes, strict=True):
            if len(sole.corners_L) < 2:
                continue
            R_WF = now.oMf[frame].rotation @ R_LF
            rows += [20.0 * R_WF[0, 2], 20.0 * R_WF[1, 2], 3.0 * R_WF[1, 0]]
        return np.array(rows)

    first = np.clip(start[joints], limits[:, 0] + 1e-6, limits[:, 1] - 1e-6)
    result = least_squares(errors, first, bounds=(limits[:, 0], limits[:, 1]), xtol=1e-10, ftol=1e-12)
    posture = start.copy()
    posture[joints] = result.x
    return posture
