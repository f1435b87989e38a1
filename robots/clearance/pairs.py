"""The pairs of parts that can touch each other, found by sampling the ranges of the joints."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pinocchio as pin

from kilohertz.robots.clearance.body_capsules import BodyCapsules
from kilohertz.robots.clearance.link_shapes import Shape, Shapes
from kilohertz.robots.clearance.segments import nearest_points
from kilohertz.robots.model.kin import Floats, Ints
from kilohertz.robots.model.robot_model import RobotModel

_SAMPLES = 1500
_NEVER_M = 0.05
"""A pair that is further apart than this in every sample never touches [m]."""
_ALWAYS, _ALWAYS_NEAR = 0.9, 0.4
"""A pair that touches in more than this fraction of the samples overlaps by design, as the parts of a hip do.
The second value is for parts with at most _NEAR_JOINTS joints between them."""
_NEIGHBOURS, _NEAR_JOINTS = 1, 2
"""Parts with at most _NEIGHBOURS joints between them touch by design, those with _NEAR_JOINTS may do so."""
_OVERLAP_SLACK_M, _SLACK_M, _MOST_SLACK_M, _LEGS_SLACK_M = 0.004, 0.008, 0.015, 0.03
"""Capsules that are near in the nominal posture may come nearer than there by the distance of their hulls
less the margin: at least by _SLACK_M, at most by _MOST_SLACK_M, or by _LEGS_SLACK_M for two legs. Capsules
that overlap there may do so by _OVERLAP_SLACK_M [m]."""
_HULL_STEPS = 300
"""Steps towards the distance of two convex hulls; it is then within 1 mm."""
_DEEPEST_M = -0.03
"""A pair whose capsules overlap by more in the nominal posture is left out. Parts with few joints between
them are left out if they are nearer than _NEVER_M there [m]."""

_BRAKING_SHARE = 0.4
"""Fraction of the deceleration available at the torque limits that braking relies on."""
_BRAKING_M_S2, _LEG_BRAKING_M_S2 = (3.0, 40.0), (3.0, 80.0)
"""Bounds of the deceleration that braking relies on, for any two parts and for two legs [m/s^2]."""
_LEVERAGE_M_S2 = 5.0
"""Parts with few joints between them that brake with less are left out: they hardly move apart [m/s^2]."""
_LEGS_NEARER_M = 0.03
"""Distance by which the capsules of two legs may be nearer than the margin [m]: legs pass each other closely
in steps to the side, and capsules stand out beyond them."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of parts that are kept clear of each other. P is their number.

    Attributes:
        parts: (P, 2) indices of the two parts.
        least_m: (P,) distance of the capsules that is kept [m]; below the margin, even negative, for parts
            that are closer in the nominal posture.
        braking_m_s2: (P,) deceleration of the approach that the joints can produce [m/s^2].
    """

    parts: Ints
    least_m: Floats
    braking_m_s2: Floats


def find_pairs(
    robot: RobotModel,
    body: BodyCapsules,
    shapes: Shapes,
    margin_m: float,
    ignored: Collection[tuple[str, str]],
) -> Pairs:
    """Returns the pairs that can touch, and do not touch by design.

    Left out are neighbours, pairs that touch in the nominal posture, pairs that touch never or nearly always
    in random postures, and ignored pairs. The random postures are the same in every run.

    Args:
        robot: the robot.
        body: its capsules.
        shapes: the shapes of its links, by the names of the links.
        margin_m: distance that is kept between two parts [m].
        ignored: pairs of links that may touch.
    """
    left_out = {frozenset((body.index(a), body.index(b))) for a, b in ignored}
    candidates = [
        pair
        for pair in combinations(range(len(body.parts)), 2)
        if joints_between(robot.pin_model, *body.joint[list(pair)]) > _NEIGHBOURS
        and frozenset(pair) not in left_out
    ]
    postures = _postures(robot)
    distances = _distances(robot, body, candidates, postures)
    kept, least, braking = [], [], []
    legs = _legs(robot, body)
    for pair, distance in zip(candidates, distances, strict=True):
        nominal, sampled = float(distance[0]), distance[1:]
        two_legs = legs.issuperset(pair)
        low = margin_m - _LEGS_NEARER_M if two_legs else margin_m
        if nominal - _LEGS_SLACK_M < margin_m:
            spare = _hull_distance(robot, body, shapes, pair) - margin_m
            most = _LEGS_SLACK_M if two_legs else _MOST_SLACK_M
            slack = min(max(spare, _SLACK_M), most) if two_legs or nominal > 0.0 else _OVERLAP_SLACK_M
            low = min(low, nominal - slack)
        near = joints_between(robot.pin_model, *body.joint[list(pair)]) <= _NEAR_JOINTS
        always, deepest = (_ALWAYS_NEAR, _NEVER_M) if near else (_ALWAYS, _DEEPEST_M)
        if sampled.min() > _NEVER_M or (sampled < low).mean() > always or nominal < deepest:
            continue
        at = int(np.argmin(np.abs(distance - max(low, margin_m))))
        deceleration = _braking(robot, body, pair, postures[at])
        if near and deceleration < _LEVERAGE_M_S2:
            continue
        low_m_s2, high_m_s2 = _LEG_BRAKING_M_S2 if two_legs else _BRAKING_M_S2
        kept.append(pair)
        least.append(low)
        braking.append(min(max(deceleration, low_m_s2), high_m_s2))
    return Pairs(np.array(kept, np.int64).reshape(-1, 2), np.array(least), np.array(braking))


def _legs(robot: RobotModel, body: BodyCapsules) -> set[int]:
    """Returns the parts between the base and a sole."""
    model = robot.pin_model
    joints = {
        j for contact in robot.contacts for j in model.supports[model.frames[contact.frame_id].parentJoint]
    }
    return {i for i, joint in enumerate(body.joint.tolist()) if joint in joints and joint > 1}


def joints_between(model: pin.Model, first: int, second: int) -> int:
    """Returns the number of joints between the parts that two joints move."""
    one, other = set(model.supports[int(first)]), set(model.supports[int(second)])
    return len(one ^ other)


def _postures(robot: RobotModel) -> Floats:
    """Returns the nominal and random postures, (1 + _SAMPLES, nq)."""
    rng = np.random.default_rng(0)
    low = np.maximum(robot.position_lower_rad, -math.pi)
    high = np.minimum(robot.position_upper_rad, math.pi)
    postures = np.tile(robot.q_nominal, (1 + _SAMPLES, 1))
    postures[1:, robot.nq_base :] = rng.uniform(low, high, (_SAMPLES, robot.na))
    return postures


def _distances(
    robot: RobotModel, body: BodyCapsules, pairs: list[tuple[int, int]], postures: Floats
) -> list[Floats]:
    """Returns the distance of each pair in each posture [m]; far pairs are not measured exactly."""
    data = robot.pin_model.createData()
    ends = []
    for q in postures:
        pin.forwardKinematics(robot.pin_model, data, q)
        ends.append(body.ends(data))
    a, b = (np.array([end[i] for end in ends]) for i in range(2))
    middle, reach = 0.5 * (a + b), 0.5 * np.linalg.norm(b[0] - a[0], axis=1) + body.radius_m
    found = []
    for first, second in pairs:
        distance = np.full(len(postures), np.inf)
        for i in range(body.first[first], body.first[first + 1]):
            for j in range(body.first[second], body.first[second + 1]):
                apart = middle[:, i] - middle[:, j]
                apart_m = np.sqrt(np.einsum("ij,ij->i", apart, apart)) - reach[i] - reach[j]
                # At least the nominal posture, so that its distance is always known.
                near = np.flatnonzero(apart_m < _NEVER_M)
                near = near if len(near) and near[0] == 0 else np.r_[0, near]
                p, q = nearest_points(a[near, i], b[near, i], a[near, j], b[near, j])
                gap = np.linalg.norm(p - q, axis=1) - body.radius_m[i] - body.radius_m[j]
                distance[near] = np.minimum(distance[near], gap)
        found.append(distance)
    return found


def _hull_distance(robot: RobotModel, body: BodyCapsules, shapes: Shapes, pair: tuple[int, int]) -> float:
    """Returns the distance of the shapes of two parts in the nominal posture [m]; meshes as convex hulls."""
    model = robot.pin_model
    data = model.createData()
    pin.framesForwardKinematics(model, data, robot.q_nominal)
    placed = []
    for part in pair:
        poses = [(data.oMf[model.getBodyId(link)], link) for link in body.members[part]]
        placed.append([s.moved(M.rotation, M.translation) for M, link in poses for s in shapes.get(link, ())])
    return min(_gap(one, other) for one in placed[0] for other in placed[1])


def _gap(one: Shape, other: Shape) -> float:
    """Returns the distance of two convex shapes [m].

    Source: Gilbert, "An iterative procedure for computing the minimum of a quadratic form on a convex set",
    SIAM Journal on Control 4, 1966.
    """
    x = one.points_L.mean(axis=0) - other.points_L.mean(axis=0)
    for _ in range(_HULL_STEPS):
        a = one.points_L[int(np.argmin(one.points_L @ x))]
        b = other.points_L[int(np.argmax(other.points_L @ x))]
        to = a - b - x
        share = -float(x @ to) / max(float(to @ to), 1e-18)
        if share <= 0.0:
            break
        x = x + min(share, 1.0) * to
    return float(np.linalg.norm(x)) - one.radius_m - other.radius_m


def _braking(robot: RobotModel, body: BodyCapsules, pair: tuple[int, int], q: Floats) -> float:
    """Returns the deceleration of two parts towards each other that their joints can produce [m/s^2]."""
    model = robot.pin_model
    data = model.createData()
    M = pin.crba(model, data, q)
    M = np.triu(M) + np.triu(M, 1).T
    pin.computeJointJacobians(model, data, q)
    a, b = body.ends(data)
    best = None
    for i in range(body.first[pair[0]], body.first[pair[0] + 1]):
        for j in range(body.first[pair[1]], body.first[pair[1] + 1]):
            p, other = nearest_points(a[i], b[i], a[j], b[j])
            gap = float(np.linalg.norm(other - p)) - body.radius_m[i] - body.radius_m[j]
            if best is None or gap < best[0]:
                best = gap, p, other
    assert best is not None
    _, p, other = best
    n = (other - p) / max(float(np.linalg.norm(other - p)), 1e-9)
    row = n @ (_point_jacobian(model, data, body.joint[pair[1]], other))
    row -= n @ (_point_jacobian(model, data, body.joint[pair[0]], p))
    effect = np.linalg.solve(M, row)[robot.n_base :]
    limit = robot.torque_limit_Nm
    return _BRAKING_SHARE * float(np.abs(effect) @ np.minimum(limit, 1e6))


def _point_jacobian(model: pin.Model, data: pin.Data, joint: int, p: Floats) -> Floats:
    """Returns the Jacobian (3, nv) of a point of the part that a joint moves, at p in the world."""
    if joint == 0:
        return np.zeros((3, model.nv))
    J = pin.getJointJacobian(model, data, int(joint), pin.WORLD)
    return np.asarray(J[:3] + np.cross(J[3:].T, p).T)
