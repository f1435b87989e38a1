"""Chooses the nominal posture of an arm: a bent one, in which the hand can move in every direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.rows import Vector
from kilohertz.rt.robot_folder.draft import Draft, free_range, placements
from kilohertz.rt.robot_folder.limbs import Limb

_TRIALS = 1500
_SEED = 1
_WIDEST_RAD = 2.2
_NEAR_LIMIT = 0.15
"""Fraction of a joint's range at its limits that the posture keeps free."""
_LOW, _NEAR = 0.2, 0.15
"""Height of every link over the base, and distance between links that are not neighbours, as fractions of the
arm's length."""
_EASY = 0.4
"""Fraction of a joint's torque limit, where the model gives one, that may be needed to hold the posture."""


def bent_arms(draft: Draft, arms: Sequence[Limb]) -> Vector:
    """Returns the (na,) posture in which each arm has the best manipulability of all trials, for its length.

    Postures with the hand behind the base, links close to the floor or to other links, and those that take
    much of a joint's torque to hold are avoided. The trials are always the same ones. Joints that all of
    several arms have in common, such as that of a trunk, are left as they are.
    """
    shared = set(arms[0].joints).intersection(*(arm.joints for arm in arms)) if len(arms) > 1 else set()
    posture = draft.posture_rad
    for arm in arms:
        own = [joint for joint in arm.joints if joint not in shared]
        posture = _bent(draft, Limb(tuple(own), arm.link, arm.p_LE_m), posture)
    return posture


def _bent(draft: Draft, arm: Limb, start: Vector) -> Vector:
    root = 1 if draft.robot.floating else 0
    indices = [joint - root - 1 for joint in arm.joints]
    limits = [free_range(*_limits(draft, index)) for index in indices]
    low = np.array([max(a + _NEAR_LIMIT * (b - a), -_WIDEST_RAD) for a, b in limits])
    high = np.array([min(b - _NEAR_LIMIT * (b - a), _WIDEST_RAD) for a, b in limits])
    generator = np.random.default_rng(_SEED)
    best, posture = -np.inf, start
    for _ in range(_TRIALS):
        trial = start.copy()
        trial[indices] = np.round(generator.uniform(low, np.maximum(high, low)), 1)
        score = _score(draft, arm, trial)
        if score > best:
            best, posture = score, trial
    return posture


def _limits(draft: Draft, index: int) -> tuple[float, float]:
    return float(draft.robot.position_lower_rad[index]), float(draft.robot.position_upper_rad[index])


def _score(draft: Draft, arm: Limb, posture: Vector) -> float:
    model = draft.robot.pin_model
    data = placements(draft.robot, posture)
    frame = model.getFrameId(arm.link, pin.FrameType.BODY)
    J = pin.getFrameJacobian(model, data, frame, pin.ReferenceFrame.LOCAL_WORLD_ALIGNED)
    columns = [model.joints[joint].idx_v for joint in arm.joints]
    end = data.oMf[frame].act(arm.p_LE_m)
    points = np.array([*(data.oMi[joint].translation for joint in arm.joints), end])
    length = float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum()) or 1.0
    sizes = np.linalg.svd(np.vstack([J[:3, columns] / length, J[3:, columns] / 3.0]), compute_uv=False)
    linear = np.linalg.svd(J[:3, columns] / length, compute_uv=False)
    away = points - points[0]
    score = float(linear[-1]) + 0.3 * float(sizes[min(5, len(columns) - 1)])
    score -= 2.0 * max(0.0, _LOW - float(points[2:, 2].min() - points[0, 2]) / length - 0.05)
    score -= 1.0 * max(0.0, 0.25 - float(away[-1, 0]) / length)
    score -= 0.5 * abs(float(away[-1, 1])) / length
    q = np.r_[pin.neutral(model)[: draft.robot.nq_base], posture]
    held = np.abs(pin.computeGeneralizedGravity(model, data, q))[columns]
    shares = held / draft.effort_Nm[np.array(columns) - draft.robot.n_base]
    score -= 2.0 * max(0.0, float(np.nanmax(shares, initial=0.0)) - _EASY)
    for i in range(len(points)):
        for j in range(i + 3, len(points)):
            gap = float(np.linalg.norm(points[i] - points[j])) / length
            score -= max(0.0, _NEAR - gap)
    return score - 0.01 * float(np.abs(posture).sum())
